import type { Json, JsonObject, Pause } from '@sluice/schema'
import { flow } from '../../support/flow.ts'
import type { Scene, World } from '../executing.ts'
import { absent, elsewhere, elsewhereHeld, full, general, outages } from './refusals.ts'

const workflow = '01k2v9m3h5rj6tx'
const run = '01k2v9n0b4xwt7c'
const session = '01k2v9p7f0gh5yw'

const fields = (...names: string[]): string => JSON.stringify({ type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) })

const bot: JsonObject = {
  name: 'Greeter',
  definition: {
    spur_type: 'chatbot',
    nodes: [
      { id: 'input_node', title: 'input_node', node_type: 'InputNode', config: { output_json_schema: fields('user_message', 'session_id') } },
      { id: 'greet', title: 'greet', node_type: 'template', config: { text: 'Hello! What can I do for you?' } },
      {
        id: 'output_node',
        title: 'output_node',
        node_type: 'OutputNode',
        config: { output_map: { assistant_message: 'greet.text' }, output_json_schema: fields('assistant_message') },
      },
    ],
    links: [
      { source_id: 'input_node', target_id: 'greet' },
      { source_id: 'greet', target_id: 'output_node' },
    ],
  },
}

/** The run that stands for the one of the examples: it waits for a person. */
async function paused(world: World): Promise<string> {
  const { id } = await world.say('startRun')
  await world.server.wait(id, 'parked')
  world.real.set(run, id)
  return id
}

async function approved(world: World): Promise<void> {
  const id = await paused(world)
  await world.say('processPauseAction')
  await world.server.wait(id)
}

/** Says yes to the next pause that opens. */
async function approve({ server }: World): Promise<void> {
  const end = Date.now() + 30_000
  for (;;) {
    const { items } = await server.call<{ items: Pause[] }>('GET', '/v1/pauses?status=open&limit=100')
    for (const pause of items) await server.decide(pause, 'approve')
    if (items.length > 0) return
    if (Date.now() > end) throw new Error('no pause was opened within 30 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A conversation in which both sides have said something. */
async function talked(world: World): Promise<void> {
  const { id } = await world.say('createWorkflow', () => ({ body: bot }))
  const made = await world.say('createSession', ({ body }) => ({ body: { ...(body as object), workflow_id: id } }))
  const { id: started } = await world.say('startRun', ({ path }) => ({
    path: { ...path, workflow_id: id },
    body: { initial_inputs: { input_node: { user_message: 'Hello', session_id: made.id } } },
  }))
  await world.server.wait(started)
  world.real.set(session, made.id)
}

/** The workflow of the examples without its approval. */
async function inputAlone(world: World): Promise<string> {
  const { id } = await world.say('createWorkflow', ({ body }) => {
    const { definition, ...rest } = body as { definition: { nodes: Json[] } }
    return { body: { ...rest, definition: { ...definition, nodes: definition.nodes.slice(0, 1), links: [] } } }
  })
  return id
}

export const pyspur: Scene = {
  dialect: 'pyspur',
  async begin(world) {
    const made = await world.say('createWorkflow')
    world.real.set(workflow, made.id)
  },
  steps: [
    { operation: 'createWorkflow' },
    { operation: 'listWorkflows' },
    { operation: 'getWorkflow' },
    { operation: 'updateWorkflow' },
    { operation: 'duplicateWorkflow' },
    { operation: 'uploadTestFiles', form: { workflow_id: workflow, node_id: 'input_node', files: { file: '%PDF-1.4', name: 'invoice.pdf', type: 'application/pdf' } } },
    {
      operation: 'getTestFile',
      async ready(world) {
        const form = { workflow_id: workflow, node_id: 'input_node', files: { file: '%PDF-1.4', name: 'invoice.pdf', type: 'application/pdf' } }
        const { input_node: paths } = await world.say('uploadTestFiles', () => ({ content: 'multipart/form-data', body: { ...form, workflow_id: world.real.get(workflow)! } }))
        world.real.set('20260131_120000_01k2v9m5c2dn4fs.pdf', paths[0].split('/').at(-1))
      },
    },
    // While no other run is under way.
    { operation: 'getWorkflowRuns', ready: approved },
    { operation: 'listRuns' },
    { operation: 'runWorkflow', meanwhile: approve },
    {
      operation: 'getRunChildren',
      async ready(world) {
        const parent = await world.server.workflow(
          flow({ in: 'input', all: { type: 'subworkflow', config: { workflow: world.real.get(workflow)!, input: { input_1: 'Hello' } } } }, ['in > all']),
        )
        const { id } = await world.server.start(parent)
        await approve(world)
        await world.server.wait(id)
        world.real.set(run, id)
      },
    },
    { operation: 'startRun' },
    { operation: 'listPausedWorkflows', ready: async (world) => void (await paused(world)) },
    { operation: 'processPauseAction', ready: async (world) => void (await paused(world)) },
    { operation: 'getPauseHistory', ready: approved },
    { operation: 'runWorkflowV2' },
    { operation: 'runPartialWorkflow' },
    { operation: 'getWorkflowVersions' },
    { operation: 'getRun', ready: approved },
    { operation: 'getRunStatus' },
    { operation: 'getRunStatusOfDeployment' },
    { operation: 'getRunTasks' },
    { operation: 'cancelWorkflow', ready: async (world) => void (await paused(world)) },
    { operation: 'deleteRun' },
    {
      operation: 'getWorkflowOutputVariables',
      // Of a node that no link leaves alone.
      ready: async (world) => void world.real.set(workflow, await inputAlone(world)),
    },
    { operation: 'getSession', ready: talked },
    { operation: 'listSessions' },
    { operation: 'createSession' },
    { operation: 'createTestSession' },
    { operation: 'deleteSession' },
    { operation: 'getSupportedNodeTypes' },
    { operation: 'resetWorkflow' },
    { operation: 'deleteWorkflow' },
  ],
  refusals: {
    ...general,
    input_invalid: ({ query }) => ({ query: { ...query, '\u0000': 'x' } }),
    file_missing: elsewhere('name'),
    run_not_paused: async ({ path }, world) => {
      const workflow_id = await inputAlone(world)
      const { id } = await world.say('runWorkflowV2', (asked) => ({ path: { ...asked.path, workflow_id } }))
      return { path: { ...path, run_id: id } }
    },
    pause_decided: async ({ path, body }, world) => {
      const { id: run_id } = await world.say('runWorkflowV2')
      await world.say('processPauseAction', (asked) => ({ path: { ...asked.path, run_id } }))
      await world.server.wait(run_id)
      return { path: { ...path, run_id }, body: { ...(body as object), action: 'DECLINE' } }
    },
    run_live: async ({ path }, world) => ({ path: { ...path, run_id: (await world.say('runWorkflowV2')).id } }),
    workflow_missing: elsewhere('workflow_id'),
    run_missing: elsewhere('run_id'),
    session_missing: ({ path, body }, _, operation) =>
      operation === 'deleteSession'
        ? { path: { ...path, session_id: absent } }
        : { body: { ...(body as object), initial_inputs: { input_node: { user_message: 'Hello', session_id: absent } } } },
  },
  apart: [
    { operations: ['startRun'], at: 'outputs', because: 'it may have gone on already', sometimes: true },
    { operations: ['startRun'], at: 'tasks', because: 'it may have gone on already', sometimes: true },
    { at: 'detail[].loc', because: 'the place differs with the fault: the parameter, the field, or the position in the text' },
    { operations: ['getSupportedNodeTypes'], at: 'Logic[].config', because: 'is a JSON Schema, another for each type' },
    { operations: ['getSupportedNodeTypes'], at: 'Input/Output', because: 'of the palette one category is shown' },
    { operations: ['getSupportedNodeTypes'], at: 'AI', because: 'of the palette one category is shown' },
    { operations: ['getSupportedNodeTypes'], at: 'Code Execution', because: 'of the palette one category is shown' },
    { operations: ['getSupportedNodeTypes'], at: 'Experimental', because: 'of the palette one category is shown' },
  ],
  unreached: [
    ...outages,
    full,
    ...elsewhereHeld(
      'test/dialects/pyspur',
      'workflow_in_code',
      'files_full',
      'file_too_large',
      'pause_missing',
      'pause_ambiguous',
      'definition_invalid',
      'run_is_child',
      'id_taken',
    ),
  ],
}

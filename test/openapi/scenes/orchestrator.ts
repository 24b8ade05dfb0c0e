import { elsewhere, elsewhereHeld, full, general, outages } from './refusals.ts'
import type { Scene, World } from '../executing.ts'

const workflow = '0mfq3k7x9tdv2ab'
const node = '0mfq3k8d4pz6hce'
const counter = '0mfq3k8a1rw5jgy'
const connection = '0mfq3k9b7nc3edw'
const task = '0mfq3kc2p8xr5ty'
const file = '0mfq3kf8v6sd2qa'

const template = { key: 'template', file: { file: 'Hello', name: 'hello.txt', type: 'text/plain' } }

/** A workflow of a counter that leads to a request. */
async function drawn(world: World): Promise<void> {
  const { real } = world
  real.set(workflow, (await world.say('createWorkflow')).id)
  real.set(
    counter,
    (
      await world.say('addNode', () => ({
        body: { nodeTemplate: 'counter', position: { x: 100, y: 100 }, form_values: { min_value: 0, max_value: 10, direction: 'increment', step: 1 } },
      }))
    ).id,
  )
  real.set(node, (await world.say('addNode')).id)
}

async function connected(world: World): Promise<void> {
  await drawn(world)
  world.real.set(connection, (await world.say('createConnection')).id)
}

/** The node before has been tried. */
async function tried(world: World): Promise<void> {
  await connected(world)
  await world.say('executeAndSaveNode', () => ({ body: { node_id: world.real.get(counter)! } }))
}

/** The workflow of the example that has no connections: a request alone. */
async function alone(world: World): Promise<void> {
  world.real.set(workflow, (await world.say('createWorkflow')).id)
  world.real.set(node, (await world.say('addNode')).id)
}

async function ran(world: World): Promise<void> {
  await alone(world)
  const { task_id } = await world.say('startExecution')
  await world.server.wait(task_id)
  world.real.set(task, task_id)
}

async function running(world: World): Promise<void> {
  world.real.set(workflow, (await world.say('createWorkflow')).id)
  await world.say('addNode', () => ({ body: { nodeTemplate: 'static-delay-node', position: { x: 0, y: 0 }, form_values: { interval: 1, unit: 'hours' } } }))
  const { task_id } = await world.say('startExecution')
  await world.server.wait(task_id, 'parked')
}

async function attached(world: World): Promise<void> {
  await alone(world)
  const { id } = await world.say('uploadNodeFile', () => ({ content: 'multipart/form-data', body: template }))
  world.real.set(file, id)
}

/** Logs in anew: what it is used for may end it. */
async function loggedIn(world: World): Promise<void> {
  const { refresh } = await world.say('login')
  world.real.set('rt_1xk8w2c0', refresh)
}

export const orchestrator: Scene = {
  dialect: 'orchestrator',
  async begin(world) {
    world.real.set('https://api.example.com', `${world.server.toy.url}/ok/orders`)
    await alone(world)
  },
  steps: [
    { operation: 'createWorkflow' },
    { operation: 'listWorkflows' },
    { operation: 'getWorkflow' },
    { operation: 'updateWorkflow' },
    { operation: 'duplicateWorkflow' },
    { operation: 'activateWorkflow' },
    { operation: 'deactivateWorkflow' },
    { operation: 'patchWorkflow' },
    { operation: 'getRawConfig', ready: alone },
    { operation: 'listNodes' },
    { operation: 'createNode' },
    { operation: 'addNode' },
    { operation: 'getNode' },
    { operation: 'updateNode' },
    { operation: 'patchNode' },
    { operation: 'updateNodePosition' },
    { operation: 'getCanvasData', ready: connected },
    { operation: 'listConnections' },
    { operation: 'getConnection' },
    { operation: 'updateConnection' },
    { operation: 'patchConnection' },
    { operation: 'deleteConnection' },
    { operation: 'createConnection', ready: drawn },
    { operation: 'removeConnection', ready: connected },
    { operation: 'addConnection' },
    { operation: 'startExecution', ready: alone },
    { operation: 'postStartExecution' },
    { operation: 'getTaskStatus', ready: ran },
    { operation: 'getCeleryTaskStatus' },
    { operation: 'stopExecution', ready: running },
    { operation: 'postStopExecution', ready: running },
    { operation: 'executeAndSaveNode', ready: alone },
    { operation: 'getNodeOutput' },
    { operation: 'getNodeInput', ready: tried },
    { operation: 'listNodeFiles', ready: attached },
    { operation: 'getNodeFile' },
    { operation: 'updateNodeFile', form: template },
    { operation: 'patchNodeFile', form: template },
    { operation: 'deleteNodeFile' },
    { operation: 'uploadNodeFile', form: template },
    { operation: 'removeNode' },
    { operation: 'deleteNode', ready: alone },
    { operation: 'deleteWorkflow' },
    { operation: 'getNodeTree' },
    { operation: 'listNodeTypes' },
    { operation: 'countNodeTypes' },
    { operation: 'refreshNodeTypes' },
    { operation: 'getNodeType' },
    { operation: 'getNodeForm' },
    { operation: 'executeNodeType' },
    { operation: 'resetNodeSession', ready: async (world) => void (await world.say('executeNodeType')) },
    { operation: 'getFieldOptions' },
    {
      operation: 'postWebhook',
      async ready(world) {
        await alone(world)
        await world.say('addNode', () => ({ body: { nodeTemplate: 'webhook-producer', position: { x: 0, y: 0 }, form_values: { webhook_id: 'orders' } } }))
        await world.say('startExecution')
      },
    },
    { operation: 'login' },
    { operation: 'refreshToken', ready: loggedIn },
    { operation: 'getMe' },
    { operation: 'logout', ready: loggedIn },
  ],
  refusals: {
    ...general,
    input_invalid: ({ query }) => ({ query: { ...query, '\u0000': 'x' } }),
    'credential_invalid of refreshToken': () => ({ body: { refresh: 'rt_another' } }),
    webhook_missing: ({ path }) => ({ path: { ...path, webhook_id: 'not a name' } }),
    workflow_missing: elsewhere('workflow_id'),
    node_missing: elsewhere('node_id'),
    link_missing: elsewhere('connection_id'),
    file_missing: elsewhere('file_id'),
    node_type_missing: elsewhere('identifier'),
    run_missing: ({ query }) => ({ query: { ...query, task_id: '0mfq3absent0000' } }),
    login_failed: ({ body }) => ({ body: { ...(body as object), password: 'another' } }),
  },
  apart: [
    { at: 'details', because: 'is free JSON: what more is known of this fault' },
    { operations: ['getNodeInput'], at: 'input_data', because: 'is what the node before has given' },
    { operations: ['getCeleryTaskStatus'], at: '**.http_request.headers', because: 'is what the service sent' },
    { operations: ['getCeleryTaskStatus'], at: '**.http_request.body', because: 'is what the service sent' },
    { at: 'resource_type', because: 'rows of one node say of what kind it is that is missing' },
    { at: 'identifier', because: 'rows of one type say which is missing' },
    { at: 'output.data.http_request.headers', because: 'is what the service sent' },
    { at: 'output.data.http_request.body', because: 'is what the service sent' },
    { at: 'output_data.http_request.headers', because: 'is what the service sent' },
    { at: 'output_data.http_request.body', because: 'is what the service sent' },
    ...['Counter', 'Data', 'System', 'Logical', 'Delay', 'Loop', 'Store', 'Browser', 'WebPageParsers', 'GoogleSheets'].map((at) => ({
      operations: ['getNodeTree'],
      at,
      because: 'of the tree one folder is shown',
    })),
    { operations: ['listNodeTypes'], at: '[].type', because: 'of the types one is shown' },
    { operations: ['listNodeTypes'], at: '[].input_ports', because: 'of the types one is shown, which has an input' },
    { operations: ['listNodeTypes'], at: '[].form_class', because: 'of the types one is shown, which has a form' },
    { operations: ['getNodeForm'], at: 'form.fields[]', because: 'of the fields one is shown; another kind of field says other things' },
  ],
  unreached: [
    ...outages,
    full,
    { code: '', operations: ['register'], because: 'has no example: it only ever refuses' },
    { code: 'media_unsupported', operations: ['postWebhook'], because: 'a webhook takes whatever is sent' },
    { code: 'node_type_missing', operations: ['resetNodeSession'], because: 'a session that is not there is none to be ended, whatever its type' },
    ...elsewhereHeld('test/dialects/orchestrator', 'workflow_in_code', 'definition_invalid', 'key_taken', 'file_too_large', 'files_full'),
  ],
}

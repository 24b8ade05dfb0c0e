import { createClient, type Sluice } from '@sluice/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { approval, flow } from '../../support/flow.ts'
import { asks, begins, definitionOf, drawn, ends, link } from './editor.ts'
import { type PySpur, pyspurServer } from './server.ts'

/** One engine behind both: what one API makes, the other sees, runs, watches and decides, in its own words. */

let spur: PySpur
let sluice: Sluice
beforeAll(async () => {
  spur = await pyspurServer()
  sluice = createClient({ url: spur.server.url, token: spur.server.token })
})
afterAll(() => spur?.[Symbol.asyncDispose]())

const approved = definitionOf({
  nodes: [
    begins({ text: 'string' }),
    asks('ask', 'Is this good?'),
    drawn('note', 'StaticValueNode', { values: { n: 1 } }),
    ends({ said: 'ask.input_node.text', remark: 'ask.remark', n: 'note.n' }),
  ],
  links: [link('input_node', 'ask'), link('ask', 'OutputNode_1'), link('input_node', 'note'), link('note', 'OutputNode_1')],
})

test('a workflow made in the words of PySpur is seen, run, watched and decided by the SDK, and PySpur tells of it', async () => {
  const { body: made } = await spur.call('POST', '/wf/', { name: 'Made there', description: 'In other words', definition: approved })
  const seen = await sluice.workflows.get({ workflow: made.id })
  expect(seen).toMatchObject({ name: 'Made there', description: 'In other words', draft: { settings: { join: 'all', onFailure: 'continue' } } })
  expect(seen.draft.nodes.map(({ type, title }) => [type, title])).toEqual([
    ['InputNode', 'input_node'],
    ['HumanInterventionNode', 'ask'],
    ['StaticValueNode', 'note'],
    ['OutputNode', 'OutputNode_1'],
  ])

  const run = await sluice.workflow(seen.handle).start({ text: 'Hello' })
  const watched: string[] = []
  const watching = (async () => {
    for await (const event of run.events()) watched.push('nodeId' in event && typeof event.nodeId === 'string' ? `${event.type} ${event.nodeId}` : event.type)
  })()
  await run.wait({ until: 'paused' })
  const { body: paused } = await spur.call('GET', `/run/${run.id}/status/`)
  expect(paused).toMatchObject({
    id: run.id,
    workflow_id: made.id,
    status: 'PAUSED',
    initial_inputs: { input_node: { text: 'Hello' } },
    outputs: { ask: { input_node: { text: 'Hello' } }, note: { n: 1 } },
  })
  expect((await spur.call('GET', '/wf/paused_workflows/')).body[0]).toMatchObject({ run: { id: run.id }, current_pause: { node_id: 'ask', pause_message: 'Is this good?' } })

  const decided = await run.approve('ask', { inputs: { remark: 'Very' }, comments: 'by the SDK', label: 'Grace' })
  expect(decided.decision).toMatchObject({ action: 'approve', inputs: { remark: 'Very' } })
  expect(await run.result({ timeoutMs: 20_000 })).toEqual({ said: 'Hello', remark: 'Very', n: 1 })
  await watching
  expect(watched).toEqual(expect.arrayContaining(['run.queued', 'step.completed note', 'step.completed ask', 'run.completed']))
  expect(watched.at(-1)).toBe('run.completed')

  const { body: ended } = await spur.call('GET', `/run/${run.id}/`)
  expect(ended).toMatchObject({ status: 'COMPLETED', percentage_complete: 100, outputs: { OutputNode_1: { said: 'Hello', remark: 'Very', n: 1 } } })
  expect((await spur.call('GET', `/wf/pause_history/${run.id}/`)).body).toEqual([
    expect.objectContaining({ id: `PH_${decided.id}`, resume_action: 'APPROVE', resume_user_id: 'Grace', comments: 'by the SDK' }),
  ])
  // Asked in the words of PySpur for what the SDK has decided: the same is told, another is told who was first.
  const body = { inputs: { remark: 'Very' }, user_id: 'Grace', action: 'APPROVE', comments: 'by the SDK' }
  expect((await spur.call('POST', `/wf/process_pause_action/${run.id}/`, body)).status).toBe(200)
  expect(await spur.call('POST', `/wf/process_pause_action/${run.id}/`, { ...body, action: 'DECLINE' })).toMatchObject({
    status: 409,
    body: { detail: expect.stringContaining('Grace') },
  })
})

test('a workflow made by the SDK is seen, run, watched and decided in the words of PySpur, and the SDK sees who decided', async () => {
  const made = await sluice.workflows.create({
    name: 'Made here',
    definition: flow({ in: 'input', ask: approval({ title: 'The question' }), out: 'output' }, ['in > ask > out']),
  })
  const { body: seen } = await spur.call('GET', `/wf/${made.id}/`)
  expect(seen).toMatchObject({
    id: made.id,
    name: 'Made here',
    definition: {
      spur_type: 'workflow',
      links: [
        { source_id: 'in', target_id: 'ask' },
        { source_id: 'ask', target_id: 'out' },
      ],
    },
  })
  expect(seen.definition.nodes.map((node: { node_type: string; title: string }) => [node.node_type, node.title])).toEqual([
    ['input', 'in'],
    ['human', 'The question'],
    ['output', 'out'],
  ])
  expect((await spur.call('GET', '/wf/')).body.map(({ id }: { id: string }) => id)).toContain(made.id)

  const { body: started } = await spur.call('POST', `/wf/${made.id}/start_run/?run_type=interactive`, { initial_inputs: { in: { text: 'Hello' } } })
  const run = await sluice.run(started.id)
  await run.wait({ until: 'paused' })
  expect(run.run).toMatchObject({ status: 'waiting', trigger: 'interactive', workflowId: made.id })
  const { body: looked } = await spur.call('GET', `/run/${started.id}/status/`)
  expect(looked).toMatchObject({ status: 'PAUSED', workflow_version: { version: 1 } })
  const body = { inputs: { text: 'Mine' }, user_id: 'Ada', action: 'OVERRIDE', comments: 'better' }
  expect((await spur.call('POST', `/wf/process_pause_action/${started.id}/`, body)).body.id).toBe(started.id)
  expect(await run.result({ timeoutMs: 20_000 })).toEqual({ text: 'Mine' })
  const [pause] = (await sluice.pauses.list({ runId: started.id })).items
  expect(pause).toMatchObject({ nodeId: 'ask', status: 'overridden', decision: { action: 'override', inputs: { text: 'Mine' }, comments: 'better', by: { label: 'Ada' } } })
  const events = (await sluice.runs.events({ id: started.id })).items
  expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['pause.opened', 'pause.decided', 'run.completed']))

  // Saved by an editor of PySpur's as it was shown: what that cannot say is still there.
  const kept = await sluice.workflows.get({ workflow: made.id })
  await spur.call('PUT', `/wf/${made.id}/`, { name: seen.name, description: '', definition: seen.definition })
  expect((await sluice.workflows.get({ workflow: made.id })).draft).toMatchObject(kept.draft)
})

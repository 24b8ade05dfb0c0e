import { expect, test } from 'vitest'
import { completedBy, isOf, lines, watch } from '../dialects/orchestrator/socket.ts'
import { createRig } from '../support/rig.ts'

test('who watches a server that is killed with -9 goes on with another: each node is known once, and none is missing', { timeout: 90_000 }, async () => {
  await using rig = await createRig()
  const killed = await rig.serve()
  const steps = ['first', 'second', 'third']
  const flow = await rig.chain(steps)
  rig.receiver.before = ({ step }) => (step === 'second' && rig.receiver.calls.length === 2 ? new Promise(() => {}) : null)
  const run = await killed.begin(flow)
  await rig.receiver.called('second')
  const before = watch(killed.url, flow, { token: killed.token })
  const state = await before.told('the state', isOf('state_sync'))
  expect(state).toMatchObject({ state: { status: 'running', executing_nodes: { second: {} }, completed_nodes: [{ node_id: 'first' }] } })
  await killed.kill()
  expect(await before.closed()).toBe(1006)

  // As the front end does: it comes again, and reads the state.
  const next = await rig.serve()
  const after = watch(next.url, flow, { token: next.token })
  expect(await after.told('the state', isOf('state_sync'))).toMatchObject({ state: { status: 'running', completed_nodes: [{ node_id: 'first' }] } })
  await rig.ended([run], 40_000)
  await after.told('the end', isOf('workflow_completed'))
  expect(completedBy(after.messages)).toEqual(steps)
  // The step that was lost with its worker begins once more, and that is no news.
  expect(lines(after.messages)).toEqual(['state running', 'node_completed second', 'node_started third', 'node_completed third', 'workflow_completed'])
})

test('a server that leaves closes its sockets with 1012, and the run that it hands over is told by the other without a gap', { timeout: 90_000 }, async () => {
  await using rig = await createRig()
  const [leaving, staying] = [await rig.serve(), await rig.serve()]
  const steps = ['first', 'second', 'third']
  const flow = await rig.chain(steps)
  let goOn = (): void => {}
  rig.receiver.before = ({ step }) => (step === 'second' ? new Promise((resolve) => (goOn = () => resolve(undefined))) : null)
  const run = await leaving.begin(flow)
  await rig.receiver.called('second')
  const [one, other] = [watch(leaving.url, flow, { token: leaving.token }), watch(staying.url, flow, { token: staying.token })]
  for (const watcher of [one, other]) await watcher.told('the state', isOf('state_sync'))
  leaving.program.kill('SIGTERM')
  expect(await one.closed()).toBe(1012)
  goOn()
  rig.receiver.before = () => null
  await rig.ended([run], 40_000)
  await other.told('the end', isOf('workflow_completed'))
  expect(completedBy(other.messages)).toEqual(steps)
})

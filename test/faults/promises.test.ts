import type { Run } from '@sluice/schema'
import { expect, test } from 'vitest'
import { here } from '../support/processes.ts'
import { createRig, type Rig, type Server } from '../support/rig.ts'

/** What is promised for later is kept by whichever server is there then: the one that promised it is killed with -9 when all of these have been. */

/** A server that starts on a busy machine looks at what is due so late at most. */
const lateMs = 20_000

const start = async (server: Server, workflow: string, more: object = {}): Promise<Run> => {
  const { status, body } = await server.start(workflow, more)
  if (status !== 201) throw new Error(`${workflow}: ${status} ${JSON.stringify(body)}`)
  return body
}

const look = async (server: Server, { id }: Run): Promise<Run> => (await server.call<Run>('GET', `/v1/runs/${id}`)).body

/** What was called for a run, with the milliseconds since its first call. */
function callsOf({ receiver }: Rig, { id }: Run): { step: string; key: string; after: number }[] {
  const calls = receiver.calls.filter(({ key }) => key.startsWith(`${id}/`))
  return calls.map(({ step, key, at }) => ({ step, key, after: at - calls[0]!.at }))
}

const parked = ({ database }: Rig, { id }: Run): Promise<boolean> =>
  database.query<{ status: string }>('select status from runs where id = $1', [id]).then(([row]) => row?.status === 'waiting')

const took = ({ startedAt, endedAt }: Run): number => Date.parse(endedAt!) - Date.parse(startedAt!)

test('time-outs, retries, reminders, sleeps, what is kept for so long and what waits to be asked for survive kill -9', { timeout: 180_000 }, async () => {
  await using rig = await createRig()
  const env = { SLUICE_WORKFLOWS: here('../faults/workflows'), SERVICE_URL: rig.receiver.url }
  const killed = await rig.serve({ env })
  // The first call of these breaks off.
  rig.receiver.before = ({ step, key }) => {
    if ((step === 'try' || step === 'ask') && rig.receiver.calls.filter((call) => call.key === key).length === 1) throw new Error('broken off')
  }
  const [gone, stays] = [await start(killed, 'brief'), await start(killed, 'brief')]
  await killed.call('POST', '/v1/signals', { runId: gone.id, name: 'go' })
  await rig.ended([gone.id], 20_000)
  const names = ['unreported', 'bounded', 'tried', 'reminded', 'asleep', 'napping'] as const
  const begun = await Promise.all(names.map(async (name) => [name, await start(killed, name)] as const))
  const runs = Object.fromEntries(begun) as Record<(typeof names)[number], Run>
  const [byHand, byName] = await Promise.all([start(killed, 'asked', { transactionId: 'by hand' }), start(killed, 'asked', { transactionId: 'by name' })])
  const waiting = [stays, byHand, byName, ...Object.values(runs)]
  await rig.until('all wait', async () => (await Promise.all(waiting.map((run) => parked(rig, run)))).every((is) => is), 10_000)
  await killed.kill()
  const asLeft = rig.receiver.calls.length
  expect(rig.receiver.keys().sort()).toEqual(
    [
      `${runs.unreported.id}/reserve/-`,
      `${runs.unreported.id}/ship/-`,
      `${runs.bounded.id}/hold/-`,
      `${runs.tried.id}/try/-`,
      `${runs.reminded.id}/remind/-`,
      `${byHand.id}/ask/-`,
      `${byName.id}/ask/-`,
    ].sort(),
  )
  expect(asLeft).toBe(7)

  const [nap] = await rig.database.query<{ due_at: Date }>('select due_at from timers where run_id = $1', [runs.napping.id])
  await new Promise((resolve) => setTimeout(resolve, nap!.due_at.getTime() + 500 - Date.now()))
  // Two come, and each thing is done by one of them.
  const [server, other] = await Promise.all([rig.serve({ env }), rig.serve({ env })])

  await rig.until('what was kept for long enough is gone', async () => (await server.call('GET', `/v1/runs/${gone.id}`)).status === 404, lateMs)
  expect(await look(server, stays)).toMatchObject({ status: 'waiting' })

  await rig.ended([runs.unreported.id, runs.bounded.id, runs.tried.id, runs.asleep.id, runs.napping.id], 12_000 + lateMs + 20_000)
  const unreported = await look(server, runs.unreported)
  expect(unreported).toMatchObject({ status: 'compensated', reason: { code: 'timed_out', step: 'ship' } })
  expect(callsOf(rig, unreported).map(({ step }) => step)).toEqual(['reserve', 'ship', 'release'])
  const bounded = await look(server, runs.bounded)
  expect(bounded).toMatchObject({ status: 'compensated', reason: { code: 'timed_out' } })
  expect(callsOf(rig, bounded).map(({ step }) => step)).toEqual(['hold', 'free'])
  const tried = await look(server, runs.tried)
  expect(tried).toMatchObject({ status: 'completed' })
  const [, again, ...more] = callsOf(rig, tried)
  expect([again, more]).toEqual([{ step: 'try', key: `${tried.id}/try/-`, after: expect.any(Number) as number }, []])
  expect(again!.after).toBeGreaterThanOrEqual(11_900)
  const asleep = await look(server, runs.asleep)
  expect(callsOf(rig, asleep).map(({ step }) => step)).toEqual(['wake'])
  expect(callsOf(rig, runs.napping).map(({ step }) => step)).toEqual(['nap'])
  for (const run of [unreported, bounded, tried, asleep]) {
    expect(took(run)).toBeGreaterThanOrEqual(11_900)
    expect(took(run)).toBeLessThan(12_000 + lateMs)
  }

  await rig.until('it was reminded twice', () => callsOf(rig, runs.reminded).length >= 3, lateMs)
  const [first, second, third, ...rest] = callsOf(rig, runs.reminded)
  expect(new Set([first!.key, second!.key, third!.key]).size).toBe(1)
  // Of reminders the second comes so long after the first one, however late that was.
  expect(second!.after).toBeGreaterThanOrEqual(6_900)
  expect(third!.after - second!.after).toBeGreaterThanOrEqual(6_900)
  expect(rest).toEqual([])
  // It was twice: there will be no third.
  await rig.until('it waits without end', () => parked(rig, runs.reminded), lateMs)
  expect(await rig.database.query('select kind, due_at from timers where run_id = $1', [runs.reminded.id])).toEqual([])
  const told = await other.call('POST', '/v1/steps/report', { run: { id: runs.reminded.id }, step: 'remind', outcome: 'completed' })
  expect(told.status).toBe(200)

  // What waits to be asked for has waited all the while.
  expect([byHand, byName].map((run) => callsOf(rig, run).length)).toEqual([1, 1])
  expect(await look(server, byHand)).toMatchObject({ status: 'waiting', waitingOn: [{ kind: 'retry', step: 'ask' }] })
  expect((await server.call('POST', `/v1/runs/${byHand.id}/retry-step`, { step: 'ask' })).status).toBe(200)
  expect((await start(other, 'asked', { transactionId: 'by name' })).id).toBe(byName.id)
  await server.call('POST', '/v1/signals', { runId: stays.id, name: 'go' })
  await rig.ended([byHand.id, byName.id, runs.reminded.id, stays.id], 20_000)
  for (const run of [byHand, byName, runs.reminded]) expect(await look(server, run)).toMatchObject({ status: 'completed' })
  expect([byHand, byName].map((run) => callsOf(rig, run).map(({ key }) => key))).toEqual([byHand, byName].map(({ id }) => [`${id}/ask/-`, `${id}/ask/-`]))
})

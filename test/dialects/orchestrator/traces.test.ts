import type { Run, RunEvent } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Message } from '../../../packages/server/src/dialects/orchestrator/messages.ts'
import { messageOf } from '../../../packages/server/src/dialects/orchestrator/stream.ts'
import { long } from '../../support/effort.ts'
import { createRig, type Rig, type Server } from '../../support/rig.ts'
import { type Canvas, draw } from './canvas.ts'
import { clientOf, ok, type Orchestrator, orchestratorServer } from './server.ts'
import { isOf, isState, watch, type Watcher } from './socket.ts'
import { byNode, counter, gives, linesOf, type Trace, traces } from './traces.ts'

/** Executions as tables, told as they are to the end; and told on by another server when the first was killed in the middle. */

const isEnd = (message: Message): boolean => isOf('workflow_completed')(message) || isOf('workflow_failed')(message)

describe('of a workflow its clients are told', () => {
  let flows: Orchestrator
  beforeAll(async () => {
    flows = await orchestratorServer()
  })
  afterAll(() => flows[Symbol.asyncDispose]())

  test.for(traces.map((trace) => [trace.what, trace] as const))('%s', async ([, trace]) => {
    const canvas = await draw(flows, trace)
    const watcher = watch(flows.server.url, canvas.id, { token: flows.server.token })
    await watcher.told('the idle state', isState('idle'))
    await ok(flows.call('GET', `${canvas.at}/start_execution/`))
    await watcher.told('the end', isEnd)
    const told = linesOf(watcher.messages, canvas, trace.shows)
    if (trace.beside) expect(byNode(told)).toEqual(byNode(trace.told))
    else expect(told).toEqual(trace.told)
  })
})

// ── when the server is killed ──────────────────────────────────────────────────────────────────────────────────────────

/** A workflow that goes on, and its client, which comes back to another server when it loses the one that it watched. */
interface Followed {
  trace: Trace
  canvas: Canvas
  before: Watcher
  after?: Watcher
}

const clientAt = ({ url, token }: Server) => clientOf(url, token)
const watchAt = ({ url, token }: Server, { id }: Canvas): Watcher => watch(url, id, { token })

/** Drawn, and watched. */
async function follow(server: Server, trace: Trace): Promise<Followed> {
  const canvas = await draw(clientAt(server), trace, trace.what.slice(0, 100))
  const before = watchAt(server, canvas)
  await before.told('the idle state', isState('idle'))
  return { trace, canvas, before }
}

/** Everything that was recorded of a run. */
async function recordOf({ call }: Server, run: string): Promise<RunEvent[]> {
  const all: RunEvent[] = []
  for (;;) {
    const { body } = await call<{ items: RunEvent[] }>('GET', `/v1/runs/${run}/events?after=${all.at(-1)?.seq ?? 0}&limit=100`)
    all.push(...body.items)
    if (body.items.length < 100) return all
  }
}

/** Steps whose result is recorded more often than once. */
function twiceIn(record: readonly RunEvent[]): string[] {
  const settled = record.flatMap((event) => (event.type === 'step.completed' || event.type === 'step.failed' ? [`${event.nodeId}/${event.iteration}`] : []))
  return settled.filter((step, at) => settled.indexOf(step) !== at)
}

/** Resolves when the clients have read so many results of nodes. */
function reads(followed: readonly Followed[], results: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const isResult = ({ type }: Message): boolean => type === 'node_completed' || type === 'node_failed'
  const count = () => followed.reduce((sum, { before }) => sum + before.messages.filter(isResult).length, 0)
  for (const { before } of followed) before.socket.on('message', () => count() >= results && resolve())
  return promise
}

/** Lines that are told more often than they were recorded. */
function toldTooOften(told: readonly string[], record: readonly string[]): string[] {
  const left = [...record]
  return told.filter((line) => {
    const at = left.indexOf(line)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

/** What the node `seen` gave, where a message is of that. */
const seenIn = (message: Message): number | undefined => (message.type === 'node_completed' ? (message.output_data as { seen?: number } | undefined)?.seen : undefined)

describe('of workflows whose server is killed in the middle', () => {
  let rig: Rig
  beforeAll(async () => {
    rig = await createRig()
  })
  afterAll(() => rig[Symbol.asyncDispose]())

  test.for(long ? [20, 45, 70] : [30])(
    'when %i results were told: each comes to the same end elsewhere, with nothing recorded or told twice',
    { timeout: 180_000 },
    async (results) => {
      const first = await rig.serve()
      const followed: Followed[] = []
      for (const trace of traces) followed.push(await follow(first, trace))
      const enough = reads(followed, results)
      const asked = Promise.allSettled(followed.map(({ canvas }) => clientAt(first).call('GET', `${canvas.at}/start_execution/`)))
      const live = () => rig.database.query<{ id: string }>('select id from runs where ended_at is null')
      await enough
      // The first results may be told before a second run was begun.
      await vi.waitFor(async () => expect((await live()).length, 'some are in the middle').toBeGreaterThan(1), { timeout: 20_000, interval: 5 })
      await first.kill()
      await asked
      expect((await live()).length, 'some were in the middle').toBeGreaterThan(0)

      const second = await rig.serve()
      const client = clientAt(second)
      for (const each of followed) {
        await each.before.closed()
        each.after = watchAt(second, each.canvas)
        await each.after.told('the state', isOf('state_sync'))
      }
      for (const { trace, canvas, before, after } of followed) {
        // Whose start was lost asks again, as a client does that was not answered.
        const status = await client.call('GET', `${canvas.at}/task_status/`)
        const { task_id } = status.status === 200 ? status.body : await ok(client.call('GET', `${canvas.at}/start_execution/`))
        await rig.ended([task_id], 60_000)
        await after!.told('the end', (message) => isEnd(message) || isState('completed')(message) || isState('failed')(message))

        const record = await recordOf(second, task_id)
        expect(twiceIn(record), trace.what).toEqual([])
        const lines = linesOf(
          record.flatMap((event) => messageOf(event) ?? []),
          canvas,
          trace.shows,
        )
        expect(byNode(lines), trace.what).toEqual(byNode(trace.told))
        expect(
          toldTooOften(
            [...before.messages, ...after!.messages].flatMap((message) => linesOf([message], canvas, trace.shows)),
            lines,
          ),
          trace.what,
        ).toEqual([])
      }
    },
  )

  test('a counter of 1,000: each of its numbers is recorded once, and told once', { timeout: 180_000 }, async () => {
    // Of fewer a quick machine has told the last before the server is killed.
    const most = 1_000
    const first = await rig.serve()
    const canvas = await draw(clientAt(first), { nodes: { count: counter(1, most), seen: gives('{"seen": {{ data.counter.current }}}') }, connections: ['count > seen'] })
    const before = watchAt(first, canvas)
    await before.told('the idle state', isState('idle'))
    const { task_id } = await ok(clientAt(first).call('GET', `${canvas.at}/start_execution/`))
    await before.told('the 120th', (message) => message.type === 'node_completed' && seenIn(message) === 120)
    await first.kill()
    await before.closed()
    const [{ status } = { status: '' }] = await rig.database.query<{ status: string }>('select status from runs where id = $1', [task_id])
    expect(status).toBe('running')

    const second = await rig.serve()
    const after = watchAt(second, canvas)
    await rig.ended([task_id], 90_000)
    await after.told('the end', (message) => isEnd(message) || isState('completed')(message))
    const record = await recordOf(second, task_id)
    const numbers = Array.from({ length: most }, (_, at) => at + 1)
    expect(record.flatMap((event) => (event.type === 'step.completed' && event.nodeId === canvas.ids['seen'] ? [(event.output as { seen: number }).seen] : []))).toEqual(numbers)
    expect(twiceIn(record)).toEqual([])
    const told = [...before.messages, ...after.messages].flatMap((message) => seenIn(message) ?? [])
    expect(new Set(told).size, 'none is told twice').toBe(told.length)
    expect(told, 'in order').toEqual(told.toSorted((one, other) => one - other))
    expect((await second.call<Run>('GET', `/v1/runs/${task_id}`)).body.nodes.find(({ nodeId }) => nodeId === canvas.ids['seen'])).toMatchObject({ counts: { completed: most } })
  })

  test('one that takes what a webhook brings, and is stopped then: no delivery is lost or taken twice, and it is idle for who comes back', { timeout: 180_000 }, async () => {
    const first = await rig.serve()
    const canvas = await draw(clientAt(first), {
      nodes: { hook: ['webhook-producer', { webhook_id: 'traced' }], seen: gives('{"seen": {{ data.webhook.data.body.n }}}') },
      connections: ['hook > seen'],
    })
    const before = watchAt(first, canvas)
    await before.told('the idle state', isState('idle'))
    const { task_id } = await ok(clientAt(first).call('GET', `${canvas.at}/start_execution/`))
    await before.told('that it listens', (message) => message.type === 'node_started')
    for (let n = 1; n <= 20; n++) expect(await ok(clientAt(first).call('POST', '/webhooks/traced/', { n }), 202)).toMatchObject({ status: 'accepted', subscribers: 1 })
    await before.told('the fifth', (message) => seenIn(message) === 5)
    await first.kill()
    await before.closed()

    const second = await rig.serve()
    const client = clientAt(second)
    for (let n = 21; n <= 30; n++) await ok(client.call('POST', '/webhooks/traced/', { n }), 202)
    const after = watchAt(second, canvas)
    await after.told('the last', (message) => seenIn(message) === 30)
    expect(await ok(client.call('GET', `${canvas.at}/stop_execution/`))).toEqual({ task_id, status: 'REVOKED' })
    await rig.ended([task_id], 30_000)
    await after.told('the idle state', isState('idle'))
    expect(await ok(client.call('GET', `${canvas.at}/task_status/`))).toEqual({ task_id, status: 'REVOKED' })
    const record = await recordOf(second, task_id)
    expect(record.flatMap((event) => (event.type === 'step.completed' && event.nodeId === canvas.ids['seen'] ? [(event.output as { seen: number }).seen] : []))).toEqual(
      Array.from({ length: 30 }, (_, at) => at + 1),
    )
  })
})

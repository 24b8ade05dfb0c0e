import { createClient, InvalidError, type Sluice } from '@sluice/client'
import type { Page, Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, flow } from './support/flow.ts'
import { admin, refusal, type TestServer, testServer } from './support/server.ts'

let server: TestServer
let sluice: Sluice
let plain: string
let asking: string
/** By a name of ours, in the order they were made. */
const runs: Record<string, Run> = {}

beforeAll(async () => {
  server = await testServer()
  sluice = await createClient({ url: server.url }).auth.login(admin)
  plain = (await server.workflow(flow({ in: 'input', out: 'output' }, ['in > out']), 'Plain')).id
  asking = (await server.workflow(flow({ in: 'input', ask: approval({ config: { assignee: 'ann' } }), out: 'output' }, ['in > ask > out']), 'Asking')).id
  const failing = (await server.workflow(flow({ in: 'input', bad: { type: 'code', config: { source: 'throw new Error("bad")' } } }, ['in > bad']), 'Failing')).id
  const start = async (name: string, workflow: string, until: 'finished' | 'parked', more: object = {}): Promise<void> => {
    runs[name] = await server.start(workflow, { ...more, wait: { until, ms: 20_000 } })
  }
  await start('done', plain, 'finished', { tags: ['vip', 'a,b'] })
  await start('waiting', asking, 'parked', { tags: ['vip'], transactionId: 'order_1' })
  await start('failed', failing, 'finished', { trigger: 'schedule' })
  await start('held', asking, 'parked')
  await start('newest', plain, 'finished', { transactionId: 'order%1' })
  await server.call('POST', `/v1/runs/${runs['held']!.id}/hold`)
})
afterAll(() => server[Symbol.asyncDispose]())

const nameOf = (id: string): string => Object.entries(runs).find(([, run]) => run.id === id)![0]
const over = async (query: Record<string, string>): Promise<string[]> => {
  const { items } = await server.call<Page<Run>>('GET', `/v1/runs?${new URLSearchParams(query).toString()}`)
  return items.map(({ id }) => nameOf(id))
}

describe('runs over REST', () => {
  test.each<[string, Record<string, string>, string[]]>([
    ['newest first', {}, ['newest', 'held', 'failed', 'waiting', 'done']],
    ['by status as it is shown', { status: 'held' }, ['held']],
    ['by tag', { tag: 'vip' }, ['waiting', 'done']],
    ['by what they wait on', { waitingOn: 'pause' }, ['waiting']],
    ['a hold lies over what they wait on', { waitingOn: 'hold' }, ['held']],
    ['by trigger', { trigger: 'schedule' }, ['failed']],
    ['that are no rounds of a session', { where: '{"sessionId":{"ne":null}}' }, []],
    ['by where, as JSON', { where: '{"or":[{"status":{"in":["failed","held"]}},{"tags":{"has":"a,b"}}]}' }, ['held', 'failed', 'done']],
    ['a wildcard in a value is none', { where: '{"transactionId":{"like":"order\\\\%1"}}' }, ['newest']],
    ['by the code of their reason', { where: '{"reason":"step_failed"}' }, ['failed']],
    ['what has none is not forgotten', { where: '{"reason":{"ne":"step_failed"}}' }, ['newest', 'held', 'waiting', 'done']],
    ['in any order, null last', { order: 'transactionId,-created' }, ['newest', 'waiting', 'held', 'failed', 'done']],
    ['after an offset', { offset: '2', limit: '2' }, ['failed', 'waiting']],
  ])('%s', async (_, query, names) => {
    expect(await over(query)).toEqual(names)
  })

  test('by workflow, version and several statuses together', async () => {
    expect(await over({ workflow: 'asking', version: '1' })).toEqual(['held', 'waiting'])
    expect(await over({ workflow: 'asking', version: '2' })).toEqual([])
    const { items } = await server.call<Page<Run>>('GET', '/v1/runs?status=failed&status=completed&trigger=manual')
    expect(items.map(({ id }) => nameOf(id))).toEqual(['newest', 'done'])
  })

  test('between two times', async () => {
    const [from, to] = [runs['waiting']!.created, runs['held']!.created]
    expect(await over({ createdAfter: from, createdBefore: to })).toEqual(['failed', 'waiting'])
  })

  test('what is wrong is told with its place', async () => {
    const issuesOf = async (query: Record<string, string>): Promise<unknown[]> => {
      const { status, code, issues } = await refusal(server.call('GET', `/v1/runs?${new URLSearchParams(query).toString()}`))
      return [status, code, issues.map(({ path = [] }) => path.join('.'))]
    }
    expect(await issuesOf({ where: '{"or":[{"state":"failed"}]}' })).toEqual([400, 'input_invalid', ['where.or.0.state']])
    expect(await issuesOf({ where: '{"status":' })).toEqual([400, 'input_invalid', ['where']])
    expect(await issuesOf({ where: '"failed"' })).toEqual([400, 'input_invalid', ['where']])
    expect(await issuesOf({ order: 'created,-input' })).toEqual([400, 'input_invalid', ['order.1']])
    expect(await issuesOf({ offset: '100001' })).toEqual([400, 'input_invalid', ['offset']])
    const { nextCursor } = await server.call<Page<Run>>('GET', '/v1/runs?limit=1&order=-created')
    expect(await issuesOf({ cursor: nextCursor!, order: 'created' })).toEqual([400, 'cursor_invalid', []])
    expect(await issuesOf({ cursor: nextCursor!, order: '-created', offset: '1' })).toEqual([400, 'input_invalid', ['offset']])
  })
})

describe('lists of the SDK', () => {
  test('iterate over all pages in any order, from an offset too', async () => {
    const walked = async (filter: Parameters<Sluice['runs']['list']>[0]): Promise<string[]> => {
      const names: string[] = []
      for await (const { id } of sluice.runs.list({ ...filter, limit: 2 })) names.push(nameOf(id))
      return names
    }
    expect(await walked({ order: ['-endedAt', 'created'] })).toEqual(['waiting', 'held', 'newest', 'failed', 'done'])
    expect(await walked({ order: 'created', offset: 1 })).toEqual(['waiting', 'failed', 'held', 'newest'])
    expect(await walked({ where: { not: { tags: { has: 'vip' } }, status: { in: ['completed', 'failed'] } }, order: ['created'] })).toEqual(['failed', 'newest'])
  })

  test('tell where they were asked wrongly', async () => {
    const wrong = { where: { stat: 'failed' } } as object
    await expect(sluice.runs.list(wrong).pages()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      issues: [{ path: ['where', 'stat'], message: expect.stringContaining('status') as string }],
    })
    await expect(sluice.pauses.list(wrong)).rejects.toBeInstanceOf(InvalidError)
  })

  test('of pauses, workflows and the audit log', async () => {
    expect(await sluice.pauses.list({ status: ['open', 'expired'], workflow: 'asking', where: { assignee: { ilike: 'AN_' } }, order: 'openedAt', count: true })).toMatchObject({
      items: [{ runId: runs['waiting']!.id }, { runId: runs['held']!.id }],
      total: 2,
    })
    expect((await sluice.workflows.list({ order: 'name', where: { version: { ne: null }, id: { ne: plain } } })).items.map(({ name }) => name)).toEqual(['Asking', 'Failing'])
    const audit = await sluice.audit.list({ action: 'runs', where: { outcome: 'done' }, order: ['at'], count: true })
    expect([audit.items[0]?.action, audit.items.at(-1)?.action, audit.total]).toEqual(['runs.start', 'runs.hold', 6])
  })
})

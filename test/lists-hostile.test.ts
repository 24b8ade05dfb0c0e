import type { Page, Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { flow } from './support/flow.ts'
import { refusal, type TestServer, testServer } from './support/server.ts'

let server: TestServer
let run: Run
beforeAll(async () => {
  server = await testServer()
  await server.call('POST', '/v1/sessions', { title: 'A', context: { a: 1, deep: { x: [1, { y: 'z' }] } } })
  run = await server.run(flow({ in: 'input', bad: { type: 'code', config: { source: String.raw`throw new Error("a\u0000b\ud800c")` } } }, ['in > bad']))
})
afterAll(() => server[Symbol.asyncDispose]())

/** All that take conditions. */
const lists = ['workflows', 'runs', 'pauses', 'sessions', 'keys', 'users', 'members', 'audit', 'workspaces']
const asked = (list: string, query: Record<string, string>) => server.call<Page<Run>>('GET', `/v1/${list}?${new URLSearchParams(query).toString()}`)
const nested = (open: string, times: number, close: string): string => open.repeat(times) + close.repeat(times)
const cursor = (text: string): string => Buffer.from(text).toString('base64url')
const id = 'a'.repeat(15)

describe('what nobody may ask of any list is refused as the mistake it is', () => {
  test.each<[string, string]>([
    ['what a row has and nobody is shown', '{"password_hash":{"like":"%"}}'],
    ['the same by the name of its table', '{"u.password_hash":{"like":"%"}}'],
    ['a ciphertext', '{"ciphertext":{"ne":null}}'],
    ['a workspace', '{"workspace_id":"x"}'],
    ['a key that every object has', '{"__proto__":{"id":"x"}}'],
    ['another one, in a junction', '{"or":[{"constructor":"x"}]}'],
    ['one among comparisons', '{"id":{"prototype":"x"}}'],
    ['a number beyond all', '{"id":1e400}'],
    ['a text with NUL', String.raw`{"id":"\u0000"}`],
    ['half of a pair', String.raw`{"id":{"contains":"\ud800"}}`],
    ['a field with NUL', String.raw`{"i\u0000d":"x"}`],
    ['a path with a quote', `{"context.a'b":1}`],
    ['a path with dots alone', '{"context...":1}'],
    ['a path in other letters', '{"context.ä":1}'],
    ['the year 0', '{"created":"0000-12-31"}'],
    ['the last year of JavaScript', '{"created":{"lt":"275760-09-13"}}'],
    ['an instant that another zone moves out of the calendar', '{"created":{"gt":"0001-01-01T00:00:00+14:00"}}'],
    ['half an escape', String.raw`{"id":{"like":"%\\"}}`],
    ['lists in lists', nested('[', 2_000, ']')],
    ['what never ends', '['.repeat(2_000)],
    ['null', 'null'],
  ])('%s', async (_, where) => {
    for (const list of lists) expect(await refusal(asked(list, { where })), list).toMatchObject({ status: 400, code: 'input_invalid' })
  })

  test.each(['-', ',', '--id', "id';--", 'id asc', 'password_hash', 'constructor', 'tags', 'context', 'id.x', 'id,'.repeat(9)])('the order %s', async (order) => {
    for (const list of lists) expect(await refusal(asked(list, { order })), list).toMatchObject({ status: 400, code: 'input_invalid' })
  })

  test.each<[string, Record<string, string>, string]>([
    ['runs', { createdAfter: '0000-01-01T00:00:00Z' }, 'createdAfter'],
    ['runs', { createdBefore: '9999-12-31T23:59:59-14:00' }, 'createdBefore'],
    ['audit', { since: '0000-01-01T00:00:00Z' }, 'since'],
    ['runs', { version: '2147483648' }, 'version'],
    ['runs', { limit: '1e400' }, 'limit'],
    ['runs', { offset: '-1' }, 'offset'],
  ])('of %s: %o, under the name that it was asked by', async (list, query, field) => {
    expect(await refusal(asked(list, query))).toMatchObject({ status: 400, issues: [{ path: [field] }] })
  })

  test('a number higher than any that is counted', async () => {
    const session = await server.call<{ id: string }>('POST', '/v1/sessions', {})
    for (const path of [`runs/${run.id}/events?after`, `sessions/${session.id}/events?after`, `sessions/${session.id}/lines?after`, `runs?version`])
      for (const number of ['2147483648', '9007199254740991', '99999999999999999999'])
        expect(await refusal(server.call('GET', `/v1/${path}=${number}`)), path).toMatchObject({ status: 400 })
    expect(await refusal(server.call('GET', `/v1/workflows/${run.workflowId}/versions/2147483648`))).toMatchObject({ status: 400, issues: [{ path: ['version'] }] })
    expect(await server.call('GET', `/v1/runs/${run.id}/events?after=2147483647`)).toMatchObject({ items: [] })
  })

  test.each(['0000-01-01T00:00:00Z', '2026-02-30T00:00:00Z', '275760-09-13T00:00:00Z', 'infinity', 'now'])('lines since %s', async (since) => {
    const session = await server.call<{ id: string }>('POST', '/v1/sessions', {})
    expect(await refusal(asked(`sessions/${session.id}/lines`, { since }))).toMatchObject({ status: 400, issues: [{ path: ['since'] }] })
  })

  test.each<[string, string, string]>([
    ['runs', '-id', '["-id",{"a":1}]'],
    ['runs', '-id', `["-id",["${id}"]]`],
    ['runs', '-id', '['.repeat(5_000)],
    ['runs', '-version', `["-version,-id","1","${id}"]`],
    ['runs', '-updated', `["-updated,-id",8640000000000000,"${id}"]`],
    ['runs', '-updated', `["-updated,-id",1.5,"${id}"]`],
    ['runs', 'trigger', String.raw`["trigger,id","\u0000","${id}"]`],
    ['sessions', 'title', String.raw`["title,id","\ud800","${id}"]`],
    ['sessions', 'title', `["title,id","${'x'.repeat(401)}","${id}"]`],
    ['sessions', 'title', `["-title,id","x","${id}"]`],
  ])('of %s by %s, a cursor that was made up', async (list, order, text) => {
    expect(await refusal(asked(list, { order, cursor: cursor(text) }))).toMatchObject({ status: 400, code: 'cursor_invalid' })
  })
})

test('what looks into JSON is bounded: a record is read anew for each', async () => {
  const terms = (count: number) => JSON.stringify({ or: Array.from({ length: count }, (_, index) => ({ [`context.k${index}`]: 1 })) })
  expect(await asked('sessions', { where: terms(20) })).toHaveProperty('items')
  expect(await refusal(asked('sessions', { where: terms(21) }))).toMatchObject({ status: 400, issues: [{ path: ['where'], message: 'at most 20 comparisons inside of JSON' }] })
  expect(await asked('sessions', { order: 'context.a,title,-metadata.b' })).toHaveProperty('items')
  expect(await refusal(asked('sessions', { order: 'context.a,title,-metadata.b,steps.0.id' }))).toMatchObject({ status: 400, issues: [{ path: ['order'] }] })
})

describe('what is far out of the ordinary has its answer', () => {
  test.each<[string, Record<string, string>]>([
    ['runs', { where: '{"version":{"lt":1e308}}' }],
    ['runs', { where: JSON.stringify({ or: Array.from({ length: 200 }, () => ({ id: 'a' })) }) }],
    ['runs', { order: '-version', cursor: cursor(`["-version,-id",1e400,"${id}"]`) }],
    ['sessions', { where: '{"context.deep.x.1.y":"z","context.a.b.c":null,"context.deep.x.999999999":null}' }],
    ['sessions', { order: 'context.a', cursor: cursor(`["context.a:rank,context.a:number,context.a:text,id",1e400,-1e400,"x","${id}"]`) }],
    ['sessions', { order: 'progress', cursor: cursor(`["progress,id",5e-324,"${id}"]`) }],
    ['members', { order: 'pending', cursor: cursor(`["pending,userId",true,"${id}"]`) }],
  ])('%s: %o', async (list, query) => {
    expect(await asked(list, query)).toHaveProperty('items')
  })

  test('members page by whether they are pending', async () => {
    for (const email of ['a@example.com', 'b@example.com']) await server.call('POST', '/v1/members', { email, role: 'viewer' })
    const seen: boolean[] = []
    for (let page = await asked('members', { order: 'pending', limit: '1' }); ;) {
      seen.push(...page.items.map((member) => (member as unknown as { pending: boolean }).pending))
      if (page.nextCursor === null) break
      page = await asked('members', { order: 'pending', limit: '1', cursor: page.nextCursor })
    }
    expect(seen).toEqual([false, true, true])
  })

  test('a run that failed with words that are no text is found by its reason, and so are all others', async () => {
    expect(run.reason).toMatchObject({ code: 'step_failed', message: 'ab\ufffdc' })
    expect((await asked('runs', { where: '{"reason":"step_failed"}' })).items.map((each) => each.id)).toEqual([run.id])
    expect((await asked('runs', { where: '{"reason":{"ne":"step_failed"}}' })).items).toEqual([])
  })

  test('so does a run whose undoing failed with such words show itself', async () => {
    const undoing = flow(
      {
        in: 'input',
        done: { type: 'template', config: { text: 'x' }, settings: { compensate: { type: 'code', config: { source: String.raw`throw new Error("\u0000")` } } } },
        bad: { type: 'code', config: { source: 'throw new Error("bad")' } },
      },
      ['in > done > bad'],
    )
    const failed = await server.run(undoing)
    expect(failed).toMatchObject({ status: 'failed', reason: { code: 'compensation_failed' } })
    expect((await server.get(failed)).id).toBe(failed.id)
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { admin, callerOf, type TestServer, testServer } from '../../support/server.ts'
import { member } from './sdk.ts'

/** What is asked in bad faith, or by mistake, in each of the four keys that are read: a 400 (or a 403 for what is not theirs to ask), or the plain answer. */

let server: TestServer
const tokens: Record<string, string> = {}

beforeAll(async () => {
  server = await testServer()
  const somebody = await member(server, 'somebody@example.com')
  for (const [who, credentials] of Object.entries({ operator: somebody, superuser: admin }))
    tokens[who] = (await server.call<{ token: string }>('POST', '/v1/auth/login', { email: credentials.email, password: credentials.password }, { as: '' })).token
  const theirs = callerOf(server.url, tokens['operator']!)
  for (let each = 0; each < 20; each++) await theirs.call('POST', '/v1/sessions', { title: `A ${each}`, currentStepId: 'a', steps: [{ id: 'x' }], context: { a: { b: each } } })
  await server.call('POST', '/v1/sessions', { title: 'of the admin', currentStepId: 'a', context: { secret: 1 } })
})
afterAll(() => server[Symbol.asyncDispose]())

interface Answer {
  status: number
  text: string
  ms: number
}

/** A lone surrogate comes as the bytes that it would have. */
const encoded = (text: string): string => (text.isWellFormed() ? encodeURIComponent(text) : encodeURIComponent(text.replaceAll('\ud800', '\u0001')).replaceAll('%01', '%ED%A0%80'))

async function ask(who: string, key: string, text: string): Promise<Answer> {
  const begun = performance.now()
  const response = await fetch(`${server.url}/api/collections/workflow_sessions/records?${key}=${encoded(text)}`, { headers: { authorization: tokens[who]! } })
  return { status: response.status, text: await response.text(), ms: performance.now() - begun }
}

const itemsOf = ({ text }: Answer): { title: string }[] => (JSON.parse(text) as { items: { title: string }[] }).items

/** Words of PostgreSQL. */
const ofDatabase = /syntax error at|relation "|column "|operator does not|invalid input|invalid byte|postgres|SQLSTATE/i

const digits = '9'.repeat(400)
const fields = [
  ...[
    'id',
    'title',
    'status',
    'steps',
    'steps.0.id',
    'context',
    'context.a.b.c.d',
    'context.__proto__',
    'context.constructor',
    'user',
    'user.id',
    'user.email',
    'user.password',
    'user.tokenKey',
  ],
  ...[
    'workflow',
    'workflow.id',
    'created',
    'created.x',
    'runs_via_session.status',
    'messages_via_session.text',
    'title:lower',
    'steps:length',
    'title:each',
    'title:isset',
    '@now',
    'null',
    '1',
    '"x"',
  ],
  ...[
    'geoDistance(1,2,3,4)',
    'geoDistance(title,user,steps,created)',
    'strftime("%Y",created)',
    'strftime("%q%%%",@now,"+1 year","bogus")',
    'strftime("%Y",created,"+99999999999 days")',
  ],
]
const values = [
  ...[
    '1',
    `${digits}`,
    `-${digits}.5`,
    `0.${digits}`,
    '9007199254740993',
    'null',
    'true',
    '""',
    '"\0"',
    '"a\0b"',
    '"\ud800"',
    '"\\"',
    '"%"',
    '"%\\\\"',
    '"\\%_"',
    `"';drop table runs;--"`,
    '"$1"',
    '":a"',
    '"{}"',
  ],
  ...[
    '"2026-99-99 99:99"',
    '"+275760-09-13 00:00:00.000Z"',
    '"infinity"',
    '"NaN"',
    '"😀"',
    `"${'x'.repeat(3_000)}"`,
    '@yearEnd',
    'steps',
    'context',
    'user.email',
    'runs_via_session.created',
  ],
]
const signs = ['=', '!=', '>', '<=', '~', '!~', '?=', '?!~', '?>']

const repeated = (piece: string, times: number, join: string): string => Array.from({ length: times }, () => piece).join(join)

const corpus: Record<string, readonly string[]> = {
  filter: [
    ...fields.flatMap((field, row) => values.map((value, column) => `${field} ${signs[(row + column) % signs.length]} ${value}`)),
    ...['('.repeat(3_000), repeated('title!="x"', 200, '||'), repeated('title~1', 200, '&&'), repeated('runs_via_session.id!="x"', 100, '||')],
    ...[repeated('messages_via_session.run.session.user.name!="x"', 60, '&&'), repeated('runs_via_session.runs_via_parent.runs_via_parent.runs_via_parent.id!="x"', 40, '&&')],
    ...[`title ~ "${'%'.repeat(3_000)}"`, `title ~ "${'%a'.repeat(1_500)}%b"`, `context.${'a.'.repeat(1_500)}b=1`, `${'user.'.repeat(600)}id=1`, `${'a'.repeat(3_490)}=1`],
    ...[
      '@collection.users.id = 1',
      '@request.auth.id = 1',
      '@request.body.x:isset = true',
      '@collection.users:x.id ?= user',
      `title = 'a' ; select 1`,
      'title = "a" union select 1',
      'pg_sleep(5)=1',
    ],
    ...[
      'session_user = 1',
      'workspace_id = 1',
      '"a"="a"--',
      'id=1/**/',
      '__proto__=1',
      'toString = 1',
      'hasOwnProperty()=1',
      '\0',
      'ti\0tle=1',
      'title = 1 //\0',
      '\ufeff title=1',
    ],
  ],
  sort: [
    ...[
      'nope',
      '-nope',
      'title,,id',
      'title;drop',
      '(select 1)',
      '"title"',
      '@random,-@rowid',
      `${'created,'.repeat(8)}id`,
      'user.email',
      '-user.name,steps,context.a.b',
      'runs_via_session.created',
    ],
    ...[
      '__proto__',
      'constructor',
      'title:lower',
      'title:x',
      '\0',
      'title\0',
      '@now',
      'null',
      '1',
      'user.password',
      'user.tokenKey',
      `${'a.'.repeat(127)}b`,
      '@request.auth.id',
      'context.\0',
      'context.\ud800',
    ],
  ],
  fields: [
    ...[
      '*:excerpt',
      'title:excerpt(-1)',
      'title:excerpt(99999999999999999999)',
      `${'a.'.repeat(100)}b`,
      '('.repeat(2_000),
      'title:excerpt(',
      'title:lower',
      '__proto__',
      'constructor.x',
      '*.*.*',
      'steps.0',
    ],
    ...['expand.user.password', '*:excerpt(1),*:excerpt(2,true)', '\0', 'a,'.repeat(3_000), ':excerpt(1)', '.', '..', 'title.'],
  ],
  expand: [
    ...[
      'nope',
      'user.nope',
      'a.'.repeat(500),
      '__proto__',
      'constructor.prototype',
      'runs_via_session.session.runs_via_session.session.runs_via_session.session',
      'messages_via_session.run.session',
      '\0',
    ],
    ...['workflow_sessions_via_user', 'user.workflow_sessions_via_user.user', 'steps', '('.repeat(900), 'user:each', 'x,'.repeat(900), 'a'.repeat(5_000)],
  ],
}

describe.each(['operator', 'superuser'])('asked as %s', (who) => {
  test.each(Object.keys(corpus))('no %s breaks anything: it is refused, or answered, in words of ours and in time', { timeout: 120_000 }, async (key) => {
    const wrong: string[] = []
    const look = async (text: string): Promise<void> => {
      const { status, text: body, ms } = await ask(who, key, text)
      const isRight = [200, 400, 403].includes(status) && (status === 200 || !ofDatabase.test(body.replaceAll(JSON.stringify(text).slice(1, -1), ''))) && ms < 20_000
      if (!isRight) wrong.push(`${status} in ${Math.round(ms)} ms: ${JSON.stringify(text.slice(0, 100))} → ${body.slice(0, 160)}`)
    }
    const all = corpus[key]!
    for (let at = 0; at < all.length; at += 8) await Promise.all(all.slice(at, at + 8).map(look))
    expect(wrong).toEqual([])
  })
})

test.each([`title = "x' or '1'='1"`, 'title = "x" && user.password != ""', 'id = "x\\" || \\"a\\" = \\"a"', `context.secret = "1' or true --"`, '@request.auth.id != ""'])(
  '%s finds nothing of anybody',
  async (filter) => {
    const answer = await ask('operator', 'filter', filter)
    expect([200, 400, 403]).toContain(answer.status)
    expect(answer.status === 200 ? itemsOf(answer) : []).toEqual([])
  },
)

test.each(['title != ""', 'id = id', '1 = 1', '"a" != "b" || user != "x"', 'created > "2000" || context.secret = 1'])('%s finds no more than is theirs', async (filter) => {
  const titles = itemsOf(await ask('operator', 'filter', filter)).map(({ title }) => title)
  expect(titles).toHaveLength(20)
  expect(titles).not.toContain('of the admin')
})

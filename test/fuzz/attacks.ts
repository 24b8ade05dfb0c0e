import type { Json, JsonObject } from '@sluice/schema'
import type { Random } from './random.ts'
import { boundary, type Draft, formBytes, jsonText, type Wire, wireOf } from './request.ts'

/** A request after an attack was put into it. */
export interface Attacked {
  attack: string
  wire: Wire
  /** Whether it is still one to its operation: then its document says what may be answered. */
  there: boolean
}

export interface Prey {
  /** Ids of things of all kinds, and of those of others. */
  ids: readonly string[]
}

type Attack = (draft: Draft, random: Random, prey: Prey) => Omit<Attacked, 'attack'>

const there = (draft: Draft): Omit<Attacked, 'attack'> => ({ wire: wireOf(draft), there: true })
const elsewhere = (draft: Draft): Omit<Attacked, 'attack'> => ({ wire: wireOf(draft), there: false })

// ── values ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Stand for numbers that JavaScript has none of. */
const exact = new Map([
  ['@1e400@', '1e400'],
  ['@-1e400@', '-1e400'],
  ['@-0@', '-0'],
  ['@long@', `1${'0'.repeat(400)}`],
  ['@precise@', '0.1000000000000000055511151231257827021181583404541015625'],
  ['@tiny@', '1e-400'],
])

const deep = (levels: number, as: 'list' | 'object'): Json => {
  let value: Json = 1
  for (let level = 0; level < levels; level++) value = as === 'list' ? [value] : { a: value }
  return value
}

const liquid = [
  '{% for a in (1..900) %}{% for b in (1..900) %}{% for c in (1..900) %}{{ a | plus: b }}{% endfor %}{% endfor %}{% endfor %}',
  '{% for a in (1..1000000000) %}{% for b in (1..1000000000) %}x{% endfor %}{% endfor %}',
  '{{ "x" | append: "y" | replace: "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" | replace: "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" | replace: "", "aaaaaaaaaaaaaaaaaaaaaaaaaa" }}',
  '{% include "/etc/passwd" %}{% render "../../package.json" %}',
  `${'{% if true %}'.repeat(2_000)}x${'{% endif %}'.repeat(2_000)}`,
  '{{ constructor.constructor("return process")() }}{{ __proto__.x }}',
  '{% assign a = "x" %}{% for i in (1..40) %}{% assign a = a | append: a %}{% endfor %}{{ a }}',
  '{{ input | json | json | json }}{{ nodes | map: "a" | join: "," | split: "" | sort | uniq | reverse }}',
  `{{ ${'a.'.repeat(3_000)}b }}`,
  '{{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" | strip_html | escape | url_encode | truncate: 99999999999 }}',
  '{{ 9007199254740993 | times: 1e308 | times: 1e308 }}',
  '{{ "1" | slice: -99999999999, 99999999999 }}',
  '{{ "%Y" | date: "%1000000000Y" }}{{ "now" | date: "%999999999N" }}',
]
const cel = [
  '[1,2,3,4,5,6,7,8,9].map(a, [1,2,3,4,5,6,7,8,9].map(b, [1,2,3,4,5,6,7,8,9].map(c, [1,2,3,4,5,6,7,8,9].map(d, [1,2,3,4,5,6,7,8,9].map(e, [1,2,3,4,5,6,7,8,9].map(f, [1,2,3,4,5,6,7,8,9].map(g, a+b+c+d+e+f+g)))))))',
  '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!".matches("^(a+)+$")',
  `${'('.repeat(3_000)}1${')'.repeat(3_000)}`,
  `${'!'.repeat(5_000)}true`,
  Array.from({ length: 3_000 }, () => '1').join(' + '),
  'input.__proto__.constructor == input.constructor',
  '9223372036854775807 + 1',
  '1 / 0 == 1 % 0',
  'timestamp("999999-99-99T99:99:99Z") + duration("99999999999999999h")',
  '{1: {1: {1: 2}}}[1][1][1][1]',
  '"a" * 1000000000',
]
const jinja = [
  '{{ "".__class__.__mro__[1].__subclasses__() }}',
  '{% for i in range(999999999) %}{{ i }}{% endfor %}',
  '{{ cycler.__init__.__globals__.os.popen("id").read() }}',
  '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}',
  "{{ 'a' * 1000000000 }}",
]
const filters = [
  `${'('.repeat(2_000)}id = "x"${')'.repeat(2_000)}`,
  Array.from({ length: 400 }, () => 'id = "x"').join(' || '),
  'id = "x" && ',
  "id = 'x' || 1 = 1 --",
  'id ~ "%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%"',
  'id ~ "_%_%_%_%_%_%_%_%_%_%_%"',
  'title ~ "\\\\%"',
  '@request.auth.id != "" && @collection.users.passwordHash ~ "a"',
  'password_hash ~ "$argon"',
  'user.user.user.user.user.id = "x"',
  'context.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p = 1',
  'context.__proto__.x = 1',
  'created > @now && created < @yearEnd',
  'id ?= "x" || id !~ "\\u0000"',
  '{"and":[{"and":[{"and":[{"or":[{"not":{"id":"x"}}]}]}]}]}',
  JSON.stringify({ and: Array.from({ length: 500 }, () => ({ status: 'waiting' })) }),
  JSON.stringify(deep(100, 'object')),
  '{"__proto__":{"eq":1}}',
  '{"status":{"matches":"(a+)+$"}}',
  '{"status":{"like":"%%%%%%%%"}}',
  '{"status":{"in":[]}}',
  '{"status":null}',
  '{"$where":"sleep(1000)"}',
  '{"created":{"gt":"infinity"}}',
  '{"created":{"gt":"294277-01-01T00:00:00.000Z"}}',
]
const sorts = [
  '-',
  ',',
  '+created',
  '-created,-created',
  Array.from({ length: 50 }, () => 'created').join(','),
  'password',
  'id;drop table runs',
  '@random',
  'context.__proto__',
  'created desc nulls last',
  'toString',
]
const texts = [
  '',
  ' ',
  'null',
  'undefined',
  'true',
  '\0',
  'a\0b',
  '\ud800',
  'x\udfffy',
  '\ufeff',
  '\u202e\u2066right to left',
  '𝕏'.repeat(300),
  'a'.repeat(10_000),
  'é'.repeat(3_000),
  '%',
  '_',
  '\\',
  '%\\_%\\',
  "'; drop table runs; --",
  '../../../../etc/passwd',
  '..%2f..%2f',
  'C:\\windows\\system32',
  'file:///etc/passwd',
  'http://169.254.169.254/latest/meta-data/',
  'http://[::ffff:127.0.0.1]:9/',
  'a\r\nX-Evil: 1',
  '<script>alert(1)</script>',
  '$argon2id$v=19$m=1,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAA',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '000000000000000',
  '-1',
  '1e400',
  'NaN',
  'Infinity',
  '0x10',
  '9007199254740993',
  '2026-02-30T00:00:00.000Z',
  '+275760-09-13T00:00:00.001Z',
  '-000001-01-01T00:00:00.000Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '2026-13-01',
  '* * * * * *',
  '0 0 31 2 *',
  '*/0 * * * *',
  '99999999999999999999 * * * *',
  `${'1,'.repeat(3_000)}1 * * * *`,
  'Etc/../../passwd',
  'Europe/Nowhere',
  '(a+)+$',
  '^(([a-z])+.)+[A-Z]([a-z])+$',
  'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.',
  'SV_01k2v9m3h5rj6tx_99999999999999999999',
]
const values: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  1e21,
  Number.MAX_VALUE,
  5e-324,
  [],
  {},
  [[]],
  [null],
  '@1e400@',
  '@-1e400@',
  '@-0@',
  '@long@',
  '@precise@',
  '@tiny@',
  { length: 1e9 },
  { toString: 1, valueOf: 1, toJSON: 1, hasOwnProperty: 1 },
  { $ref: '#/x', type: 'file', path: '/etc/passwd', filename: 'x', bytes: 1 },
]

function nasty(random: Random, { ids }: Prey): Json {
  const kind = random.whole(20)
  if (kind < 7) return random.pick(texts)
  if (kind < 11) return structuredClone(random.pick(values))
  if (kind < 12) return random.pick(liquid)
  if (kind < 13) return random.pick(cel)
  if (kind < 14) return random.pick(jinja)
  if (kind < 15) return random.pick([...filters, ...sorts])
  if (kind < 17) return random.pick(ids)
  if (kind < 18) return deep(random.pick([10, 63, 64, 65, 200]), random.pick(['list', 'object']))
  if (kind < 19) return Array.from({ length: random.pick([101, 1_001, 12_000]) }, (_, at) => (random.chance(0.01) ? 'x' : at))
  return Object.fromEntries(Array.from({ length: random.pick([30, 1_100, 12_000]) }, (_, at) => [`key${at}`, at]))
}

interface Place {
  holder: JsonObject | Json[]
  key: string | number
}

function placesIn(value: Json, found: Place[] = []): Place[] {
  if (value === null || typeof value !== 'object') return found
  const keys = Array.isArray(value) ? value.keys() : Object.keys(value)
  for (const key of keys) {
    found.push({ holder: value, key })
    if (found.length < 400) placesIn((value as JsonObject)[key]!, found)
  }
  return found
}

/** A value with something in it put in the place of something else, added, or taken away. */
function spoiled(given: Json, random: Random, prey: Prey): Json {
  let value = structuredClone(given)
  for (let times = 1 + random.whole(2); times > 0; times--) {
    const places = placesIn(value)
    const place = places.length === 0 ? undefined : random.pick(places)
    const how = random.whole(10)
    if (!place || how === 9) value = random.chance(0.4) && place ? value : nasty(random, prey)
    else if (how < 6) (place.holder as JsonObject)[place.key as string] = nasty(random, prey)
    else if (how === 6)
      (place.holder as JsonObject)[random.pick(['unknown', 'id', '', '  ', 'extra', 'workspaceId', 'constructor', 'é'.repeat(300), '0', '$gt'])] = nasty(random, prey)
    else if (how === 7 && !Array.isArray(place.holder)) delete place.holder[place.key as string]
    else if (Array.isArray(place.holder)) place.holder.push(...structuredClone(place.holder))
    else place.holder[place.key as string] = [place.holder[place.key as string]!]
  }
  return value
}

/** What a draft says as JSON, wherever that stands. */
const saidIn = (draft: Draft): Json | undefined => {
  if (draft.body !== undefined) return draft.body
  const input = draft.target.over === 'rest' ? undefined : draft.query.find(([key]) => key === 'input')?.[1]
  return input === undefined ? undefined : (JSON.parse(input) as Json)
}

/** The same draft saying this text as its JSON. */
function saying(draft: Draft, text: string | Buffer): Draft {
  if (draft.target.over !== 'rest' && draft.method === 'GET') return { ...draft, query: [['input', text.toString().slice(0, 12_000)]] }
  const typed = draft.headers.some(([name]) => /^content-type$/i.test(name))
  return { ...draft, bytes: Buffer.from(text as string), headers: typed ? draft.headers : [...draft.headers, ['content-type', 'application/json']] }
}

const wrong: Attack = (draft, random, prey) => there(saying(draft, jsonText(spoiled(saidIn(draft) ?? {}, random, prey), exact)))

const protoKeys: Attack = (draft, random) => {
  const text = jsonText(saidIn(draft) ?? {})
  const evil = random.pick([
    '"__proto__":{"admin":true,"role":"owner"}',
    '"constructor":{"prototype":{"admin":true}}',
    '"prototype":{"x":1}',
    '"__proto__":null',
    '"\\u005f_proto__":{"x":1}',
  ])
  return there(saying(draft, text.startsWith('{') ? text.replace('{', text === '{}' ? `{${evil}` : `{${evil},`) : `{${evil}}`))
}

const malformed: Attack = (draft, random) => {
  const text = jsonText(saidIn(draft) ?? {})
  const bytes = Buffer.from(text)
  const cut = random.whole(bytes.length + 1)
  const spoil: (() => string | Buffer)[] = [
    () => text.slice(0, Math.max(1, text.length - 1 - random.whole(5))),
    () => `${text},`,
    () => `${text}${text}`,
    () => `// a comment\n${text}`,
    () => `'${text}'`,
    () => `\ufeff${text}`,
    () => text.replaceAll('"', "'"),
    () => Buffer.from(text, 'utf16le'),
    () => Buffer.concat([bytes.subarray(0, cut), Buffer.from([0xff, 0xfe, 0xc0, 0x80]), bytes.subarray(cut)]),
    () => Buffer.concat([bytes.subarray(0, cut), Buffer.from([0]), bytes.subarray(cut)]),
    () => Buffer.concat([bytes.subarray(0, cut), Buffer.from([0xed, 0xa0, 0x80]), bytes.subarray(cut)]),
    () => '['.repeat(100_000),
    () => '{"a":'.repeat(50_000),
    () => `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
    () => `{${Array.from({ length: 30_000 }, (_, at) => `"${at}":0`).join()}}`,
    () => `{"a":${'9'.repeat(200_000)}}`,
    () => `{"a":1e${'9'.repeat(1_000)}}`,
    () => '{"a":"\\ud800"}',
    () => '{"a":"\\u0000"}',
    () => '{"a":01}',
    () => '{"a":.5}',
    () => 'NaN',
    () => ' ',
    () => `{"a":1,"a":2,"a":${text}}`,
    () => `"${'\\u0061'.repeat(30_000)}"`,
    () => '"\\',
  ]
  return there(saying(draft, random.pick(spoil)()))
}

const code = [
  'while (true) {}',
  'const a = []; while (true) a.push(new Array(1e6).fill(1))',
  'throw new Error("x".repeat(1e7))',
  'return (function f() { return f() })()',
  'return "x".repeat(5e6)',
  'return globalThis.process ?? this.constructor.constructor("return process")()',
]

/** Every expression that should not be, as the config of a node that evaluates it. */
export const bombs: readonly [type: string, config: JsonObject][] = [
  ...[...liquid, ...jinja].map((text): [string, JsonObject] => ['template', { text }]),
  ...cel.flatMap((when): [string, JsonObject][] => [
    ['router', { mode: 'first', routes: [{ name: 'a', when }] }],
    ['map', { items: when }],
  ]),
  ...code.map((source): [string, JsonObject] => ['code', { source }]),
]

/** Where they are evaluated at once: a node that is tried. */
const expressions: Attack = (draft, random) => bomb(draft, random.pick(bombs), random.pick<Json>(['x'.repeat(20_000), deep(50, 'object'), [1, 2, 3]]))

export function bomb(draft: Draft, [type, config]: (typeof bombs)[number], value: Json = 'x'): Omit<Attacked, 'attack'> {
  const data = { a: value, text: 'hello' }
  if (draft.target.face === 'orchestrator') {
    const body = { form_data: config, input_data: data, timeout: 2 }
    return there(
      draft.target.inParts
        ? saying(draft, JSON.stringify({ path: { identifier: type }, body }))
        : { ...draft, path: draft.path.map((part) => (part.isOpen ? { ...part, text: type } : part)), body },
    )
  }
  const body = { config, data, timeoutMs: 2_000 }
  return there(
    draft.target.over === 'trpc'
      ? saying(draft, JSON.stringify({ ...body, type }))
      : { ...draft, path: draft.path.map((part) => (part.isOpen ? { ...part, text: type } : part)), body },
  )
}

const oversize: Attack = (draft, random) => {
  const huge = `{"text":"${'x'.repeat(random.pick([1_048_560, 1_048_577, 3_000_000]))}"}`
  return there({
    ...saying(draft, huge),
    ...(draft.target.over !== 'rest' && draft.method === 'GET' && { method: 'POST', query: [], bytes: Buffer.from(huge), headers: [['content-type', 'application/json']] }),
  })
}

// ── addresses ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const openParts = (draft: Draft): number[] => draft.path.flatMap(({ isOpen }, at) => (isOpen ? [at] : []))

const pathId: Attack = (draft, random, prey) => {
  const open = openParts(draft)
  if (open.length === 0) return queryValue(draft, random, prey)
  const at = random.pick(open)
  const text = random.chance(0.4) ? random.pick(prey.ids) : random.pick(texts.filter((each) => each !== ''))
  // What stands for itself in a path would be another path.
  return {
    wire: wireOf({ ...draft, path: draft.path.map((part, each) => (each === at ? { ...part, text } : part)) }),
    there: !/^\.{1,2}$|^ *$/.test(text) && !text.includes('/') && !text.includes('\\'),
  }
}

const pathRaw: Attack = (draft, random) => {
  const wire = wireOf(draft)
  const [place = '', query] = wire.path.split('?', 2)
  const evil = random.pick([
    (path: string) => `${path}/../../v1/users`,
    (path: string) => path.replace(/\/([^/]*)$/, '/%2e%2e/$1'),
    (path: string) => path.replace(/\/([^/]+)\/?$/, '%2f$1'),
    (path: string) => path.replace(/\/([^/]+)\/?$/, '/$1%2F..%2F..%2Fetc'),
    (path: string) => `/${path}`,
    (path: string) => `${path}//`,
    (path: string) => `${path}/.`,
    (path: string) => `${path}%00`,
    (path: string) => `${path}%ff`,
    (path: string) => `${path}%zz`,
    (path: string) => `${path}%`,
    (path: string) => `${path};jsessionid=1`,
    (path: string) => path.toUpperCase(),
    (path: string) => path.replace(/[a-z]/, (letter) => `%${letter.codePointAt(0)!.toString(16)}`),
    (path: string) => `${path}/${'a'.repeat(6_000)}`,
    (path: string) => `${path}${'/x'.repeat(2_000)}`,
    (path: string) => `${path}\\..\\..`,
    (path: string) => path.replace(/\/[^/]*$/, '/'),
    (path: string) => `http://evil.example${path}`,
    (path: string) => `${path}#fragment`,
    (path: string) => `${path}%c0%ae%c0%ae/`,
    (path: string) => `${path}/constructor/__proto__`,
  ])
  return { wire: { ...wire, path: evil(place) + (query === undefined ? '' : `?${query}`) }, there: false }
}

const queryValue: Attack = (draft, random, prey) => {
  const known =
    draft.target.over === 'rest' ? draft.target.operation!.parameters.flatMap(({ in: place, name }) => (place === 'query' ? [name] : [])) : ['input', 'batch', 'connectionParams']
  const name =
    known.length > 0 && random.chance(0.9)
      ? random.pick(known)
      : random.pick(['unknown', '__proto__', 'constructor[prototype]', 'a[b][c][d]', 'where[status]', '', '%', 'ticket', 'token', 'filter', 'sort'])
  const drawn = /filter|where|^q$/.test(name) ? random.pick(filters) : /sort|order/.test(name) ? random.pick(sorts) : nasty(random, prey)
  const text = typeof drawn === 'string' ? drawn : jsonText(drawn, exact)
  const rest = random.chance(0.5) ? draft.query : draft.query.filter(([key]) => key !== name)
  return there({ ...draft, query: [...rest, [name, text.slice(0, 9_000)]] })
}

const queryRaw: Attack = (draft, random) => {
  const wire = wireOf(draft)
  const evil = random.pick([
    '%zz=1',
    'a=%ff',
    'a=%00',
    'limit=1&limit=2&limit=3',
    'page=1&page=2&page[]=3&page[a]=4',
    '&&&&=&=&',
    '='.repeat(3_000),
    Array.from({ length: 1_500 }, (_, at) => `a${at}=1`).join('&'),
    Array.from({ length: 900 }, () => 'limit=1').join('&'),
    `${'a['.repeat(500)}${']'.repeat(500)}=1`,
    `a${'[b]'.repeat(300)}=1`,
    '__proto__=1&__proto__[x]=1&constructor.prototype.x=1',
    'input={&batch=1',
    'batch=1&input=%7B%220%22%3A1%7D',
    'limit=%F0%9F%A6%86',
    'limit=1e3&offset=-0&count=yes',
    'limit=99999999999999999999&offset=99999999999999999999',
    '?',
    '%2e%2e%2f=%2e%2e%2f',
    'fields=*&fields=+*&fields=-id',
    'expand=user.user.user.user.user.user.user',
    'cursor=AAAA&cursor=%7B%7D',
    'cursor=eyJhIjoxfQ',
    `cursor=${'A'.repeat(5_000)}`,
  ])
  return { wire: { ...wire, path: `${wire.path}${wire.path.includes('?') ? '&' : '?'}${evil}` }, there: true }
}

// ── headers ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const types = [
  'text/plain',
  'application/xml',
  'application/json; charset=utf-16',
  'application/json;charset="utf-8',
  'APPLICATION/JSON',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'multipart/form-data; boundary=',
  `multipart/form-data; boundary=${'x'.repeat(300)}`,
  'application/octet-stream',
  'application/json, text/plain',
  '*/*',
  ';',
  'json',
  'application/graphql',
  'application/json\t',
  'application/jsonp',
  'application/vnd.api+json',
]

const contentType: Attack = (draft, random) => {
  const sent = wireOf(draft)
  const headers: [string, string][] = [
    ...sent.headers.filter(([name]) => !/^content-type$/i.test(name)),
    ...(random.chance(0.9) ? ([['content-type', random.pick(types)]] as [string, string][]) : []),
  ]
  return { wire: { ...sent, headers, body: sent.body ?? Buffer.from('{"a":1}') }, there: true }
}

const header: Attack = (draft, random, prey) => {
  const huge = 'x'.repeat(7_000)
  const [name, value] = random.pick<[string, string]>([
    ['content-encoding', random.pick(['gzip', 'br', 'identity', 'x-unknown', 'gzip, gzip'])],
    [
      'range',
      random.pick([
        'bytes=0-0,1-1,2-2',
        `bytes=${Array.from({ length: 800 }, (_, at) => `${at}-${at}`).join()}`,
        'bytes=-1',
        'bytes=-',
        'bytes=5-1',
        'bytes=99999999999999999999-',
        'bytes=0-99999999999999999999',
        'lines=1-2',
        'bytes=-0',
        'bytes=a-b',
        'bytes=0-',
      ]),
    ],
    ['if-range', random.pick(['"x"', 'Tue, 99 Foo 2026', '*'])],
    ['if-none-match', random.pick(['*', '"x"', `"${huge}"`, 'W/"x", W/"y"', '"', ',,,'])],
    ['if-match', random.pick(['*', '"x"', ''])],
    ['if-modified-since', random.pick(['never', 'Thu, 01 Jan 1970 00:00:00 GMT', 'Fri, 31 Dec 9999 23:59:59 GMT'])],
    ['accept', random.pick(['text/event-stream', 'text/html', 'application/xml;q=1', `${'a/b,'.repeat(1_500)}*/*`, ';;;', 'application/jsonl'])],
    ['accept-encoding', random.pick(['gzip;q=9', '*', huge])],
    ['accept-language', random.pick(['xx-invalid-999', huge])],
    [
      'authorization',
      random.pick([
        'Bearer',
        'Bearer ',
        `Bearer ${huge}`,
        'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.',
        'Basic ////',
        'Basic Og==',
        'Digest x',
        'Bearer a b c',
        `Bearer ${random.pick(prey.ids)}`,
        'Bearer sk_0000',
        'null',
      ]),
    ],
    ['x-api-key', random.pick(['', huge, 'sk_x', "'; --"])],
    ['cookie', random.pick([`a=${huge}`, 'sluice=x; sluice=y', ';;;=;', `${'a=1; '.repeat(1_300)}`, '__proto__=1', 'sluice_session=%zz'])],
    ['idempotency-key', random.pick(['', huge, 'a b', 'Ã©', '__proto__', random.pick(prey.ids)])],
    ['last-event-id', random.pick(['-1', 'x', '1e400', huge, '99999999999999999999', ''])],
    ['x-request-id', random.pick(['', huge, '<script>', 'a b', '../../x', 'Ã©'])],
    ['x-sluice-session', random.pick(['', huge, '__proto__', random.pick(prey.ids)])],
    ['origin', random.pick(['null', 'http://evil.example', 'http://localhost:1', 'file://', huge, 'http://'])],
    ['host', random.pick(['evil.example', '', 'a b', '127.0.0.1:99999', huge, '[::1'])],
    ['x-forwarded-for', random.pick(['127.0.0.1', `${'1.2.3.4,'.repeat(800)}5.6.7.8`, 'unknown', '::'])],
    ['x-forwarded-host', 'evil.example'],
    ['x-forwarded-proto', random.pick(['javascript', 'https,http'])],
    ['x-http-method-override', 'DELETE'],
    ['traceparent', random.pick(['00-00000000000000000000000000000000-0000000000000000-00', huge, 'zz', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra'])],
    ['tracestate', random.pick([huge, 'a=b,,,,'])],
    ['expect', random.pick(['100-continue', '200-maybe'])],
    ['upgrade', 'h2c'],
    ['purpose', 'prefetch'],
    ['sec-fetch-site', 'cross-site'],
    ['trpc-accept', random.pick(['application/jsonl', 'x', huge])],
    ['prefer', 'wait=99999'],
    ['x-signature', random.pick(['', 'sha256=', huge])],
    ['webhook-id', random.pick(['', huge, 'a\u00ffb'])],
    ['webhook-timestamp', random.pick(['0', 'NaN', '1e400', '-1', '99999999999999'])],
    ['webhook-signature', random.pick(['v1,', 'v1,AAAA v1,BBBB', huge])],
    ['access-control-request-method', 'DELETE'],
  ])
  const plain = draft.headers.filter(([key]) => key.toLowerCase() !== name)
  // Whom a page, an address or a credential is, decides before the operation does.
  const strict = !/^(host|origin|expect|upgrade|purpose|sec-fetch-site|access-control.*)$/.test(name)
  return { wire: wireOf({ ...draft, headers: [...plain, [name, value]] }), there: strict }
}

const method: Attack = (draft, random) =>
  elsewhere({
    ...draft,
    method: random.pick(
      ['HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE', 'POST', 'GET', 'PROPFIND', 'TRACE', 'SEARCH', 'QUERY', 'LINK', 'MKCOL', 'PURGE'].filter((each) => each !== draft.method),
    ),
  })

// ── forms ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const names = [
  '../../../etc/passwd',
  '..\\..\\boot.ini',
  'a\0b.csv',
  `${'x'.repeat(5_000)}.csv`,
  '',
  '.',
  '..',
  '/',
  'con',
  'a";b="c',
  'a\r\nX-Evil: 1',
  '%00',
  '\u202egpj.exe',
  'é'.repeat(300),
  "UTF-8''x",
  '<svg onload=1>.svg',
  '\ufffd',
  '__proto__',
]

const form: Attack = (draft, random) => {
  const parts = draft.form ?? [{ name: 'file', filename: 'a.csv', type: 'text/csv', value: 'a\n' }]
  const typed = (bytes: Buffer, type = `multipart/form-data; boundary=${boundary}`): Omit<Attacked, 'attack'> =>
    there({
      target: draft.target,
      method: draft.method,
      path: draft.path,
      query: draft.query,
      headers: [...draft.headers.filter(([name]) => !/^content-type$/i.test(name)), ['content-type', type]],
      bytes,
    })
  const changed = (change: (part: (typeof parts)[number]) => (typeof parts)[number]): Omit<Attacked, 'attack'> => typed(formBytes(parts.map(change)))
  const head = (lines: string, value = 'x'): Omit<Attacked, 'attack'> => typed(Buffer.from(`--${boundary}\r\n${lines}\r\n\r\n${value}\r\n--${boundary}--\r\n`))
  const whole = formBytes(parts)
  const ways: (() => Omit<Attacked, 'attack'>)[] = [
    () => typed(whole, 'multipart/form-data'),
    () => typed(whole, 'multipart/form-data; boundary='),
    () => typed(whole, 'multipart/form-data; boundary="unfinished'),
    () => typed(whole, `multipart/form-data; boundary=${'b'.repeat(500)}`),
    () => typed(whole, 'multipart/mixed; boundary=between-the-parts'),
    () => typed(whole.subarray(0, random.whole(whole.length))),
    () => typed(Buffer.alloc(0)),
    () => typed(Buffer.from(`--${boundary}--\r\n`)),
    () => typed(Buffer.from(`--${boundary}\r\n\r\n`)),
    () => typed(Buffer.from('\r\n'.repeat(20_000))),
    () => typed(Buffer.from(`--${boundary}\r\n`.repeat(5_000))),
    () => typed(formBytes(Array.from({ length: 3_000 }, (_, at) => ({ name: `f${at}`, value: 'x' })))),
    () => typed(formBytes(Array.from({ length: 30 }, (_, at) => ({ name: 'file', filename: `${at}.csv`, type: 'text/csv', value: 'x' })))),
    () => head(`content-disposition: form-data; name="file"; filename="a.csv"\r\n${Array.from({ length: 4_000 }, (_, at) => `x-${at}: y`).join('\r\n')}`),
    () => head(`content-disposition: form-data; name="file"; filename="a.csv"\r\nx: ${'y'.repeat(200_000)}`),
    () => head('content-disposition: form-data'),
    () => head('content-disposition: attachment; filename="x"'),
    () => head('content-type: text/csv'),
    () => head('content-disposition: form-data; name="file"; filename="a.csv"\r\ncontent-transfer-encoding: base64', '////'),
    () => head('content-disposition: form-data; name="file"; filename*=UTF-8\'\'%ff%00%2e%2e%2f'),
    () => head('content-disposition: form-data; name="file"; filename="a.csv"\r\ncontent-type: multipart/mixed; boundary=inner', '--inner\r\n\r\nx\r\n--inner--'),
    () => head('content-disposition: form-data; name="file"; filename="a.html"\r\ncontent-type: text/html; charset=\u00ff', '<script>'),
    () => head(`content-disposition: form-data; name="file"; filename="a.csv"\r\ncontent-type: ${'a/b'.repeat(2_000)}`),
    () => typed(Buffer.concat([whole, Buffer.from([0xff, 0xfe]), whole])),
    () => typed(Buffer.from(whole.toString().replaceAll('\r\n', '\n'))),
    () => typed(formBytes([...parts, ...parts, { name: '__proto__', value: '{"x":1}' }, { name: 'constructor.prototype', value: '1' }, { name: 'a[b][c]', value: '1' }])),
    () => typed(formBytes([...parts, { name: '@jsonPayload', value: '{"a":' }])),
    () => typed(formBytes([...parts, { name: 'requests', value: '[{"method":"GET"}]' }])),
    () => typed(formBytes([...parts, { name: 'text', value: 'x'.repeat(1_200_000) }])),
    () => changed((part) => ({ ...part, filename: random.pick(names) })),
    () => changed((part) => ({ ...part, filename: random.pick(names) })),
    () => changed((part) => ({ ...part, filename: random.pick(names) })),
    () => changed((part) => ({ ...part, name: random.pick(names) })),
    () => changed((part) => ({ ...part, value: '' })),
    () => changed((part) => ({ ...part, value: random.pick(['\0\0\0', '\ud800', '%PDF-1.7\n1 0 obj<</Length 99999999999>>', 'PK\u0003\u0004'.repeat(50), 'x'.repeat(300_000)]) })),
    () => changed(({ filename: _, ...part }) => part),
    () => changed((part) => ({ ...part, type: random.pick(['', 'a/b/c', 'text/html', 'x'.repeat(3_000)]) })),
  ]
  return random.pick(ways)()
}

const isForm = ({ target: { operation, over } }: Draft): boolean => over === 'rest' && operation!.requestBody?.content['multipart/form-data'] !== undefined

// ── several calls at once ──────────────────────────────────────────────────────────────────────────────────────────────

const batch: Attack = (draft, random, prey) => {
  const { target } = draft
  const inputs = Array.from({ length: random.pick([1, 2, 10, 11, 40]) }, () => spoiled(saidIn(draft) ?? {}, random, prey))
  const paths = inputs.map(() => target.at).join(random.pick([',', ',', '%2C', ',,']))
  const said = jsonText(Object.fromEntries(inputs.map((input, at) => [random.chance(0.95) ? at : `x${at}`, input])), exact)
  const path = [{ text: `/trpc/${paths}`, isOpen: false }]
  if (draft.method === 'GET')
    return elsewhere({
      ...draft,
      path,
      query: [
        ['batch', '1'],
        ['input', said.slice(0, 12_000)],
      ],
    })
  return elsewhere({
    ...draft,
    path,
    query: [['batch', random.pick(['1', '0', 'true'])]],
    bytes: Buffer.from(said),
    headers: [...draft.headers, ['content-type', 'application/json']],
  })
}

// ── byte by byte ───────────────────────────────────────────────────────────────────────────────────────────────────────

const bare: Attack = (draft, random) => {
  const { method: verb, path, headers, body } = wireOf(draft)
  const sent = body ?? Buffer.alloc(0)
  const lines = headers.map(([name, value]) => `${name}: ${value}`)
  const head = (first: string, more: readonly string[]): string => `${[first, ...lines, ...more].join('\r\n')}\r\n\r\n`
  const first = `${verb} ${path} HTTP/1.1`
  const host = 'host: localhost'
  const length = `content-length: ${sent.length}`
  const text = random.pick([
    () => head(first, [length]),
    () => head(`${verb} ${path} HTTP/9.9`, [host, length]),
    () => head(`${verb} ${path}`, [host]),
    () => head(`${verb}  ${path} HTTP/1.1`, [host]),
    () => head(first, [host, 'content-length: 1', 'content-length: 2']),
    () => head(first, [host, 'content-length: -1']),
    () => head(first, [host, 'content-length: 99999999999999999999']),
    () => head(first, [host, length, 'transfer-encoding: chunked']),
    () => head(first, [host, 'transfer-encoding: xchunked']),
    () => `${head(first, [host, 'transfer-encoding: chunked'])}zz\r\n`,
    () => `${head(first, [host, 'transfer-encoding: chunked'])}5\r\nhello world\r\n0\r\n\r\n`,
    () => `${head(first, [host, 'transfer-encoding: chunked'])}${`1;${'x'.repeat(500)}\r\na\r\n`.repeat(200)}0\r\n\r\n`,
    () => `${head(first, [host, 'transfer-encoding: chunked'])}1\r\n{\r\n1\r\n}\r\n0\r\nx-trailer: \r\n\r\n`,
    () => head(first, [host, ...Array.from({ length: 3_000 }, (_, at) => `x-${at}: y`)]),
    () => head(first, [host, `x: ${'y'.repeat(40_000)}`]),
    () => head(first, [host, 'bad header: x']),
    () => head(first, [host, 'x: a\0b']),
    () => head(first, [host, ' folded: x']),
    () => head(first, [host, host, length]),
    () => head(`${verb} ${path}\u00e9 HTTP/1.1`, [host]),
    () => head(`${verb} ${path}\tx HTTP/1.1`, [host]),
    () => head('CONNECT localhost:22 HTTP/1.1', [host]),
    () => head('OPTIONS * HTTP/1.1', [host]),
    () => head(first, [host, 'upgrade: websocket', 'connection: upgrade', 'sec-websocket-version: 13', 'sec-websocket-key: x']),
    () => head(first, [host, 'upgrade: websocket', 'connection: upgrade', 'sec-websocket-version: 99', 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==']),
    () =>
      head(first, [
        host,
        'upgrade: websocket',
        'connection: keep-alive, Upgrade',
        'sec-websocket-version: 13',
        'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
        'sec-websocket-extensions: permessage-deflate; server_max_window_bits=99',
      ]),
    () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    () => '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001',
    () => `${'A'.repeat(100_000)}\r\n\r\n`,
    () => '\r\n\r\n\r\n',
    () => `${verb} `,
  ])()
  return { wire: { method: verb, path, headers, body, raw: Buffer.concat([Buffer.from(text, 'latin1'), sent]) }, there: false }
}

/** The attack that each draw of the dice means; what does not fit a request gives way to one that does. */
const all: readonly [name: string, weight: number, attack: Attack, fits: (draft: Draft) => boolean][] = [
  ['wrong values', 10, wrong, (draft) => saidIn(draft) !== undefined],
  ['keys of prototypes', 2, protoKeys, (draft) => saidIn(draft) !== undefined],
  ['malformed JSON', 5, malformed, (draft) => saidIn(draft) !== undefined],
  ['expressions', 15, expressions, ({ target: { id } }) => id === 'nodeTypes.try' || id === 'executeNodeType'],
  ['too large', 0.3, oversize, (draft) => saidIn(draft) !== undefined],
  ['wrong query', 6, queryValue, () => true],
  ['broken query', 3, queryRaw, () => true],
  ['wrong id', 5, pathId, (draft) => openParts(draft).length > 0],
  ['broken path', 2, pathRaw, () => true],
  ['wrong type', 2, contentType, () => true],
  ['header', 5, header, () => true],
  ['method', 1, method, () => true],
  ['form', 12, form, isForm],
  ['batch', 4, batch, ({ target }) => target.over !== 'rest'],
  ['bare bytes', 1, bare, () => true],
]

/** A valid request with an attack in it. */
export function attacked(draft: Draft, random: Random, prey: Prey): Attacked {
  const fitting = all.filter(([, , , fits]) => fits(draft))
  let drawn = random.next() * fitting.reduce((sum, [, weight]) => sum + weight, 0)
  const [name, , attack] = fitting.find(([, weight]) => (drawn -= weight) < 0) ?? fitting[0]!
  return { attack: name, ...attack(draft, random, prey) }
}

/** For sockets, whose messages are JSON: the text of a value that was spoiled. */
export const spoiledText = (value: Json, random: Random, prey: Prey): string => jsonText(spoiled(value, random, prey), exact)

import { Fault } from '@sluice/schema'
import { expect, test } from 'vitest'
import { isGuarded } from '../../src/dialects/dialect.ts'
import { describeDialect } from '../../src/openapi/dialect.ts'
import { serve } from './serve.ts'
import { toyDialect } from './toy-dialect.ts'

const toy = () => serve({ dialects: [toyDialect] })

test('a row asks one procedure of the core, and answers in its own words below each of its mounts', async () => {
  const { ask, calls, url } = await toy()
  for (const path of ['/things/', '/things', '/old/things/']) {
    const made = await ask('POST', path, { thing: 'Invoice', more: 1 })
    expect([made.status, made.body]).toEqual([200, { thing: 'Invoice', at: url }])
  }
  expect(calls.filter(({ name }) => name === 'workflows.create').map(({ args }) => args[1])).toEqual(Array(3).fill({ name: 'Invoice' }))
  const loud = await ask('POST', '/things/?loud=true&loud=true', { thing: 'a' })
  expect([loud.status, calls.at(-1)!.args[1]]).toEqual([200, { name: 'A' }])
  const dropped = await ask('DELETE', '/things/x/')
  expect([dropped.status, dropped.text]).toEqual([204, ''])
})

test('what does not fit the wire is told with its place, all at once, in the manner of the dialect, and reaches no procedure', async () => {
  const { ask, calls } = await toy()
  const before = calls.length
  const reply = await ask('POST', '/things/?loud=maybe', { thing: 5 })
  expect([reply.status, reply.body.oops]).toEqual([400, 'input_invalid'])
  expect(reply.body.where).toEqual(['query loud invalid_type maybe', 'body thing invalid_type 5'])
  expect((await ask('POST', '/things/')).body.where).toEqual(['body invalid_type undefined'])
  expect(calls.slice(before).filter(({ name }) => name.startsWith('workflows.'))).toEqual([])
})

test('a row that takes any body reads it by its type, and is told of the request; other rows are not', async () => {
  const { ask, calls } = await toy()
  const told = async (body: string | undefined, type: string) => {
    const { status } = await ask('POST', '/things/t/tell/?a=1&b=2&b=3', body, { 'content-type': type, 'x-one': 'two' })
    expect(status).toBe(202)
    return calls.at(-1)!.args[1]
  }
  const request = { name: 't', query: { a: '1', b: ['2', '3'] } }
  for (const [body, type, read] of [
    ['{"a":[1]}', 'application/json', { a: [1] }],
    ['[1]', 'application/cloudevents+json', [1]],
    ['a=1&a=2&b=%C3%A4', 'application/x-www-form-urlencoded', { a: ['1', '2'], b: 'ä' }],
    ['{"a":', 'text/plain', '{"a":'],
    [undefined, 'text/plain', null],
  ] as const)
    expect(await told(body, type)).toEqual({ ...request, body: read, headers: expect.objectContaining({ 'x-one': 'two', 'content-type': type }) })
  expect((await ask('POST', '/things/t/tell/', '{"a":')).body.oops).toBe('json_malformed')
  expect((await ask('POST', '/things/', 'thing=a', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415)
})

test('every error at its addresses is in its manner: no row, a wrong method, no credential, a broken body', async () => {
  const { ask } = await toy()
  const told = async (...asked: Parameters<typeof ask>) => {
    const { status, body } = await ask(...asked)
    return [status, body.oops]
  }
  expect(await told('GET', '/things/a/b/c')).toEqual([404, 'route_missing'])
  expect(await told('GET', '/old/things/a/b/c')).toEqual([404, 'route_missing'])
  expect(await told('PUT', '/things/')).toEqual([405, 'route_missing'])
  expect(await told('POST', '/things/', { thing: 'a' }, { authorization: 'Bearer nobody' })).toEqual([401, 'credential_invalid'])
  expect(await told('POST', '/things/', '{"thing":', { 'content-type': 'application/json' })).toEqual([400, 'json_malformed'])
  expect((await ask('GET', '/nothing')).body.error.code).toBe('route_missing')
})

test('a row may turn a fault into an answer, and a value into another status', async () => {
  const { ask, parts } = await toy()
  parts.workflows.get = () => Promise.reject(new Fault('workflow_missing'))
  expect((await ask('GET', '/things/none/')).body).toEqual([])
  const missing = await ask('GET', '/things/other/')
  expect([missing.status, missing.body.oops]).toEqual([404, 'workflow_missing'])
  const pot = await ask('POST', '/things/', { thing: 'teapot' })
  expect([pot.status, pot.body]).toEqual([418, { teapot: true }])
})

test('an answer is made of the time at which it is made, however long the core took', async () => {
  const { ask, parts } = await toy()
  const { get } = parts.workflows
  let done = 0
  parts.workflows.get = async (...asked) => {
    await new Promise((resolve) => setTimeout(resolve, 50))
    done = Date.now()
    return get(...asked)
  }
  expect(Date.parse((await ask('GET', '/things/x/')).body[0].at)).toBeGreaterThanOrEqual(done)
})

test('a GET that changes something takes no cookie and is not fetched ahead, by a HEAD nothing is done, and its answer is kept nowhere', async () => {
  const { ask, calls } = await toy()
  const emptied = () => calls.filter(({ name }) => name === 'workflows.reset').length
  const page = { authorization: '', cookie: 'sluice_session=owner-token', 'sec-fetch-site': 'same-origin' }
  const byCookie = await ask('GET', '/things/x/empty/', undefined, page)
  expect([byCookie.status, byCookie.body.oops]).toEqual([401, 'credential_missing'])
  // Of a GET that changes nothing the same cookie is taken.
  expect((await ask('GET', '/things/x/', undefined, page)).status).toBe(200)
  const ahead = [
    ['sec-purpose', 'prefetch'],
    ['sec-purpose', 'prefetch;prerender'],
    ['purpose', 'prefetch'],
    ['x-purpose', 'preview'],
    ['x-moz', 'prefetch'],
  ] as const
  for (const [header, purpose] of ahead) {
    const refused = await ask('GET', '/things/x/empty/', undefined, { [header]: purpose })
    expect([refused.status, refused.body.oops]).toEqual([400, 'input_invalid'])
    expect((await ask('GET', '/things/x/', undefined, { [header]: purpose })).status).toBe(200)
  }
  for (const path of ['/things/x/empty/', '/things/x/empty', '/old/things/x/empty/']) {
    const head = await ask('HEAD', path)
    expect([head.status, head.headers.get('allow')]).toEqual([405, 'GET'])
  }
  expect(emptied()).toBe(0)
  const done = await ask('GET', '/things/x/empty/')
  expect([done.status, done.headers.get('cache-control'), emptied()]).toEqual([200, 'no-store', 1])
  expect((await ask('HEAD', '/things/x/')).status).toBe(200)
  expect(isGuarded(toyDialect.rows.find(({ name }) => name === 'getThing')!)).toBe(false)
})

test('its rows are procedures too, with the credential and the permission of the procedure behind them', async () => {
  const { ask } = await toy()
  const made = await ask('POST', '/trpc/dialects.toy.makeThing', { body: { thing: 'Invoice' } })
  expect([made.status, made.body.result.data.thing]).toEqual([200, 'Invoice'])
  const refused = await ask('POST', '/trpc/dialects.toy.makeThing', { body: { thing: 'Invoice' } }, { authorization: '' })
  expect([refused.status, refused.body.error.data.code]).toEqual([401, 'credential_missing'])
  // What asks for nothing may be asked with nothing.
  expect((await ask('GET', '/trpc/dialects.toy.listThings')).body.result.data).toEqual(expect.any(Array))
  const wrong = await ask('POST', '/trpc/dialects.toy.makeThing', { body: {} })
  expect([wrong.status, wrong.body.error.data.issues[0].path]).toEqual([400, ['body', 'thing']])
})

test('what is described is what is served: paths, statuses, errors, extensions, losses', () => {
  const { paths, servers, info } = describeDialect(toyDialect)
  expect(servers).toEqual([{ url: '/' }, { url: '/old' }])
  expect(Object.entries(paths).map(([path, methods]) => [path, Object.keys(methods)])).toEqual([
    ['/things/', ['post', 'get']],
    ['/things/{id}/', ['get', 'delete']],
    ['/things/{id}/empty/', ['get']],
    ['/things/{id}/tell/', ['post']],
  ])
  expect(Object.keys(paths['/things/']!['post']!['responses'] as object)).toEqual(expect.arrayContaining(['200', '400', '401', '403', '418', '429', '503']))
  expect(paths['/things/{id}/empty/']!['get']!['description']).toContain('no cookie')
  expect(paths['/things/{id}/']!['get']!['x-sluice-extension']).toBe(true)
  expect(paths['/things/{id}/']!['delete']!['responses']).toHaveProperty('204')
  expect(info['description']).toContain('Other things: there are none')
})

import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { AddressedWebhook, Delivered, Delivery, JsonObject, Page, Run, Webhook } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { flow, template } from './support/flow.ts'
import { here } from './support/processes.ts'
import { type Caller, callerOf, refusal, testServer } from './support/server.ts'

interface Sent {
  status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look where they expect something to be
  body: any
  text: string
}

/** As a sender does it, who has no credential. */
async function send(url: string, address: string, body?: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}, method = 'POST'): Promise<Sent> {
  const response = await fetch(url + address, { method, headers, ...(body !== undefined && { body }) })
  const text = await response.text()
  return { status: response.status, text, body: text === '' ? null : JSON.parse(text) }
}

const json = { 'content-type': 'application/json' }
const sendJson = (url: string, address: string, body: unknown, headers: Record<string, string> = {}): Promise<Sent> =>
  send(url, address, JSON.stringify(body), { ...json, ...headers })

const create = (server: Caller, input: JsonObject): Promise<AddressedWebhook> => server.call('POST', '/v1/webhooks', input)

async function deliveries(server: Caller, webhook: string, query = ''): Promise<Delivery[]> {
  return (await server.call<Page<Delivery>>('GET', `/v1/webhooks/${webhook}/deliveries?limit=100${query}`)).items
}

/** The delivery once it is so. */
async function delivery(server: Caller, webhook: string, id: string, holds: (delivery: Delivery) => boolean, ms = 20_000): Promise<Delivery> {
  for (const end = Date.now() + ms; ;) {
    const found = (await deliveries(server, webhook)).find((each) => each.id === id)
    if (found && holds(found)) return found
    if (Date.now() > end) throw new Error(`It did not come so: ${JSON.stringify(found)}`)
    await sleep(20)
  }
}

const isDone = ({ status }: Delivery): boolean => status === 'done'

/** The input of the run that a delivery started. */
async function startedWith(server: Caller, webhook: string, id: string): Promise<JsonObject> {
  const { runId } = await delivery(server, webhook, id, isDone)
  return (await server.wait(runId!)).input as JsonObject
}

const passing = flow({ in: 'input', out: 'output' }, ['in > out'])

describe('a delivery that starts a run', () => {
  test('is its input, under its id, and is shown with the run that it started', async () => {
    await using server = await testServer()
    const workflow = await server.workflow(passing, 'Orders')
    const { address, ...webhook } = await create(server, { name: 'orders', trigger: { workflow: 'orders' } })
    expect(webhook).toMatchObject({ name: 'orders', hasAddress: true, signature: null, trigger: { workflow: workflow.id } })
    expect(address).toMatch(new RegExp(`^/v1/hooks/${webhook.id}/[A-Za-z0-9_-]{43}$`))

    const sent = await sendJson(
      server.url,
      `${address}?a=1&b=2&b=3`,
      { amount: 5, Ä: '😀' },
      { 'X-Github-Event': 'push', authorization: 'Bearer theirs', cookie: 'c=1', 'x-signature': 's' },
    )
    expect(sent).toMatchObject({ status: 202, body: { delivery: expect.stringMatching(/^[a-z0-9]{15}$/), repeated: false } })
    const { delivery: id } = sent.body
    const done = await delivery(server, 'orders', id, isDone)
    expect(done).toMatchObject({ webhookId: webhook.id, senderId: null, redelivers: null, attempts: 1, error: null, retryAt: null, producers: 0, method: 'POST' })
    const run = await server.wait(done.runId!)
    expect(run).toMatchObject({ status: 'completed', workflowId: workflow.id, trigger: 'webhook', transactionId: id })
    expect(run.input).toEqual({
      id,
      body: { amount: 5, Ä: '😀' },
      method: 'POST',
      query: { a: '1', b: ['2', '3'] },
      headers: expect.objectContaining({ 'x-github-event': 'push', 'content-type': 'application/json' }),
      receivedAt: done.receivedAt,
    })
    expect(Object.keys((run.input as { headers: JsonObject }).headers).filter((name) => /authorization|cookie|signature|connection/.test(name))).toEqual([])
    expect(await server.call<Webhook>('GET', `/v1/webhooks/${webhook.id}`)).toEqual(webhook)
  })

  test('has its body by the type it came with: JSON, a form, text, or nothing', async () => {
    await using server = await testServer()
    await server.workflow(passing, 'Any')
    const { address } = await create(server, { name: 'any', trigger: { workflow: 'any' } })
    const kept = async (body: string | undefined, type: string | null, method = 'POST') => {
      const sent = await send(server.url, address, body, type === null ? {} : { 'content-type': type }, method)
      return sent.status === 202 ? (await startedWith(server, 'any', sent.body.delivery))['body'] : [sent.status, sent.body.error.code]
    }
    expect(await kept('[1, null]', 'application/json')).toEqual([1, null])
    expect(await kept('{"a":1}', 'Application/CloudEvents+JSON; charset=UTF-8', 'PUT')).toEqual({ a: 1 })
    expect(await kept('a=1&b=%C3%A4+x&b=2&__proto__=3', 'application/x-www-form-urlencoded')).toEqual({ a: '1', b: ['ä x', '2'] })
    expect(await kept('  plain\r\n ä', 'text/plain')).toBe('  plain\r\n ä')
    expect(await kept('{"a":1', 'text/plain')).toBe('{"a":1')
    expect(await kept(undefined, null)).toBeNull()
    expect(await kept('', 'application/json')).toBeNull()
    for (const bad of ['{"a":1', 'null null', '1e400', '{"a":"\\u0000"}']) expect([bad, await kept(bad, 'application/json')]).toEqual([bad, [400, 'json_malformed']])
    expect(await kept('a=%', 'application/x-www-form-urlencoded')).toEqual([400, 'input_invalid'])
    const bytes = await send(server.url, address, Uint8Array.of(255, 254, 0), { 'content-type': 'application/octet-stream' })
    expect([bytes.status, bytes.body.error.code]).toEqual([415, 'media_unsupported'])
    const packed = await send(server.url, address, '{}', { ...json, 'content-encoding': 'gzip' })
    expect([packed.status, packed.body.error.code]).toEqual([415, 'media_unsupported'])
    for (const method of ['GET', 'DELETE', 'PATCH']) expect([method, (await send(server.url, address, undefined, {}, method)).status]).toEqual([method, 405])
  })

  test('may have 1 MiB, and not a byte more', async () => {
    await using server = await testServer()
    await server.workflow(flow({ in: 'input', out: template('ok') }, ['in > out']), 'Large')
    const { address } = await create(server, { name: 'large', trigger: { workflow: 'large' } })
    const whole = `"${'ä'.repeat(2 ** 19 - 1)}"`
    expect(Buffer.byteLength(whole)).toBe(2 ** 20)
    const sent = await send(server.url, address, whole, json)
    expect(sent.status).toBe(202)
    expect((await startedWith(server, 'large', sent.body.delivery))['body']).toBe(JSON.parse(whole))
    expect(await deliveries(server, 'large')).toMatchObject([{ body: { truncated: 2 ** 20 } }])
    expect((await send(server.url, address, `${whole} `, json)).status).toBe(413)
  })

  test('that comes again under its id, from however many, starts one run', async () => {
    await using server = await testServer()
    const other = await server.another()
    await server.workflow(passing, 'Once')
    const { address } = await create(server, { name: 'once', idHeader: 'X-GitHub-Delivery', trigger: { workflow: 'once' } })
    const many = await Promise.all(Array.from({ length: 12 }, (_, n) => sendJson((n % 2 ? other : server).url, address, { n }, { 'x-github-delivery': 'd-1' })))
    expect(many.map(({ status }) => status)).toEqual(many.map(() => 202))
    expect(new Set(many.map(({ body }) => body.delivery)).size).toBe(1)
    expect(many.filter(({ body }) => !body.repeated)).toHaveLength(1)
    const { senderId, runId } = await delivery(server, 'once', many[0]!.body.delivery, isDone)
    expect(senderId).toBe('d-1')
    await server.wait(runId!)
    expect((await sendJson(server.url, address, {}, { 'x-github-delivery': 'd-1' })).body).toEqual({ delivery: many[0]!.body.delivery, repeated: true })
    for (const header of ['webhook-id', 'idempotency-key']) expect((await sendJson(server.url, address, {}, { [header]: 'd-1' })).body.repeated).toBe(true)
    const long = 'x'.repeat(5_000)
    expect((await sendJson(server.url, address, {}, { 'idempotency-key': long })).body.repeated).toBe(false)
    expect((await sendJson(server.url, address, {}, { 'idempotency-key': long })).body.repeated).toBe(true)
    // Of another webhook it is another one.
    const { address: elsewhere } = await create(server, { name: 'elsewhere' })
    expect((await sendJson(server.url, elsewhere, {}, { 'webhook-id': 'd-1' })).body.repeated).toBe(false)
    await sleep(300)
    expect((await server.call<Page<Run>>('GET', '/v1/runs?workflow=once&trigger=webhook')).items).toHaveLength(2)
  })

  test(
    'and cannot is tried again, and starts it once that is possible; of a deleted workflow it is dead, and its content can be delivered again',
    { timeout: 60_000 },
    async () => {
      await using server = await testServer()
      const workflow = await server.workflow(flow({ a: { type: 'nothing-of-ours' } }), 'Broken')
      const { address } = await create(server, { name: 'retried', trigger: { workflow: 'broken' } })
      const { body } = await sendJson(server.url, address, { n: 1 })
      const failed = await delivery(server, 'retried', body.delivery, ({ attempts }) => attempts === 1)
      expect(failed).toMatchObject({ status: 'pending', error: { code: 'definition_invalid' }, runId: null, settledAt: null })
      expect(Date.parse(failed.retryAt!) - Date.parse(failed.receivedAt)).toBeGreaterThan(4_000)
      await server.call('PATCH', `/v1/workflows/${workflow.id}`, { definition: passing })
      const done = await delivery(server, 'retried', body.delivery, isDone)
      expect(done).toMatchObject({ attempts: 2, error: null })
      expect((await server.wait(done.runId!)).status).toBe('completed')

      await server.call('DELETE', `/v1/workflows/${workflow.id}`)
      const late = await sendJson(server.url, address, { n: 2 })
      const dead = await delivery(server, 'retried', late.body.delivery, ({ status }) => status === 'dead')
      expect(dead).toMatchObject({ attempts: 1, error: { code: 'workflow_missing' }, retryAt: null, runId: null })
      await server.workflow(passing, 'Whole')
      await server.call('PATCH', '/v1/webhooks/retried', { trigger: { workflow: 'whole' } })
      const again = await server.call<Delivered>('POST', `/v1/webhooks/retried/deliveries/${dead.id}/redeliver`)
      expect(again).toMatchObject({ repeated: false, subscribers: 1 })
      expect(await startedWith(server, 'retried', again.id)).toMatchObject({ id: again.id, body: { n: 2 }, method: 'POST' })
      expect((await deliveries(server, 'retried', '&status=dead')).map(({ id }) => id)).toEqual([dead.id])
      expect(await deliveries(server, 'retried', `&where=${encodeURIComponent(JSON.stringify({ redelivers: dead.id }))}`)).toMatchObject([{ id: again.id }])
      expect((await refusal(server.call('POST', `/v1/webhooks/retried/deliveries/${workflow.id}/redeliver`))).code).toBe('delivery_missing')
    },
  )
})

describe('an address', () => {
  test('that is unknown, wrong, old or of a webhook without one is answered alike', async () => {
    await using server = await testServer()
    const { id, address } = await create(server, { name: 'a' })
    const bare = await server.call<Delivered>('POST', '/v1/webhooks/bare/deliver', {})
    const secret = address.split('/').at(-1)!
    const rotated = await server.call<AddressedWebhook>('POST', '/v1/webhooks/a/rotate')
    expect(rotated.address).not.toBe(address)
    const { address: ofAnother } = await create(server, { name: 'b' })
    const wrong = [
      `/v1/hooks/${id}/wrong`,
      `/v1/hooks/${id}/${'x'.repeat(5_000)}`,
      `/v1/hooks/${id}/%F0%9F%98%80`,
      `/v1/hooks/000000000000000/${secret}`,
      `/v1/hooks/a/${rotated.address.split('/').at(-1)}`,
      `/v1/hooks/${id}/${ofAnother.split('/').at(-1)}`,
      `/v1/hooks/${bare.webhookId}/${secret}`,
      `/v1/hooks/${bare.webhookId}/`,
      address,
    ]
    const answers = await Promise.all(wrong.map((path) => sendJson(server.url, path, {})))
    const told = answers.map(({ status, body }) => [status, body.error.code, body.error.message])
    expect(told).toEqual(
      wrong.map((path) => [404, ...(path.endsWith('/') ? ['route_missing', 'There is nothing at this address'] : ['webhook_missing', 'There is no such webhook'])]),
    )
    expect(await deliveries(server, 'a')).toEqual([])
    expect((await sendJson(server.url, rotated.address, {})).status).toBe(202)
    // One without an address gets one.
    const given = await server.call<AddressedWebhook>('POST', '/v1/webhooks/bare/rotate')
    expect((await sendJson(server.url, given.address, {})).status).toBe(202)
    await server.call('DELETE', '/v1/webhooks/a')
    expect((await sendJson(server.url, rotated.address, {})).status).toBe(404)
  })

  test('is told by nobody: not by logs, metrics, the audit log, lists, nor by errors', async () => {
    await using server = await testServer({ SLUICE_LOG_LEVEL: 'trace', SLUICE_RATE_LIMIT: 'api=100' })
    const signing = 'a secret that signs deliveries'
    const { address } = await create(server, { name: 'quiet', signature: { scheme: 'hmac-sha256', header: 'x-proof', secret: signing } })
    const proof = createHmac('sha256', signing).update('{}').digest('hex')
    const said: string[] = []
    const tell = async (path: string, init: RequestInit): Promise<void> => {
      const response = await fetch(server.url + path, init)
      said.push(`${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`)
    }
    await tell(address, { method: 'POST', headers: { ...json, 'x-proof': proof }, body: '{}' })
    await tell(address, { method: 'POST', headers: { ...json, 'x-proof': 'wrong' }, body: '{}' })
    await tell(address, { method: 'POST', headers: { ...json, 'x-proof': createHmac('sha256', signing).update('{').digest('hex') }, body: '{' })
    await tell(address, { method: 'GET' })
    await tell(`${address}/more`, { method: 'POST' })
    await tell(`${address}%`, { method: 'POST' })
    await server.db.database.query('alter table deliveries rename to hidden')
    await tell(address, { method: 'POST', headers: { ...json, 'x-proof': proof }, body: '{}' })
    await server.db.database.query('alter table hidden rename to deliveries')
    for (let n = 0; n < 100; n++) await fetch(server.url + address)
    await tell(address, { method: 'POST', headers: { ...json, 'x-proof': proof }, body: '{}' })
    expect(said.map((each) => each.slice(0, 3))).toEqual(['202', '401', '400', '405', '404', '400', '500', '429'])
    for (const path of ['/v1/webhooks', '/v1/webhooks/quiet', '/v1/webhooks/quiet/deliveries', '/v1/audit?limit=100']) said.push(JSON.stringify(await server.call('GET', path)))
    said.push(await (await fetch(`${server.url}/metrics`)).text(), ...server.lines)
    const secret = address.split('/').at(-1)!
    expect(server.lines.some((line) => line.includes('"status":202'))).toBe(true)
    expect(said.filter((each) => each.includes('/v1/hooks/')).length).toBeGreaterThan(3)
    for (const hidden of [secret, signing, proof]) expect(said.filter((each) => each.includes(hidden))).toEqual([])
    const rows = await server.db.database.query('select webhooks::text as row from webhooks union all select deliveries::text from deliveries')
    for (const hidden of [secret, signing, proof]) expect(JSON.stringify(rows)).not.toContain(hidden)
  })
})

describe('a signed delivery', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const standard = (id: string, body: string, at = Math.floor(Date.now() / 1_000)): Record<string, string> => ({
    ...json,
    'webhook-id': id,
    'webhook-timestamp': String(at),
    'webhook-signature': `v1,${createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
      .update(`${id}.${at}.${body}`)
      .digest('base64')}`,
  })
  const refused = [401, 'signature_invalid']
  const toldOf = ({ status, body }: Sent): unknown => (status === 202 ? body.repeated : [status, body.error.code])

  test('of Standard Webhooks is taken once, however often its sender signs it anew; what is changed, unsigned or old is refused', async () => {
    await using server = await testServer()
    const { address } = await create(server, { name: 'signed', signature: { scheme: 'standard', secret } })
    const body = '{ "ä":  1 }\n'
    const sent = await send(server.url, address, body, standard('msg_1', body))
    expect(toldOf(sent)).toBe(false)
    const past = Math.floor(Date.now() / 1_000) - 60
    expect(await send(server.url, address, body, standard('msg_1', body, past))).toMatchObject({ status: 202, body: { delivery: sent.body.delivery, repeated: true } })
    expect(toldOf(await send(server.url, address, body, { ...standard('msg_1', body), 'webhook-id': 'msg_2' }))).toEqual(refused)
    expect(toldOf(await send(server.url, address, `${body} `, standard('msg_3', body)))).toEqual(refused)
    expect(toldOf(await send(server.url, address, body, json))).toEqual(refused)
    const now = Math.floor(Date.now() / 1_000)
    for (const [at, answer] of [
      [now - 295, false],
      [now + 295, false],
      [now - 310, refused],
      [now + 310, refused],
    ] as const)
      expect(toldOf(await send(server.url, address, body, standard(`at_${at}`, body, at)))).toEqual(answer)
    // Who does not know the address learns nothing of signatures.
    expect(toldOf(await send(server.url, `${address}x`, body, json))).toEqual([404, 'webhook_missing'])
    expect((await deliveries(server, 'signed')).map(({ senderId }) => senderId)).toEqual([`at_${now + 295}`, `at_${now - 295}`, 'msg_1'])
    // An authenticated caller needs no signature; without one from now on nobody does.
    expect((await server.call<Delivered>('POST', '/v1/webhooks/signed/deliver', { body: 1 })).repeated).toBe(false)
    await server.call('PATCH', '/v1/webhooks/signed', { signature: null })
    expect(toldOf(await send(server.url, address, body, json))).toBe(false)
  })

  test('by a plain HMAC with a time is known by its signature, whatever unsigned id stands beside it', async () => {
    await using server = await testServer()
    const key = 'a key that both know'
    const { address } = await create(server, { name: 'timed', signature: { scheme: 'hmac-sha256', header: 'X-Signature', timestampHeader: 'x-time', secret: key } })
    const timed = (body: string, at: number): Record<string, string> => ({
      'x-time': String(at),
      'x-signature': `sha256=${createHmac('sha256', key).update(`${at}.${body}`).digest('hex')}`,
    })
    const now = Math.floor(Date.now() / 1_000)
    const first = await send(server.url, address, '{}', { ...json, ...timed('{}', now) })
    expect(toldOf(first)).toBe(false)
    expect((await send(server.url, address, '{}', { ...json, ...timed('{}', now) })).body).toEqual({ delivery: first.body.delivery, repeated: true })
    expect((await send(server.url, address, '{}', { ...json, ...timed('{}', now), 'webhook-id': 'another' })).body).toEqual({ delivery: first.body.delivery, repeated: true })
    expect(toldOf(await send(server.url, address, '{}', { ...json, ...timed('{}', now - 1) }))).toBe(false)
    expect(toldOf(await send(server.url, address, '{}', { ...json, ...timed('{}', now - 301) }))).toEqual(refused)

    // Over the body alone equal contents have equal signatures: the sender's id tells them apart.
    const { address: plain } = await create(server, {
      name: 'plain',
      idHeader: 'x-github-delivery',
      signature: { scheme: 'hmac-sha256', header: 'x-hub-signature-256', secret: key },
    })
    const hub = (id?: string): Record<string, string> => ({
      ...json,
      'x-hub-signature-256': `sha256=${createHmac('sha256', key).update('{}').digest('hex')}`,
      ...(id !== undefined && { 'x-github-delivery': id }),
    })
    const answers = []
    for (const id of ['1', '2', '1', undefined, undefined]) answers.push(toldOf(await send(server.url, plain, '{}', hub(id))))
    expect(answers).toEqual([false, false, true, false, true])
  })
})

test('a name is given to one webhook, however many ask for it at once, by whatever way', async () => {
  await using server = await testServer()
  for (let round = 0; round < 5; round++) {
    const made = await Promise.all(Array.from({ length: 8 }, (_, n) => create(server, { name: `hook-${round}-${n}` })))
    const name = `one-${round}`
    const renamed = made.map(({ id }) => server.call('PATCH', `/v1/webhooks/${id}`, { name }))
    const results = await Promise.allSettled([...renamed, create(server, { name })])
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ status: 409, code: 'name_taken' })
  }
})

test('the example in shell of docs/webhooks.md delivers, as written', async () => {
  await using server = await testServer()
  await server.workflow(passing, 'Invoice')
  const page = readFileSync(here('../../docs/webhooks.md'), 'utf8')
  const [, secret] = /secret: '(whsec_[^']+)'/.exec(page)!
  const [, script] = /^```sh\n([\s\S]*?)^```$/m.exec(page)!
  const { address } = await create(server, { name: 'payments', trigger: { workflow: 'invoice' }, signature: { scheme: 'standard', secret: secret! } })
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script!], { env: { PATH: process.env['PATH'], address: server.url + address } })
  const { delivery: id, repeated } = JSON.parse(stdout) as { delivery: string; repeated: boolean }
  expect(repeated).toBe(false)
  expect(await startedWith(server, 'payments', id)).toMatchObject({ id, body: { invoice: 'inv-42', paid: true } })
})

/** A run that waits for deliveries; each goes through a step that waits to be reported, or through none. */
const listening = (name: string, busy = false) =>
  busy
    ? flow({ hook: { type: 'webhook', config: { name } }, work: 'external' }, ['hook > work'])
    : flow({ hook: { type: 'webhook', config: { name } }, seen: template('{{ nodes.hook.body }}') }, ['hook > seen'])

/** What a producer has given, in its order. */
async function items(server: Caller, run: Run): Promise<{ id: string; body: unknown }[]> {
  const steps = (await server.steps(run)).filter(({ nodeId, iteration, output }) => nodeId === 'hook' && iteration !== '' && output !== null)
  return steps.sort((one, other) => Number(one.iteration) - Number(other.iteration)).map(({ output }) => output as { id: string; body: unknown })
}

const isListening = (run: Run): boolean => run.waitingOn.some((each) => each.kind === 'signal')

describe('a delivery that producers wait for', () => {
  test('goes to each of them, on whichever server, once and in the order they came; what came before their run does not', { timeout: 60_000 }, async () => {
    await using server = await testServer()
    const other = await server.another()
    const { address } = await create(server, { name: 'orders' })
    const early = await sendJson(server.url, address, 'early')
    await sleep(20)
    const workflow = await server.workflow(listening('orders'))
    const runs = [await server.start(workflow), await server.start(workflow), await other.start(await server.workflow(listening('orders'), 'Other'))]
    for (const run of runs) await server.wait(run, isListening)
    const sent = await Promise.all(Array.from({ length: 30 }, (_, n) => sendJson((n % 2 ? other : server).url, address, n)))
    const ids = sent.map(({ body }) => body.delivery as string).sort()
    for (const id of ids) await delivery(server, 'orders', id, ({ producers }) => producers === 3)
    for (const run of runs) {
      expect((await items(server, run)).map(({ id }) => id)).toEqual(ids)
      expect((await server.get(run)).status).toBe('waiting')
    }
    expect(await delivery(server, 'orders', early.body.delivery, ({ status }) => status === 'unheard')).toMatchObject({ producers: 0 })
    for (const run of runs) await server.call('POST', `/v1/runs/${run.id}/cancel`, {})
    for (const run of runs) expect((await server.wait(run)).status).toBe('cancelled')
    expect((await server.call<Delivered>('POST', '/v1/webhooks/orders/deliver', {})).subscribers).toBe(0)
  })

  test('waits while one is busy with an item, and is kept for it beyond its time', { timeout: 60_000 }, async () => {
    await using server = await testServer()
    const run = await server.start(await server.workflow(listening('slow', true)))
    await server.wait(run, isListening)
    const deliver = (body: unknown) =>
      server.call<Delivered>('POST', '/v1/webhooks/slow/deliver', { body, headers: { Authorization: 'mine', 'X-A': 'b' }, query: { q: ['1', '2'] } })
    const sent = [await deliver('a'), await deliver('b'), await deliver('c')]
    expect(sent.map(({ subscribers }) => subscribers)).toEqual([1, 1, 1])
    const [first] = sent
    expect(await delivery(server, 'slow', first!.id, isDone)).toMatchObject({ producers: 1, headers: { 'x-a': 'b' }, query: { q: ['1', '2'] }, method: 'POST' })
    // Two days later what is done goes, and what it has yet to come to stays.
    await server.db.database.query(`update deliveries set settled_at = settled_at - interval '2 days'`)
    const { deleteDoneDeliveries, deleteOldDeliveries } = await import('../packages/server/src/store/rows/retention.ts')
    const day = new Date(Date.now() - 86_400_000)
    expect(await deleteDoneDeliveries(server.db.database, day, 10)).toBe(1)
    expect((await deliveries(server, 'slow')).map(({ body }) => body)).toEqual(['c', 'b'])
    for (const body of ['a', 'b', 'c']) {
      await server.wait(run, ({ waitingOn }) => waitingOn.some(({ kind }) => kind === 'report'))
      expect((await items(server, run)).at(-1)).toMatchObject({ body })
      await server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'work', outcome: 'completed', output: {} })
      await server.wait(run, ({ waitingOn }) => waitingOn.some(({ kind }) => kind === 'signal') || waitingOn.some(({ kind }) => kind === 'report'))
    }
    expect((await items(server, run)).map(({ body }) => body)).toEqual(['a', 'b', 'c'])
    expect(await deleteDoneDeliveries(server.db.database, day, 10)).toBe(2)
    expect(await deleteOldDeliveries(server.db.database, day, 10)).toBe(0)
  })

  test('is for its workspace alone', async () => {
    await using server = await testServer()
    const elsewhere = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere', handle: 'elsewhere' })
    const { token } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: elsewhere.id })
    const there = callerOf(server.url, token)
    const ours = await create(server, { name: 'same' })
    const theirs = await create(there, { name: 'same' })
    const run = await server.start(await server.workflow(listening('same')))
    await server.wait(run, isListening)
    expect((await there.call<Delivered>('POST', '/v1/webhooks/same/deliver', { body: 'theirs' })).subscribers).toBe(0)
    await sendJson(server.url, theirs.address, 'theirs')
    const mine = await sendJson(server.url, ours.address, 'ours')
    await delivery(server, 'same', mine.body.delivery, isDone)
    expect((await items(server, run)).map(({ body }) => body)).toEqual(['ours'])
    expect((await deliveries(there, 'same')).map(({ status }) => status)).toEqual(['unheard', 'unheard'])
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/deliveries'],
      ['POST', '/rotate'],
      ['POST', `/deliveries/${mine.body.delivery}/redeliver`],
      ['DELETE', ''],
    ] as const)
      expect([path, (await refusal(there.call(method, `/v1/webhooks/${ours.id}${path}`))).code]).toEqual([path, 'webhook_missing'])
    expect((await refusal(there.call('PATCH', `/v1/webhooks/${theirs.id}`, { trigger: { workflow: run.workflowId } }))).code).toBe('workflow_missing')
  })
})

import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import type { JsonObject, Schedule } from '@sluice/schema'
import { afterEach, expect, test } from 'vitest'
import { here } from '../support/processes.ts'
import { testServer } from '../support/server.ts'

/** The workflows of `examples/` do what their comments say, by themselves and with a shop beside them. */

const settings = { SLUICE_WORKFLOWS: here('../../examples/workflows') }
const order = { id: 'o_1', customer: 'c_42', items: [{ sku: 'tea', quantity: 2, price: 12 }] }

afterEach(() => void delete process.env['SHOP_URL'])

/** A shop that keeps what it is asked, and refuses what it is told to. */
async function shop(refused: Record<string, number> = {}) {
  const asked: { path: string; key: unknown; body: JsonObject }[] = []
  const service = createServer(async (request, response) => {
    const path = request.url!
    asked.push({ path, key: request.headers['idempotency-key'], body: (await json(request)) as JsonObject })
    const answer = { '/reservations': { reservation: 'res_1' }, '/charges': { charge: 'ch_1' } }[path] ?? {}
    response.writeHead(refused[path] ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  process.env['SHOP_URL'] = `http://127.0.0.1:${(service.address() as { port: number }).port}`
  return { asked, paths: () => asked.map(({ path }) => path), [Symbol.asyncDispose]: () => new Promise<void>((resolve) => service.close(() => resolve())) }
}

test('an order is reserved, charged and shipped, and is done when the carrier has reported', async () => {
  await using server = await testServer(settings)
  const run = await server.start('order', { input: order, transactionId: 'o_1', wait: { until: 'parked' } })
  expect(run).toMatchObject({ status: 'waiting', waitingOn: [{ kind: 'report', step: 'ship' }] })
  await server.call('POST', '/v1/steps/report', { run: { workflow: 'order', transactionId: 'o_1' }, step: 'ship', outcome: 'completed', output: { tracking: 'T-1' } })
  expect(await server.wait(run)).toMatchObject({ status: 'completed', output: { id: 'o_1', amount: 24, charge: expect.stringMatching(/^ch-/), tracking: 'T-1' } })
})

test('an order whose parcel cannot be sent is undone, newest first, and each call has a key of its own', async () => {
  await using services = await shop()
  await using server = await testServer(settings)
  const run = await server.start('order', { input: order, wait: { until: 'parked' } })
  await server.call('POST', '/v1/steps/report', { run: { id: run.id }, step: 'ship', outcome: 'failed', error: { code: 'lost', message: 'The parcel was lost' } })
  expect(await server.wait(run)).toMatchObject({ status: 'compensated', reason: { step: 'ship' } })
  expect(services.paths()).toEqual(['/reservations', '/charges', '/parcels', '/parcels/recall', '/charges/refund', '/reservations/release'])
  expect(services.asked[1]!.body).toEqual({ customer: 'c_42', amount: 24 })
  // What undoes a call names the key of that call.
  const [reserved, charged, parcel] = services.asked.map(({ key }) => key)
  expect(services.asked.slice(-3).map(({ body }) => body)).toEqual([{ step: parcel }, { charge: 'ch_1', step: charged }, { reservation: 'res_1', step: reserved }])
  expect(new Set(services.asked.map(({ key }) => key)).size).toBe(6)
})

test('a charge that is refused is not tried again, and nothing is shipped', async () => {
  await using services = await shop({ '/charges': 402 })
  await using server = await testServer(settings)
  expect(await server.start('order', { input: order, wait: { until: 'finished' } })).toMatchObject({ status: 'compensated', reason: { step: 'charge' } })
  expect(services.paths()).toEqual(['/reservations', '/charges', '/charges/refund', '/reservations/release'])
})

test('a small amount is refunded at once, a large one when somebody has approved it', async () => {
  await using services = await shop()
  await using server = await testServer(settings)
  expect(await server.start('refund', { input: { charge: 'ch_1', amount: 20 }, wait: { until: 'finished' } })).toMatchObject({ status: 'completed', output: { refunded: 20 } })
  for (const [action, status, calls] of [
    ['decline', 'cancelled', 1],
    ['approve', 'completed', 2],
  ] as const) {
    const run = await server.start('refund', { input: { charge: 'ch_2', amount: 200 }, wait: { until: 'parked' } })
    const [pause] = await server.pauses(run)
    expect(pause).toMatchObject({ message: 'Refund 200 of ch_2?' })
    await server.decide(pause!, action)
    expect(await server.wait(run)).toMatchObject({ status })
    expect(services.asked).toHaveLength(calls)
  }
})

test('the digest has its schedule, and runs when it is told to', async () => {
  await using server = await testServer(settings)
  const { items } = await server.call<{ items: Schedule[] }>('GET', '/v1/schedules')
  expect(items).toMatchObject([{ cron: '0 8 * * 1', timeZone: 'Europe/Berlin', missed: 'once' }])
  expect(await server.start('digest', { wait: { until: 'finished' } })).toMatchObject({ status: 'completed', output: { revenue: 120 } })
})

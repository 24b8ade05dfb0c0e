// A payment service to try Sluice with: node examples/service.mjs [port]. It charges once per Idempotency-Key.
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'

const charges = new Map() // key → { charge, count }
createServer(async (request, response) => {
  const answer = (status, value) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
  if (request.method === 'GET' && request.url === '/ledger')
    return answer(
      200,
      [...charges].map(([key, { count }]) => ({ key, count })),
    )
  if (request.method !== 'POST' || request.url !== '/charge') return answer(404, { error: 'POST /charge or GET /ledger' })
  const { amount } = (await json(request).catch(() => null)) ?? {}
  const receivedKey = request.headers['idempotency-key'] ?? null
  const key = receivedKey ?? `none ${charges.size}`
  const seen = charges.get(key) ?? { charge: { id: `ch_${charges.size + 1}`, amount, receivedKey }, count: 0 }
  charges.set(key, { ...seen, count: seen.count + 1 })
  answer(200, seen.charge)
}).listen(Number(process.argv[2] ?? 4000), '127.0.0.1', function () {
  console.log(`payment service on http://127.0.0.1:${this.address().port}`)
})

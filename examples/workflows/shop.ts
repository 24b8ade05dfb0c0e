import { permanentFailure, type StepAt } from '@sluice/server'

/** How long an answer may take; after that the call counts as failed, though it may have arrived. */
const patienceMs = Number(process.env['SHOP_PATIENCE_MS'] ?? 10_000)

/**
 * The services that the examples call: at `SHOP_URL` over HTTP, or, without it, made up here, so that they run by themselves. The key of
 * the step goes along: who gets the same key again answers as before, and does nothing twice. What undoes a call names the key of that
 * call as `step`: where it never arrived nothing is undone, and it must do nothing when it arrives after all.
 */
export async function atShop<Answer>(path: string, body: object, { key, signal, log }: StepAt): Promise<Answer> {
  const shop = process.env['SHOP_URL']
  if (shop === undefined) {
    log('info', `${path} ${JSON.stringify(body)}`)
    return madeUp(path, key) as Answer
  }
  const response = await fetch(shop + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
    signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
  })
  const text = await response.text()
  // What is refused would be refused again; anything else is worth another attempt.
  if (response.status >= 400 && response.status < 500) return permanentFailure(`${path}: ${response.status} ${text}`)
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
  return JSON.parse(text) as Answer
}

function madeUp(path: string, key: string): object {
  const id = key.replaceAll(/[^A-Za-z0-9]+/g, '-')
  return { '/reservations': { reservation: `res-${id}` }, '/charges': { charge: `ch-${id}` }, '/sales': { orders: 3, revenue: 120 } }[path] ?? {}
}

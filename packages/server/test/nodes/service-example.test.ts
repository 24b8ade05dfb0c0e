import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('the service of the examples charges once a key, and its ledger counts the calls', async () => {
  const service = spawn(process.execPath, [fileURLToPath(new URL('../../../../examples/service.mjs', import.meta.url)), '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = (await once(service.stdout, 'data')) as [Buffer]
    const url = /http:\S+/.exec(line.toString())![0]
    const charge = async (key: string | null, body: string) =>
      (await fetch(`${url}/charge`, { method: 'POST', body, headers: key === null ? {} : { 'idempotency-key': key } })).json()
    expect(await charge('a', '{"amount":5}')).toEqual({ id: 'ch_1', amount: 5, receivedKey: 'a' })
    expect(await charge('a', '{"amount":9}')).toEqual({ id: 'ch_1', amount: 5, receivedKey: 'a' })
    expect(await charge('b', 'nonsense')).toEqual({ id: 'ch_2', receivedKey: 'b' })
    expect(await charge(null, '{"amount":1}')).toMatchObject({ id: 'ch_3', receivedKey: null })
    expect(await charge(null, '{"amount":1}')).toMatchObject({ id: 'ch_4', receivedKey: null })
    expect(await (await fetch(`${url}/ledger`)).json()).toEqual(
      expect.arrayContaining([
        { key: 'a', count: 2 },
        { key: 'b', count: 1 },
      ]),
    )
    expect((await fetch(`${url}/other`)).status).toBe(404)
  } finally {
    service.kill()
    await once(service, 'close')
  }
})

import type { AddressedWebhook, Delivery, Page, Run, Step } from '@sluice/schema'
import { expect, test } from 'vitest'
import { cases } from '../support/effort.ts'
import { flow, template } from '../support/flow.ts'
import { createRig, type Server } from '../support/rig.ts'

const send = (server: Server, address: string, id: string): Promise<number> =>
  fetch(server.url + address, { method: 'POST', headers: { 'content-type': 'application/json', 'webhook-id': id }, body: JSON.stringify({ id }) }).then(
    (response) => response.status,
    () => 0,
  )

test('servers killed with -9 while deliveries come: what was accepted starts one run and goes to the producer once, in order', { timeout: cases(150_000, 900_000) }, async () => {
  await using rig = await createRig()
  const stays = await rig.serve()
  const workflow = await rig.workflow(flow({ in: 'input', out: 'output' }, ['in > out']))
  const listener = await stays.begin(await rig.workflow(flow({ hook: { type: 'webhook', config: { name: 'orders' } }, seen: template('{{ nodes.hook.id }}') }, ['hook > seen'])))
  await rig.until('the producer waits', async () => (await stays.call<Run>('GET', `/v1/runs/${listener}`)).body.status === 'waiting', 20_000)
  const { address } = (await stays.call<AddressedWebhook>('POST', '/v1/webhooks', { name: 'orders', trigger: { workflow } })).body
  const accepted: string[] = []
  for (let round = 0; round < cases(2, 12); round++) {
    const killed = await rig.serve()
    let alive = true
    const load = async (sender: number): Promise<void> => {
      for (let n = 0; alive; n++) {
        const id = `${round}.${sender}.${n}`
        if ((await send(killed, address, id)) === 202) accepted.push(id)
      }
    }
    const loads = [0, 1, 2, 3].map(load)
    const until = accepted.length + 15
    await rig.until('15 were accepted', () => accepted.length >= until, 30_000)
    await killed.kill()
    alive = false
    await Promise.all(loads)
  }
  // Who got no answer sends again, and so may who got one.
  for (const id of accepted.slice(-10)) expect(await send(stays, address, id)).toBe(202)

  const deliveries = async (): Promise<Delivery[]> => {
    const all: Delivery[] = []
    for (let cursor = ''; ;) {
      const { items, nextCursor } = (await stays.call<Page<Delivery>>('GET', `/v1/webhooks/orders/deliveries?order=id&limit=100${cursor}`)).body
      all.push(...items)
      if (nextCursor === null) return all
      cursor = `&cursor=${nextCursor}`
    }
  }
  await rig.until('all are done', async () => (await deliveries()).every(({ status, producers }) => status === 'done' && producers === 1), 60_000)
  const kept = await deliveries()
  const ids = kept.map(({ senderId }) => senderId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(accepted.filter((id) => !ids.includes(id))).toEqual([])
  const runs = await rig.database.query<{ id: string; transaction_id: string }>(`select id, transaction_id from runs where trigger = 'webhook' order by transaction_id`)
  expect(runs.map((run) => run.transaction_id)).toEqual(kept.map(({ id }) => id))
  expect(kept.map(({ runId }) => runId)).toEqual(runs.map(({ id }) => id))
  await rig.ended(
    runs.map(({ id }) => id),
    30_000,
  )

  const items: string[] = []
  for (let cursor = ''; ;) {
    const { body } = await stays.call<Page<Step>>('GET', `/v1/runs/${listener}/steps?nodeId=hook&limit=100${cursor}`)
    items.push(...body.items.flatMap(({ iteration, output }) => (iteration === '' || output === null ? [] : [(output as { id: string }).id])))
    if (body.nextCursor === null) break
    cursor = `&cursor=${body.nextCursor}`
  }
  // Of many the last hundred are told.
  expect(items.sort()).toEqual(kept.map(({ id }) => id).slice(-items.length))
  expect(items.length).toBeGreaterThan(Math.min(kept.length, 100) - 1)
})

import { EventSource } from 'eventsource'
import PocketBase, { type RecordSubscription } from 'pocketbase'
import { afterEach, expect, test } from 'vitest'
import { createServer } from 'node:net'
import { cases } from '../../support/effort.ts'
import { eventually } from '../../support/processes.ts'
import { createRig, type Rig, type Server } from '../../support/rig.ts'

/** What subscribers are told when servers come and go, with the published SDK: it connects again and subscribes to all of its topics anew. */

Object.assign(globalThis, { EventSource })

/** A message, and what only those of a topic with replay have. */
type Told = RecordSubscription<{ id: string; title: string }> & { cursor?: string }

const open: PocketBase[] = []
afterEach(() => Promise.all(open.splice(0).map((pb) => pb.realtime.unsubscribe().catch(() => {}))))

async function listen({ url, token }: Server, options: { replay?: string; filter?: string } = {}): Promise<Told[]> {
  const pb = new PocketBase(url)
  pb.autoCancellation(false)
  pb.authStore.save(token)
  open.push(pb)
  const told: Told[] = []
  await pb.collection('workflow_sessions').subscribe<Told['record']>('*', (message: Told) => void told.push(message), { query: options })
  return told
}

const titles = (told: readonly Told[]): string[] => told.map(({ record }) => record.title)

async function create(server: Server, title: string): Promise<string> {
  const { status, body } = await server.call<{ id: string }>('POST', '/v1/sessions', { title })
  expect(status).toBe(201)
  return body.id
}

/** Whose clients come back to the same address. */
async function freePort(): Promise<string> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  return String(port)
}

async function leave({ program }: Server): Promise<void> {
  program.kill('SIGTERM')
  await program.ended
}

const serveAt = (rig: Rig, port: string): Promise<Server> => rig.serve({ env: { SLUICE_PORT: port } })

test('with replay nothing is lost and nothing told twice over a restart in good order; without, what happened meanwhile is not told', { timeout: 240_000 }, async () => {
  await using rig = await createRig()
  const port = await freePort()
  const [first, stays] = [await serveAt(rig, port), await rig.serve()]
  const [kept, plain] = [await listen(first, { replay: 'a' }), await listen(first)]
  for (let at = 0; at < 20; at++) await create(stays, `before ${at}`)
  await eventually('all is told', () => kept.length === 20 && plain.length === 20)
  await leave(first)
  for (let at = 0; at < 20; at++) await create(stays, `meanwhile ${at}`)
  await serveAt(rig, port)
  await eventually('what was missed is told', () => kept.length >= 40)
  // The other one may be coming back still.
  let marks = 0
  await eventually('both are back', async () => {
    await create(stays, `after ${marks++}`)
    return plain.length > 20
  })
  await eventually('all of it is told', () => kept.length >= 40 + marks)
  const expected = ['before', 'meanwhile'].flatMap((when) => Array.from({ length: 20 }, (_, at) => `${when} ${at}`))
  expect(titles(kept)).toEqual([...expected, ...Array.from({ length: marks }, (_, at) => `after ${at}`)])
  expect(titles(plain).filter((title) => title.startsWith('meanwhile'))).toEqual([])
  expect(new Set(kept.map(({ cursor }) => cursor)).size).toBe(kept.length)
})

test('with replay nothing is lost over kill -9: what is told again has the cursor that it had', { timeout: 240_000 }, async () => {
  await using rig = await createRig()
  const port = await freePort()
  const [first, stays] = [await serveAt(rig, port), await rig.serve()]
  const told = await listen(first, { replay: 'a' })
  const ids: string[] = []
  // Not all of them at once: how far it was told is written down every two seconds.
  for (let at = 0; at < 60; at++) {
    ids.push(await create(stays, `n ${at}`))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  first.program.kill('SIGKILL')
  await first.program.ended
  for (let at = 60; at < 80; at++) ids.push(await create(stays, `n ${at}`))
  await serveAt(rig, port)
  await eventually('all is told', () => new Set(told.map(({ record }) => record.id)).size === 80)
  const once = [...new Map(told.map((message) => [message.cursor, message])).values()]
  expect(once.map(({ record }) => record.id)).toEqual(ids)
  // Of 60, those of the last seconds at most.
  expect(told.length - once.length).toBeLessThan(55)
})

test('who comes back when what was missed is not kept any more is told so, and goes on', { timeout: 240_000 }, async () => {
  await using rig = await createRig()
  const port = await freePort()
  const [first, stays] = [await serveAt(rig, port), await rig.serve()]
  const told = await listen(first, { replay: 'a' })
  await create(stays, 'before')
  await eventually('it is told', () => told.length === 1)
  await leave(first)
  await create(stays, 'missed')
  // As retention does it.
  await rig.database.query(`update workspaces set trimmed_xid = pg_snapshot_xmax(pg_current_snapshot()), trimmed_position = 0`)
  await serveAt(rig, port)
  await eventually('it is told so', () => told.length >= 2)
  expect(told[1]).toMatchObject({ action: 'resync', record: {} })
  await create(stays, 'after')
  await eventually('it goes on', () => told.length >= 3)
  expect(titles(told.slice(2))).toEqual(['after'])
})

test('many subscribers are all told everything in order, over a restart of their server', { timeout: cases(240_000, 900_000) }, async () => {
  await using rig = await createRig()
  const port = await freePort()
  const [first, stays] = [await serveAt(rig, port), await rig.serve()]
  const subscribers: Told[][] = []
  // Not all of them in one moment; when their server comes back, they do that by themselves.
  for (let from = 0; from < cases(200, 1_000); from += 25)
    subscribers.push(...(await Promise.all(Array.from({ length: 25 }, (_, at) => listen(first, { replay: `r${from + at}` })))))
  const half = cases(25, 50)
  const change = async (from: number): Promise<void> => {
    for (let at = from; at < from + half; at++) await create(stays, `n ${at}`)
  }
  await change(0)
  await eventually('the first half is told', () => subscribers.every((told) => told.length >= half), cases(60_000, 300_000))
  await leave(first)
  await change(half)
  await serveAt(rig, port)
  await eventually('all is told', () => subscribers.every((told) => told.length >= 2 * half), cases(60_000, 300_000))
  const expected = Array.from({ length: 2 * half }, (_, at) => `n ${at}`)
  for (const told of subscribers) expect(titles(told)).toEqual(expected)
})

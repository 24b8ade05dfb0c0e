import { afterAll, beforeAll, expect, test } from 'vitest'
import { readStream } from '../../support/events.ts'
import { once, parrot, patient } from './chatbots.ts'
import { ok, type Playground, playgroundServer } from './server.ts'

/** A conversation that is followed: its items as they are read, and what is being said as it is said. */

let chat: Playground
beforeAll(async () => {
  chat = await playgroundServer()
  await parrot(chat.server)
  await patient(chat.server)
})
afterAll(() => chat[Symbol.asyncDispose]())

interface Told {
  id: string | null
  event: string | null
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look where they expect something to be
  item: any
}

const start = (query: string, input = 'Hello') => ok(chat.call('POST', `/api/chat/playground/start?${query}`, { input }))

/** What is told until it is so, after the last that is known. */
async function follow(id: string, until: (told: Told) => boolean, lastEventId?: string): Promise<Told[]> {
  const all: Told[] = []
  const headers = { authorization: `Bearer ${chat.server.token}`, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) }
  for await (const told of readStream(`${chat.server.url}/api/chat/playground/${id}/events`, headers)) {
    all.push(told)
    if (until(told)) break
  }
  return all
}

const isOver = ({ event, item }: Told): boolean => event === 'status' && item.status === 'completed'
const items = (told: readonly Told[]) => told.filter(({ event }) => event !== null && ['message', 'log', 'stat', 'document'].includes(event))

test('it is told from the start what was there, and then each item once, as it is read', async () => {
  const { id } = await start('workflowId=parrot')
  const told = await follow(id, isOver)
  expect(told[0]).toMatchObject({ event: 'status', item: { id, name: 'Hello' } })
  const data = await ok(chat.call('GET', `/api/chat/playground/${id}/chatData`))
  const read = [...data.messages, ...data.logs, ...data.stats, ...data.documents].sort((one, other) => one._createdAt - other._createdAt)
  expect(items(told).map(({ item }) => item)).toEqual(read)
  expect(told.at(-1)!.item).toEqual(await ok(chat.call('GET', `/api/workflows/${id}/status`)))
})

test('whoever comes back is told what comes after the last that they were told, wherever they left', async () => {
  const { id } = await start('workflowId=parrot')
  await follow(id, isOver)
  // Begun anew, it is a snapshot; from its only id on, all that came later.
  const before = await follow(id, ({ id: at }) => at !== null)
  const from = before.at(-1)!.id!
  await start(`workflowId=${id}`, 'Again')
  const told = await follow(id, isOver, from)
  expect(items(told)[0]).toMatchObject({ event: 'message', item: { content: 'Again' } })
  expect(new Set(told.map(({ id: at }) => at)).size).toBe(told.length)
  for (const [place, { id: at }] of told.entries()) {
    if (place + 1 === told.length) continue
    expect(await follow(id, isOver, at!)).toEqual(told.slice(place + 1))
  }
})

test('what a model says is told while it is said, and the pieces together are its message', async () => {
  const { id } = await start('workflowMode=React', 'What can you do?')
  const told = await follow(id, isOver)
  const pieces = told.filter(({ event }) => event === 'token')
  const answer = told.find(({ event, item }) => event === 'message' && item.role === 'assistant')!
  expect(pieces.length).toBeGreaterThan(0)
  expect(pieces.every(({ id: at }) => at === null)).toBe(true)
  expect(pieces.map(({ item }) => item.text).join('')).toBe(answer.item.content)
  expect(pieces[0]!.item).toMatchObject({ workflowId: id, step: 'think', attempt: 1, offset: 0 })
  expect(told.indexOf(pieces.at(-1)!)).toBeLessThan(told.indexOf(answer))
  // Polling sees finished messages alone.
  expect((await ok(chat.call('GET', `/api/workflows/${id}/messages`))).map(({ role }: { role: string }) => role)).toEqual(['user', 'assistant'])
})

test('deletions are told, and with the workflow the stream ends', async () => {
  const { id, messageId } = await start('workflowId=patient')
  const [begun, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const told = follow(id, ({ event }) => {
    if (event === 'status') begun.resolve()
    if (event === 'deleted') gone.resolve()
    return false
  })
  await begun.promise
  await ok(chat.call('DELETE', `/api/workflows/${id}/messages/${messageId}`))
  // What is deleted takes what was not told of it yet along.
  await gone.promise
  await ok(chat.call('DELETE', `/api/workflows/${id}`))
  const deleted = (await told).filter(({ event }) => event === 'deleted').map(({ item }) => item)
  expect(deleted).toEqual([
    { workflowId: id, id: messageId.replace('msg_', '') },
    { workflowId: id, id: id.replace('wf_', '') },
  ])
})

test('what is not there, what was told of another workflow, and who may not know, is refused in words', async () => {
  const { id } = await start('workflowId=parrot')
  const { id: other } = await start('workflowId=parrot')
  await once(chat, other, 'completed')
  const at = (await follow(other, ({ id: last }) => last !== null)).at(-1)!.id!
  const ask = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${chat.server.url}/api/chat/playground/${path}/events`, { headers: { authorization: `Bearer ${chat.server.token}`, ...headers } }).then(async (response) => [
      response.status,
      await response.json(),
    ])
  expect(await ask('wf_none')).toEqual([404, { detail: 'Workflow not found' }])
  expect(await ask(id, { 'last-event-id': at })).toEqual([400, { detail: 'The cursor is not one of ours' }])
  expect(await ask(id, { 'last-event-id': 'x' })).toEqual([400, { detail: 'The cursor is not one of ours' }])
  expect(await ask(id, { authorization: '' })).toEqual([401, { detail: 'Not authenticated' }])
})

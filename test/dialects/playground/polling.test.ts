import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { changeSession } from '../../../packages/server/src/events/sessions.ts'
import { lockSession } from '../../../packages/server/src/store/rows/sessions.ts'
import type { Served } from '../../support/server.ts'
import { once, parrot, talker } from './chatbots.ts'
import { type Client, clientOf, ok, type Playground, playgroundServer } from './server.ts'

/** Clients that poll see each item once, in order: however many come at once, and whoever serves them. */

interface Item {
  id: string
  timestamp: number
  _createdAt: number
}

/** One who reads what is new, again and again, and keeps what they read. */
interface Poller {
  read: Item[]
  poll(chat: Client): Promise<void>
}

function byTime(id: string): Poller {
  const read: Item[] = []
  let last: number | null = null
  return {
    read,
    async poll(chat) {
      // As JSON says the number, which is what any client has of it.
      const data = await ok(chat.call('GET', `/api/chat/playground/${id}/chatData${last === null ? '' : `?afterTimestamp=${JSON.stringify(last)}`}`))
      const lists = [data.messages, data.logs, data.stats, data.documents] as Item[][]
      for (const list of lists) expect(list).toEqual(list.toSorted((one, other) => one._createdAt - other._createdAt))
      const items = lists.flat().sort((one, other) => one._createdAt - other._createdAt)
      read.push(...items)
      last = items.at(-1)?._createdAt ?? last
    },
  }
}

function byId(id: string, what: 'logs' | 'messages', cursor: 'logId' | 'messageId'): Poller {
  const read: Item[] = []
  return {
    read,
    async poll(chat) {
      const last = read.at(-1)?.id
      read.push(...(await ok(chat.call('GET', `/api/workflows/${id}/${what}${last === undefined ? '' : `?${cursor}=${last}`}`))))
    },
  }
}

const idsOf = (items: readonly Item[]): string[] => items.map(({ id }) => id)

let chat: Playground
/** Who serves, and does the work: the first server is an API without a worker, and is not asked. */
let worker: Served
beforeAll(async () => {
  chat = await playgroundServer({ SLUICE_ROLE: 'api' })
  worker = await chat.server.another({ SLUICE_ROLE: 'all' })
  await talker(chat.server)
  await parrot(chat.server)
})
afterAll(() => chat[Symbol.asyncDispose]())

const served = (): Client => clientOf(worker.url, worker.token)

/** Many items in one transaction, all at one reading of the clock. */
async function sayAtOnce(id: string, count: number): Promise<void> {
  await chat.server.db.database.transaction(async (tx) => {
    const row = (await lockSession(tx, id.replace('wf_', '')))!
    await changeSession(tx, row, (session) => {
      for (let each = 1; each <= count; each++) {
        if (each % 10 === 0) session.say({ kind: 'message', role: 'assistant', text: `said ${each}`, metadata: {}, files: [] }, { runId: null })
        else if (each % 7 === 0) session.say({ kind: 'stat', name: 'each', value: each, unit: null }, { runId: null })
        else session.say({ kind: 'log', level: 'info', message: `logged ${each}`, nodeId: null, step: null }, { runId: null })
      }
    })
  })
}

async function pollAll(pollers: readonly Poller[], client: Client): Promise<void> {
  for (const poller of pollers) await poller.poll(client)
}

/** What there is in the end, as who reads it all at once is told it. */
async function all(id: string): Promise<{ data: Item[]; logs: Item[]; messages: Item[] }> {
  const client = served()
  const { messages, logs, stats, documents } = await ok(client.call('GET', `/api/chat/playground/${id}/chatData`))
  const data = [...messages, ...logs, ...stats, ...documents].sort((one: Item, other: Item) => one._createdAt - other._createdAt)
  return { data, logs: await ok(client.call('GET', `/api/workflows/${id}/logs`)), messages: await ok(client.call('GET', `/api/workflows/${id}/messages`)) }
}

const pollersOf = (id: string) => [byTime(id), byId(id, 'logs', 'logId'), byId(id, 'messages', 'messageId')] as const

describe('polling', () => {
  test('tells 1,000 items of one millisecond once each, whatever the client read last', async () => {
    const { id } = await ok(served().call('POST', '/api/chat/playground/start?workflowId=parrot', { input: 'Hello' }))
    await once(served(), id, 'completed')
    const pollers = pollersOf(id)
    await pollAll(pollers, served())
    await sayAtOnce(id, 1_000)
    const { data } = await all(id)
    const sudden = data.slice(-1_000)
    expect(sudden.at(-1)!._createdAt - sudden[0]!._createdAt).toBeLessThan(0.0011)
    expect(new Set(data.map(({ _createdAt }) => _createdAt)).size).toBe(data.length)
    // From each of them on, which all have the same millisecond.
    for (const at of [0, 1, 333, 498, 499, 500, 997, 998]) {
      const newer = byTime(id)
      const { messages, logs, stats } = await ok(served().call('GET', `/api/chat/playground/${id}/chatData?afterTimestamp=${JSON.stringify(sudden[at]!._createdAt)}`))
      newer.read.push(...[...messages, ...logs, ...stats].sort((one: Item, other: Item) => one._createdAt - other._createdAt))
      expect(idsOf(newer.read)).toEqual(idsOf(sudden.slice(at + 1)))
    }
    await pollAll(pollers, served())
    await pollAll(pollers, served())
    const whole = await all(id)
    expect(pollers.map(({ read }) => idsOf(read))).toEqual([whole.data, whole.logs, whole.messages].map(idsOf))
  })

  test('tells every item once and in order while items come at random, also over a restart of the server in the middle of it', async () => {
    const { id } = await ok(
      served().call('POST', '/api/chat/playground/start?workflowId=talker', { input: 'Talk', metadata: { lines: Array.from({ length: 40 }, (_, at) => at) } }),
    )
    const pollers = pollersOf(id)
    let over = false
    const appending = (async () => {
      for (let round = 0; round < 8; round++) {
        await sayAtOnce(id, 1 + Math.floor(Math.random() * 60))
        if (round % 3 === 0)
          await ok(
            clientOf(chat.server.url, chat.server.token).call('POST', `/api/chat/playground/start?workflowId=${id}`, {
              input: `Go on ${round}`,
              metadata: { lines: [1, 2, 3, 4, 5] },
            }),
          )
        await sleep(Math.random() * 60)
      }
    })()
    const restarting = (async () => {
      await sleep(150)
      const before = worker
      worker = await chat.server.another({ SLUICE_ROLE: 'all' })
      await before[Symbol.asyncDispose]()
    })()
    const polling = (async () => {
      while (!over) {
        // A server that goes away is asked again, by another address, from where the client is.
        await pollAll(pollers, served()).catch((error: unknown) => {
          if (!(error instanceof TypeError)) throw error
        })
        await sleep(Math.random() * 30)
      }
    })()
    await Promise.all([appending, restarting])
    await once(served(), id, 'completed')
    over = true
    await polling
    await pollAll(pollers, served())
    const whole = await all(id)
    expect(whole.messages.length).toBeGreaterThan(3)
    expect(whole.logs.length).toBeGreaterThan(60)
    expect(pollers.map(({ read }) => idsOf(read))).toEqual([whole.data, whole.logs, whole.messages].map(idsOf))
    for (const { timestamp, _createdAt } of whole.data) expect(timestamp).toBe(_createdAt)
  })

  test('from an item that was deleted, or that is of another workflow, begins anew; from before all there is, and from after it', async () => {
    const begun = async () => {
      const started = await ok(served().call('POST', '/api/chat/playground/start?workflowId=parrot', { input: 'Hello' }))
      await once(served(), started.id, 'completed')
      return started as { id: string; messageId: string }
    }
    const [one, other] = [await begun(), await begun()]
    const messages = (path: string) => ok(served().call('GET', path))
    await ok(served().call('DELETE', `/api/workflows/${one.id}/messages/${one.messageId}`))
    const left = await messages(`/api/workflows/${one.id}/messages`)
    expect(left).toHaveLength(1)
    for (const cursor of [one.messageId, other.messageId, 'msg_none', 'x'.repeat(3_000), '%C3%A9', ''])
      expect(await messages(`/api/workflows/${one.id}/messages?messageId=${cursor}`)).toEqual(left)
    expect(await messages(`/api/workflows/${one.id}/logs?logId=log_none`)).toEqual(await messages(`/api/workflows/${one.id}/logs`))
    const data = await messages(`/api/chat/playground/${one.id}/chatData`)
    for (const time of ['', '0', '-1', '-1e300', '0.0', '1234567800.0', '%2B5', '5.', '.5', '1e9'])
      expect(await messages(`/api/chat/playground/${one.id}/chatData?afterTimestamp=${time}`)).toEqual(data)
    for (const time of ['99999999999', '1e300', '253402300799.999999'])
      expect(await messages(`/api/chat/playground/${one.id}/chatData?afterTimestamp=${time}`)).toEqual({ messages: [], logs: [], stats: [], documents: [] })
  })
})

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../store/database.ts'
import { listen } from '../store/listen.ts'
import { notify } from '../store/rows/events.ts'

/** What has news. A ring says "look", never what is to be seen. */
export interface Rings {
  /** Runs with new events. */
  runs?: Iterable<string>
  /** Workspaces with new events. */
  workspaces?: Iterable<string>
  /** Sessions with new events. */
  sessions?: Iterable<string>
  /** Connections over which something else is subscribed. */
  connections?: Iterable<string>
  /** Runs that were moved from outside: whoever holds their claim is to look. */
  holders?: Iterable<string>
  /** There are jobs to fetch. */
  jobs?: boolean
  /** There is something to bring to runs: an item of a queue, a delivery of a webhook, or a run that waits for one. */
  sources?: boolean
  /** There are runs that a server had to leave to those that have what they need. */
  unserved?: boolean
}

export type Topic = `run:${string}` | `workspace:${string}` | `session:${string}` | `connection:${string}` | `holder:${string}` | 'jobs' | 'sources' | 'unserved'

interface News {
  runs: Set<string>
  workspaces: Set<string>
  sessions: Set<string>
  connections: Set<string>
  holders: Set<string>
  jobs: boolean
  sources: boolean
  unserved: boolean
}

export interface Doorbell {
  /** Wakes listeners here at once and those of other processes with the next notification, one for many rings. */
  ring(rings: Rings): void
  on(topic: Topic, listener: () => void): () => void
  close(): Promise<void>
}

/** A process that has much to tell gathers it for so long: each notification is a transaction of its own. */
const gatherMs = 5

/** PostgreSQL takes 8,000 bytes a notification; with more news than that, everybody looks. */
const mostNames = 200

/** What else is `heard`, by channel, is heard over the same connection: what was notified before a ring, before it. */
export function createDoorbell(database: Database, others: Parameters<typeof listen>[1] = {}): Doorbell {
  const self = randomUUID().slice(0, 8)
  const listeners = new Map<Topic, Set<() => void>>()
  let pending: News | null = null
  let sending = false
  let closed = false

  const wake = (topic: Topic): void => {
    for (const listener of listeners.get(topic) ?? []) listener()
  }
  const wakeAll = (): void => {
    for (const topic of [...listeners.keys()]) wake(topic)
  }
  const heard = (payload: string): void => {
    const news = newsOf(payload)
    if (!news) return wakeAll()
    if (news.from === self) return
    if (news.all) for (const topic of [...listeners.keys()]) if (!news.holders || !topic.startsWith('holder:')) wake(topic)
    for (const id of news.runs ?? []) wake(`run:${id}`)
    for (const id of news.workspaces ?? []) wake(`workspace:${id}`)
    for (const id of news.sessions ?? []) wake(`session:${id}`)
    for (const id of news.connections ?? []) wake(`connection:${id}`)
    for (const id of news.holders ?? []) wake(`holder:${id}`)
    if (news.jobs) wake('jobs')
    if (news.sources) wake('sources')
    if (news.unserved) wake('unserved')
  }
  const listening = listen(database, { ...others, sluice: heard }, wakeAll)

  // One notification on its way at a time: commits that notify queue for one lock (an order of magnitude in throughput).
  async function send(): Promise<void> {
    sending = true
    try {
      while (pending && !closed) {
        const news = pending
        pending = null
        await notify(database, JSON.stringify(messageOf(self, news)))
        // The first one goes at once, and what comes while it is on its way, a moment later.
        await sleep(gatherMs)
      }
    } catch {
      // A lost notification costs a listener one polling interval, no more.
    } finally {
      sending = false
    }
  }

  return {
    ring({ runs = [], workspaces = [], sessions = [], connections = [], holders = [], jobs = false, sources = false, unserved = false }) {
      pending ??= { runs: new Set(), workspaces: new Set(), sessions: new Set(), connections: new Set(), holders: new Set(), jobs: false, sources: false, unserved: false }
      for (const id of runs) {
        pending.runs.add(id)
        wake(`run:${id}`)
      }
      for (const id of workspaces) {
        pending.workspaces.add(id)
        wake(`workspace:${id}`)
      }
      for (const id of sessions) {
        pending.sessions.add(id)
        wake(`session:${id}`)
      }
      for (const id of connections) {
        pending.connections.add(id)
        wake(`connection:${id}`)
      }
      for (const id of holders) {
        pending.holders.add(id)
        wake(`holder:${id}`)
      }
      if (jobs) {
        pending.jobs = true
        wake('jobs')
      }
      if (sources) {
        pending.sources = true
        wake('sources')
      }
      if (unserved) {
        pending.unserved = true
        wake('unserved')
      }
      if (!sending && !closed) void send()
    },
    on(topic, listener) {
      const set = listeners.get(topic) ?? new Set()
      listeners.set(topic, set)
      set.add(listener)
      return () => {
        set.delete(listener)
        if (set.size === 0) listeners.delete(topic)
      }
    },
    async close() {
      closed = true
      await listening.close()
    },
  }
}

interface Message {
  from?: string
  runs?: string[]
  workspaces?: string[]
  sessions?: string[]
  connections?: string[]
  holders?: string[]
  jobs?: boolean
  sources?: boolean
  unserved?: boolean
  all?: boolean
}

/** Anybody may notify on a channel, and say anything: null for what is not ours. */
function newsOf(payload: string): Message | null {
  try {
    return JSON.parse(payload) as Message | null
  } catch {
    return null
  }
}

function messageOf(from: string, news: News): object {
  const { runs, workspaces, sessions, connections, holders, jobs, sources, unserved } = news
  // Holders are few, and read their run each time they are rung for: they are named as long as they can be.
  if (runs.size + workspaces.size + sessions.size + connections.size + holders.size > mostNames)
    return { from, all: true, ...(holders.size <= mostNames && { holders: [...holders] }), jobs }
  return {
    from,
    runs: [...runs],
    workspaces: [...workspaces],
    ...(sessions.size > 0 && { sessions: [...sessions] }),
    ...(connections.size > 0 && { connections: [...connections] }),
    holders: [...holders],
    jobs,
    ...(sources && { sources }),
    ...(unserved && { unserved }),
  }
}

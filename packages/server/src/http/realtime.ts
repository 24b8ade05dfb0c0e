import type { OutgoingHttpHeaders } from 'node:http'
import { setImmediate as others } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Dialect, DialectRealtime, WatchedRecords } from '../dialects/dialect.ts'
import type { Page } from '../events/page.ts'
import { cursorOf, endOf, hasSeen, isBefore, later, type Moment, type Place } from '../events/place.ts'
import type { Change, Connection, Parts, Subscribed, SubscribedTopic } from '../rpc/context.ts'
import { problemOf } from '../rpc/faults.ts'
import { callerOf } from './caller.ts'
import { faceOf } from './face.ts'
import { untilGone } from './gone.ts'
import type { Ending, OpenStreams } from './open-streams.ts'
import { endStream, sendStream, sseHeaders, type StreamOptions } from './streams.ts'

/**
 * Connections over which a dialect's clients are told of the topics that they subscribe to by other requests, on any server.
 *
 * R1. Each topic has a place of its own in the log: what commits after its subscription is told once, and in order, whatever else is
 *     subscribed over the connection, and whenever.
 * R2. What is told is made once for all who are told the same; their own is the line alone that names the connection.
 * R3. A topic counts as told once its messages were taken by the network: who is cut off is told again, and never too little.
 * R4. A connection that nobody has subscribed over costs little: it is one of a bounded number, and ends after some minutes.
 * R5. However many topics are subscribed over one, others have their turns between them.
 */
export interface RealtimeOptions {
  parts: Pick<Parts, 'connections' | 'changes' | 'feed'>
  openStreams: OpenStreams
  /** Told of what a connection met. */
  report(error: unknown, request: FastifyRequest): void
  stream?: StreamOptions
}

const fiveMinutes = 300_000
/** What is written at once, and so the most that a topic is told again for a connection that was lost while it was written. */
const pieceChars = 128 * 1024
const turnMs = 5
/** Of topics that are not subscribed any more. */
const mostLeft = 1_000

export function mountRealtime(app: FastifyInstance, dialect: Dialect, realtime: DialectRealtime, options: RealtimeOptions): void {
  const hold = holder(dialect, realtime, options)
  for (const mount of dialect.mounts) {
    const url = `${mount}${realtime.path}`
    app.route({
      method: 'GET',
      url,
      config: { face: faceOf(dialect), template: url, open: true },
      handler: async (request, reply) => {
        if (request.method === 'HEAD') return reply.headers(headers).send()
        await hold(request, reply)
        return reply
      },
    })
  }
}

/** Holds a connection until it ends. */
function holder(dialect: Dialect, realtime: DialectRealtime, { parts, openStreams, report, stream }: RealtimeOptions) {
  const face = faceOf(dialect)
  const textsOf = createTexts(realtime)
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { raw } = reply
    const { ip: address } = callerOf(request)
    let end = (_why: Ending): void => void raw.destroy()
    const ends = (why: Ending): void => end(why)
    const forgetStranger = openStreams.add({ address }, 'sse', ends)
    const admit = (principal: Subscribed['principal']) => {
      const forget = openStreams.add(principal, 'sse', ends)
      forgetStranger()
      return forget
    }
    const subscriber = createSubscriber({ parts, realtime, textsOf, gone: untilGone(raw), idleMs: stream?.idleMs ?? fiveMinutes, admit })
    let connection: Connection | null = null
    try {
      connection = await parts.connections.open(address, subscriber.changed)
      connection.keeps((hasEnded) => subscriber.told(hasEnded ? raw.writableFinished : raw.writableLength === 0, hasEnded))
      reply.hijack()
      request.isStream = true
      if (raw.destroyed) return
      raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...headers })
      end = (why) => endStream(raw, why, { hints: false })
      const failure = (error: unknown): string => {
        report(error, request)
        return `event:error\ndata:${JSON.stringify(face.render(problemOf(error), request.id).body)}\n\n`
      }
      await sendStream(raw, subscriber.pieces(connection), { pieceOf: (piece) => piece, failure, hints: false }, stream)
      await emptied(raw)
    } finally {
      subscriber.leave()
      forgetStranger()
      await connection?.leave()
    }
  }
}

const headers = { ...sseHeaders, 'cache-control': 'no-store' }

/** What was written has gone to the network, or the connection. */
const emptied = (raw: NodeJS.WritableStream & { writableFinished: boolean; destroyed: boolean }): Promise<void> =>
  new Promise((resolve) => {
    if (raw.writableFinished || raw.destroyed) resolve()
    else raw.once('finish', resolve).once('close', resolve)
  })

// ── who is told ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A topic, and how far it was told. */
interface Following {
  name: string
  asked: WatchedRecords
  /** What each of its messages begins with. */
  lead: string
  place: Place
  /** What was there when it was subscribed is not told. */
  seen: Moment | null
}

interface SubscriberParts {
  parts: RealtimeOptions['parts']
  realtime: DialectRealtime
  textsOf: Texts
  gone: AbortSignal
  idleMs: number
  admit(principal: Subscribed['principal']): () => void
}

type Told = { name: string; place: Place }[]

function createSubscriber({ parts, realtime, textsOf, gone, idleMs, admit }: SubscriberParts) {
  let news: Subscribed | 'gone' | null = null
  let principal: Subscribed['principal'] | null = null
  let following: Following[] = []
  /** How far kept topics were told over this connection when they were left. */
  const left = new Map<string, Place>()
  let waiting = new AbortController()
  /** As of an earlier look: what the network took a while ago. */
  let safe: Told = []
  let forget = (): void => {}

  const subscriber = {
    changed(subscribed: Subscribed | null): void {
      news = subscribed ?? 'gone'
      waiting.abort()
    },
    told(isTaken: boolean, hasEnded: boolean): Told {
      const now = following.filter(({ asked }) => asked.kept).map(({ name, place }) => ({ name, place }))
      if (hasEnded) return isTaken ? now : []
      const before = safe
      if (isTaken) safe = now
      return before
    },
    leave: () => forget(),
    async *pieces({ id }: Pick<Connection, 'id'>): AsyncGenerator<string> {
      const head = realtime.head(id)
      yield head + realtime.greeting(id)
      while (!gone.aborted) {
        waiting = new AbortController()
        if (news === 'gone') return
        if (news) await takeOver(head)
        else if (following.length === 0) {
          if (!(await rest(waiting.signal))) return
        } else yield* follow()
      }
    },
  }
  gone.addEventListener('abort', () => waiting.abort())

  /** False: nothing was subscribed for long. */
  const rest = (signal: AbortSignal): Promise<boolean> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, idleMs, false)
      signal.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve(true)
      })
    })

  async function takeOver(head: string): Promise<void> {
    const subscribed = news as Subscribed
    news = null
    const before = forget
    forget = admit(subscribed.principal)
    before()
    ;({ principal } = subscribed)
    const known = new Map(following.map((each) => [each.name, each]))
    const asked = new Set(subscribed.topics.map(({ name }) => name))
    for (const each of following) if (each.asked.kept && !asked.has(each.name)) leave(each)
    following = (await Promise.all(subscribed.topics.map(async (topic) => known.get(topic.name) ?? begun(topic, subscribed, head)))).filter((each) => each !== null)
  }

  function leave({ name, place }: Following): void {
    if (left.size >= mostLeft) left.clear()
    left.set(name, place)
  }

  async function begun({ name, since }: SubscribedTopic, { principal: who }: Subscribed, head: string): Promise<Following | null> {
    const asked = realtime.topic(name)
    if (!asked) return null
    const lead = head + realtime.about(name)
    if (since) return { name, asked, lead, place: endOf(since.least - 1n), seen: since }
    const told = await parts.connections.toldSoFar(who, name)
    // What is written down of it is some seconds behind.
    return { name, asked, lead, place: later(told, left.get(name) ?? told), seen: null }
  }

  /** Until something else is subscribed. */
  async function* follow(): AsyncGenerator<string> {
    const { signal } = waiting
    const follower = parts.feed.pages(principal!.workspaceId, signal)
    try {
      while (!signal.aborted) {
        const from = following.map(({ place }) => place).reduce((first, place) => (isBefore(place, first) ? place : first))
        const next = await follower.next(from)
        if (next === 'over') return
        if (next === 'trimmed') yield* startAnew(from, await follower.end())
        else yield* tell(next)
      }
    } finally {
      follower.leave()
    }
  }

  /** What came after this place is not all there any more. */
  async function* startAnew(from: Place, end: Place): AsyncGenerator<string> {
    for (const each of following.filter(({ place }) => !isBefore(from, place))) {
      if (each.asked.kept) yield each.lead + realtime.message({ action: 'resync', cursor: cursorOf(end) }, each.asked)
      each.place = end
      each.seen = null
    }
  }

  async function* tell(page: Page): AsyncGenerator<string> {
    let turn = performance.now()
    for (const each of following.filter(({ place }) => isBefore(place, page.end))) {
      const changes = await parts.changes.of(page, each.asked, principal!)
      if (performance.now() - turn > turnMs) {
        await others()
        turn = performance.now()
      }
      let piece = ''
      for (const { place, text } of changes.length === 0 ? [] : textsOf(changes, each.asked)) {
        if (!isBefore(each.place, place) || (each.seen && hasSeen(each.seen, place.xid))) continue
        piece += each.lead + text
        if (piece.length < pieceChars) continue
        yield piece
        each.place = place
        piece = ''
      }
      if (piece !== '') yield piece
      each.place = later(each.place, page.end)
      if (each.seen && each.place.xid >= each.seen.end) each.seen = null
    }
  }

  return subscriber
}

// ── what is told ───────────────────────────────────────────────────────────────────────────────────────────────────────

interface Text {
  place: Place
  text: string
}

type Texts = (changes: readonly Change[], asked: WatchedRecords) => readonly Text[]

/** Made once for all who are told the same, as long as that is known. */
function createTexts({ message }: DialectRealtime): Texts {
  const known = new WeakMap<readonly Change[], Map<string, readonly Text[]>>()
  return (changes, { fields, kept = false }) => {
    const written = known.get(changes) ?? new Map<string, readonly Text[]>()
    known.set(changes, written)
    const key = JSON.stringify([fields, kept])
    let texts = written.get(key)
    if (!texts) {
      const asked = { ...(fields !== undefined && { fields }) }
      texts = changes.map(({ place, action, record }) => ({ place, text: message({ action, record, ...(kept && { cursor: cursorOf(place) }) }, asked) }))
      written.set(key, texts)
    }
    return texts
  }
}

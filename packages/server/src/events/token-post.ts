import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../store/database.ts'
import { notifyTokens } from '../store/rows/events.ts'
import { cut, isOfOne, type Piece } from './piece.ts'

/** What other processes are told of: a piece of a text, or that a run is at its end. */
export type TokenNews = Piece | { ended: string }

export interface Posted {
  from: string
  news: readonly TokenNews[]
}

/** Tells other processes of tokens: gathered, one statement on its way at a time, never within a transaction of anybody's. */
export interface TokenPost {
  readonly self: string
  send(news: TokenNews): void
  /** Once all that was sent so far is out, within a second; also where it was lost. */
  sent(): Promise<void>
  close(): Promise<void>
}

/** So long is gathered after each statement: the first piece after a silence goes at once. */
const gatherMs = 40
/** PostgreSQL takes less than 8,000 bytes a notification. */
const mostBytes = 7_000
/** Each fits into a notification with all that is said about it, whatever its characters. */
const mostUnits = 800
/** UTF-16 code units that wait, while PostgreSQL is slow: what is more is lost. */
const mostWaiting = 1024 * 1024
const patienceMs = 1_000

interface Waiting {
  news: TokenNews[]
  units: number
  out: PromiseWithResolvers<void>
}

export function createTokenPost(database: Pick<Database, 'query'>): TokenPost {
  const self = randomUUID().slice(0, 8)
  let waiting: Waiting | null = null
  let onItsWay: Waiting | null = null
  let working: Promise<void> | null = null
  let closed = false
  let hurry = new AbortController()

  async function work(): Promise<void> {
    while (waiting && !closed) {
      onItsWay = waiting
      waiting = null
      // What is lost here shows in the offsets of what is not.
      await notifyTokens(database, payloadsOf(self, onItsWay.news)).catch(() => {})
      onItsWay.out.resolve()
      onItsWay = null
      await sleep(gatherMs, undefined, { signal: hurry.signal }).catch(() => {})
      hurry = new AbortController()
    }
    waiting?.out.resolve()
    working = null
  }

  return {
    self,
    send(news) {
      if (closed) return
      waiting ??= { news: [], units: 0, out: Promise.withResolvers<void>() }
      const units = 'ended' in news ? 0 : news.text.length
      if (waiting.units + units > mostWaiting) return
      waiting.units += units
      waiting.news.push(news)
      working ??= work()
    },
    async sent() {
      const last = waiting ?? onItsWay
      if (!last) return
      hurry.abort()
      const patience = new AbortController()
      await Promise.race([last.out.promise, sleep(patienceMs, undefined, { signal: patience.signal }).catch(() => {})])
      patience.abort()
    },
    async close() {
      closed = true
      hurry.abort()
      await working
    },
  }
}

/** Each of at most 7,000 bytes, in order. */
export function payloadsOf(from: string, news: readonly TokenNews[]): string[] {
  const payloads: string[] = []
  const head = `{"from":${JSON.stringify(from)},"news":[`
  let texts: string[] = []
  let bytes = 0
  const close = (): void => {
    if (texts.length > 0) payloads.push(`${head}${texts.join()}]}`)
    texts = []
    bytes = 0
  }
  for (const each of joined(news)) {
    const text = JSON.stringify(each)
    const size = Buffer.byteLength(text) + 1
    const room = mostBytes - head.length - 2
    // Of a step whose name alone fills a notification nothing is told.
    if (size > room) continue
    if (bytes + size > room) close()
    texts.push(text)
    bytes += size
  }
  close()
  return payloads
}

/** What was said one after another by one voice together, in parts that fit. */
function joined(news: readonly TokenNews[]): TokenNews[] {
  const texts: { first: Piece; parts: string[]; end: number }[] = []
  const ended: TokenNews[] = []
  for (const each of news) {
    if ('ended' in each) {
      ended.push(each)
      continue
    }
    const { text, offset } = each
    const before = texts.findLast(({ first }) => isOfOne(first, each))
    if (before?.end === offset) {
      before.parts.push(text)
      before.end += text.length
    } else texts.push({ first: each, parts: [text], end: offset + text.length })
  }
  return [...texts.flatMap(({ first, parts }) => partsOf({ ...first, text: parts.join('') })), ...ended]
}

function partsOf(piece: Piece): Piece[] {
  const parts: Piece[] = []
  for (let at = 0; at < piece.text.length;) {
    const text = cut(piece.text.slice(at), mostUnits)
    parts.push({ ...piece, offset: piece.offset + at, text })
    at += text.length
  }
  return parts
}

/** Anybody may notify on a channel, and say anything: null for what is not ours. */
export function postOf(payload: string): Posted | null {
  try {
    const posted = JSON.parse(payload) as Partial<Posted> | null
    return posted && typeof posted.from === 'string' && Array.isArray(posted.news) && posted.news.every(isNews) ? { from: posted.from, news: posted.news } : null
  } catch {
    return null
  }
}

function isNews(news: Partial<Piece & { ended: string }> | null): boolean {
  if (typeof news !== 'object' || news === null) return false
  if ('ended' in news) return typeof news.ended === 'string'
  const { runId, sessionId, nodeId, step, iteration, attempt, offset, text } = news
  const texts = [runId, nodeId, step, iteration, text].every((each) => typeof each === 'string')
  return texts && (sessionId === null || typeof sessionId === 'string') && Number.isInteger(attempt) && Number.isInteger(offset)
}

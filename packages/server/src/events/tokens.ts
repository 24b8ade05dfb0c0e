import { limits } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { cut, type Piece, type Voice } from './piece.ts'
import { createTokenPost, postOf } from './token-post.ts'

export interface Speaker {
  say(piece: string): void
  /** Nothing more is said. Answers when other processes were told all of it, within a second. */
  end(): Promise<void>
}

export type Heard = { runId: string } | { sessionId: string }

/**
 * The texts that steps are saying, told live beside the log.
 *
 * K1. Nothing of them is stored: they cross to other processes as notifications, and stand in memory while their run goes on,
 *     for who comes in the middle of one.
 * K2. What is lost is lost: `offset` shows it, and what the step gives in the end stands in the log.
 * K3. All of a text was told before its step's end can be: its speaker ends before the outcome is committed, and notifications
 *     come over one connection with the rings.
 * K4. A newer attempt's text stands in the place of an older one's, which is not told any more.
 * K5. Bounded is what is kept of a run, what is kept of all, and what waits to be sent.
 */
export interface Tokens {
  speaker(voice: Voice): Speaker
  /** What was said so far of a run, or in a session by runs that go on, and all that is said from now on. */
  hear(of: Heard, listener: (piece: Piece) => void): () => void
  /** The run has come to its end: what was said is in the log. */
  ended(runId: string): void
  /** What another process notified of. */
  heard(payload: string): void
  close(): Promise<void>
}

/** What a worker needs of it. */
export type Voices = Pick<Tokens, 'speaker' | 'ended'>

/** Nobody hears of it. */
export const silent: Speaker = { say() {}, end: async () => {} }
export const silence: Voices = { speaker: () => silent, ended() {} }

/** UTF-16 code units that are kept of a run, and of all; no reader is kept more of either. */
export const mostOfRun = 64 * 1024
const mostKept = 8 * 1024 * 1024
/** A run that has said nothing for so long has ended, or its worker has, or it waits for somebody. */
const keptMs = 5 * 60_000

interface Kept {
  sessionId: string | null
  saidAt: number
  units: number
  /** By step and iteration, in the order in which they were begun. */
  texts: Map<string, Piece>
}

export function createTokens(database: Pick<Database, 'query'>, now: () => number = Date.now): Tokens {
  const post = createTokenPost(database)
  const listeners = new Map<string, Set<(piece: Piece) => void>>()
  /** By run, the one that said something last standing last. */
  const kept = new Map<string, Kept>()
  let units = 0

  function drop(runId: string): boolean {
    units -= kept.get(runId)?.units ?? 0
    return kept.delete(runId)
  }

  /** False: a newer attempt has said something. */
  function keep(piece: Piece): boolean {
    const { runId, sessionId, nodeId, iteration, attempt, offset, text } = piece
    const run = kept.get(runId) ?? { sessionId, saidAt: 0, units: 0, texts: new Map<string, Piece>() }
    const key = `${nodeId}\n${iteration}`
    const before = run.texts.get(key)
    if (before && before.attempt > attempt) return false
    drop(runId)
    run.saidAt = now()
    const said = before?.attempt === attempt ? before.text : ''
    if (before && said === '') run.texts.delete(key)
    run.units -= before ? before.text.length - said.length : 0
    // What begins in its middle is of no use to who comes later.
    const isNext = offset === said.length && run.units + text.length <= mostOfRun
    run.texts.set(key, { ...piece, offset: 0, text: isNext ? said + text : said })
    if (isNext) run.units += text.length
    kept.set(runId, run)
    units += run.units
    for (const [id, { saidAt }] of kept) {
      if (units <= mostKept && saidAt > now() - keptMs) break
      drop(id)
    }
    return true
  }

  function tell(piece: Piece): void {
    if (!keep(piece)) return
    const { runId, sessionId } = piece
    for (const listener of listeners.get(`run:${runId}`) ?? []) listener(piece)
    if (sessionId !== null) for (const listener of listeners.get(`session:${sessionId}`) ?? []) listener(piece)
  }

  function saidSoFar(of: Heard): Piece[] {
    const runs = 'runId' in of ? [kept.get(of.runId)] : [...kept.values()].filter(({ sessionId }) => sessionId === of.sessionId)
    return runs.flatMap((run) => (run && run.saidAt > now() - keptMs ? [...run.texts.values()].filter(({ text }) => text !== '') : []))
  }

  return {
    speaker: (voice) =>
      createSpeaker(
        (offset, text) => {
          const piece = { ...voice, offset, text }
          tell(piece)
          post.send(piece)
        },
        () => post.sent(),
      ),
    hear(of, listener) {
      const topic = 'runId' in of ? `run:${of.runId}` : `session:${of.sessionId}`
      for (const piece of saidSoFar(of)) listener(piece)
      const all = listeners.get(topic) ?? new Set()
      listeners.set(topic, all.add(listener))
      return () => {
        all.delete(listener)
        if (all.size === 0 && listeners.get(topic) === all) listeners.delete(topic)
      }
    },
    ended(runId) {
      if (drop(runId)) post.send({ ended: runId })
    },
    heard(payload) {
      const posted = postOf(payload)
      if (!posted || posted.from === post.self) return
      for (const each of posted.news) {
        if ('ended' in each) drop(each.ended)
        else tell(each)
      }
    },
    close: () => post.close(),
  }
}

/** The longest message there is: what comes after it is not said. */
const longest = limits.messageChars

/** Says texts as messages keep them: without NUL, and well-formed. */
export function createSpeaker(tell: (offset: number, text: string) => void, told: () => Promise<void>): Speaker {
  /** The first half of a character whose second is still to come. */
  let half = ''
  let offset = 0
  let isOver = false

  function pass(text: string): void {
    const said = cut(text, longest - offset).toWellFormed()
    if (said === '') return
    tell(offset, said)
    offset += said.length
  }

  return {
    say(piece) {
      if (isOver) return
      const text = half + piece.replaceAll('\0', '')
      half = /[\uD800-\uDBFF]$/.test(text) ? text.slice(-1) : ''
      pass(text.slice(0, text.length - half.length))
    },
    async end() {
      if (isOver) return
      isOver = true
      pass(half)
      if (offset > 0) await told()
    },
  }
}

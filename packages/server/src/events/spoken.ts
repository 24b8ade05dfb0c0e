import type { TokenEvent } from '@sluice/schema'
import { isOfOne, type Piece } from './piece.ts'
import { mostOfRun } from './tokens.ts'

/** So long is gathered for a reader: who reads fast is written to forty times a second at most. */
const gatherMs = 25

/** UTF-16 code units that wait for one reader: as much as there is of a run for who comes late. */
const mostWaiting = mostOfRun

/** What one reader was not told yet, what follows one another of a text together. What finds no room is dropped. */
export interface Ear {
  hear(piece: Piece): void
  readonly isEmpty: boolean
  take(cursor: string): readonly TokenEvent[]
}

export function createEar(): Ear {
  let waiting: { piece: Piece; texts: string[]; end: number }[] = []
  let units = 0
  return {
    hear(piece) {
      const { text, offset } = piece
      if (units > 0 && units + text.length > mostWaiting) return
      units += text.length
      const last = waiting.at(-1)
      const end = offset + text.length
      if (last?.end !== offset || !isOfOne(last.piece, piece)) return void waiting.push({ piece, texts: [text], end })
      last.texts.push(text)
      last.end = end
    },
    get isEmpty() {
      return units === 0
    },
    take(cursor) {
      const taken = waiting
      waiting = []
      units = 0
      return taken.map(({ piece: { runId, sessionId, nodeId, step, iteration, attempt, offset }, texts }) => ({
        type: 'token',
        cursor,
        runId,
        sessionId,
        nodeId,
        step,
        iteration,
        attempt,
        offset,
        text: texts.join(''),
      }))
    },
  }
}

/** What is told at one moment, never empty. */
type Told = readonly { cursor: string }[]

export interface Spoken<Batch extends Told> {
  stream(signal: AbortSignal): AsyncIterable<Batch>
  hear(listener: (piece: Piece) => void): () => void
  /** Where the stream begins; undefined: its first batch says it. */
  after: string | undefined
}

type Came<Batch> = { next: IteratorResult<Batch, unknown> } | { error: unknown }

/**
 * A stream with what is said beside it: what was heard before a batch came is told before it, and no batch waits for
 * more; what is said is told at once after a silence, and else gathered a little.
 */
export async function* withTokens<Batch extends Told>({ stream, hear, after }: Spoken<Batch>, signal: AbortSignal): AsyncGenerator<Batch | readonly TokenEvent[], void> {
  const leaving = new AbortController()
  const leave = (): void => leaving.abort()
  signal.addEventListener('abort', leave)
  if (signal.aborted) leave()
  const ear = createEar()
  const iterator = stream(leaving.signal)[Symbol.asyncIterator]()
  let cursor = after
  let came: Came<Batch> | null = null
  let toldAt = -Infinity
  let rouse = (): void => {}
  let isResting = false
  const ask = (): void =>
    void iterator
      .next()
      .then(
        (next) => (came = { next }),
        (error: unknown) => (came = { error }),
      )
      .then(() => rouse())
  const asked = (): Came<Batch> | null => came
  const forget = hear((piece) => {
    ear.hear(piece)
    if (!isResting) rouse()
  })
  /** Until something has come; with `ms`, of what is told by the log, or until they are over. */
  const rest = (ms: number | null): Promise<void> =>
    new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(resolve, ms)
      isResting = ms !== null
      rouse = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  try {
    ask()
    for (;;) {
      const isTellable = cursor !== undefined && !ear.isEmpty
      const early = toldAt + gatherMs - performance.now()
      if (!asked() && !(isTellable && early <= 0)) {
        await rest(isTellable ? early : null)
        continue
      }
      const now = asked()
      if (isTellable) {
        toldAt = performance.now()
        yield ear.take(cursor!)
      }
      if (!now) continue
      if ('error' in now) throw now.error
      if (now.next.done) return
      came = null
      cursor = now.next.value.at(-1)!.cursor
      yield now.next.value
      ask()
    }
  } finally {
    forget()
    signal.removeEventListener('abort', leave)
    leave()
    // Not awaited: it may stand in the middle of a read.
    iterator.return?.(undefined)?.catch(() => {})
  }
}

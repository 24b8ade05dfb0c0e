import { Fault } from '@sluice/schema'
import { type Dialect, type DialectStream, followCore, type Said, type Seen } from '../dialects/dialect.ts'
import type { Accounts, Passage } from '../events/accounts.ts'
import { type Batch, type FeedItem, over } from '../events/feed.ts'
import { justBefore } from '../events/place.ts'
import type { Wire } from './ask.ts'
import { checkText } from './json.ts'
import { read } from './dialect-rows.ts'
import { faceOf } from './face.ts'
import { sseText } from './frames.ts'
import { batchesOf, type StreamRow } from './rows.ts'

/**
 * The server-sent events of a dialect.
 *
 * E1. Every message has an id, and who connects again with it is told what comes after that message, without a gap or a repeat,
 *     on any server: such messages are made of the log alone. Tokens have none: they are told live, and not again.
 * E2. What is told is made once for all who ask for the same, as long as one of them is there.
 * E3. What happens once the head has come is told; who is told nothing more is answered 204, so that no browser asks again.
 * E4. Where what is missing is not kept any more, a comment says so, and the stream goes on from a snapshot.
 */
export function streamsOfDialect(dialect: Dialect, accounts: Accounts): StreamRow[] {
  const face = faceOf(dialect)
  return dialect.mounts.flatMap((mount) =>
    (dialect.streams ?? []).map((row): StreamRow => {
      const tellings = createTellings(row, accounts)
      return {
        is: 'stream',
        name: `dialects.${dialect.name}.${row.name}`,
        method: 'GET',
        path: `${mount}${row.path}`,
        face,
        open: false,
        hints: false,
        ask: (wire): Asked => ({ said: read({ schemas: row.schemas }, wire), seen: seenBy(wire) }),
        async stream(context, input, signal) {
          const asked = input as Asked
          const batches = batchesOf(await followCore(() => row.ask(asked.said, cursorOf(asked)), context, signal), row.name)
          if (batches === over) return null
          return asked.seen ? batches : begun(batches, signal)
        },
        pieces: (input) => tellings(input as Asked),
      }
    }),
  )
}

interface Asked {
  said: Said
  /** Null: nothing yet. */
  seen: Last | null
}

/** The snapshot is made before the head goes out. */
async function begun(batches: AsyncIterable<Batch>, signal: AbortSignal): Promise<AsyncIterable<Batch>> {
  const iterator = batches[Symbol.asyncIterator]()
  // Nobody may come for it.
  signal.addEventListener('abort', () => void iterator.return?.()?.catch(() => {}))
  const first = await iterator.next()
  return {
    async *[Symbol.asyncIterator]() {
      try {
        for (let next = first; !next.done; next = await iterator.next()) yield next.value
      } finally {
        await iterator.return?.()
      }
    },
  }
}

// ── ids ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The last message that somebody was told. */
interface Last extends Seen {
  /** Of several that were made of one event, how many were told; null: all of them. */
  part: number | null
}

const idOf = ({ subjectId, cursor, part }: Last): string => [subjectId, cursor, ...(part === null ? [] : [part])].join('~')

function seenBy({ headers }: Wire): Last | null {
  const id = headers['last-event-id']
  if (typeof id !== 'string' || id === '') return null
  checkText(id)
  const [, subjectId, cursor, part] = /^([\w-]{1,100})~(\d{1,20}(?:\.\d{1,16})?)(?:~(\d{1,4}))?$/.exec(id) ?? []
  if (subjectId === undefined || cursor === undefined) throw new Fault('cursor_invalid')
  return { subjectId, cursor, part: part === undefined ? null : Number(part) }
}

/** An event of which not all was told is told again, but for that. */
const cursorOf = ({ seen }: Asked): Seen | null => seen && { subjectId: seen.subjectId, cursor: seen.part === null ? seen.cursor : justBefore(seen.cursor) }

// ── what is told ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an item comes to: server-sent events, one after another. */
interface Told {
  cursor: string
  texts: readonly string[]
}

/** Of all who ask for the same. */
interface Telling {
  told(batch: Batch): Promise<readonly Told[]>
  piece(batch: Batch): Promise<Buffer | null>
}

const trimmed = ': what came after the last event is not kept any more\n\n'

function createTellings(row: DialectStream, accounts: Accounts): (asked: Asked) => (batch: Batch) => Promise<Buffer | null> {
  /** By what is asked for; each is held by those who follow it. */
  const shared = new Map<string, WeakRef<Telling>>()
  const left = new FinalizationRegistry<string>((key) => void (shared.get(key)?.deref() === undefined && shared.delete(key)))

  function tellingOf(said: Said): Telling {
    const key = JSON.stringify(said)
    const known = shared.get(key)?.deref()
    if (known) return known
    const told = onceEach(async (batch) => {
      const passages = await accounts.of(batch)
      return batch.map((item, at) => toldOf(row, item, passages[at]!, said))
    })
    const telling = { told, piece: onceEach(async (batch) => bytesOf(await told(batch))) }
    shared.set(key, new WeakRef(telling))
    left.register(telling, key)
    return telling
  }

  return ({ said, seen }) => {
    const telling = tellingOf(said)
    let last = seen
    return async (batch) => {
      // What is said beside the log moves nobody on.
      if (batch[0]!.type === 'token') return telling.piece(batch)
      const { cursor, part } = last ?? {}
      last = null
      if (part === undefined || part === null || batch[0]!.cursor !== cursor) return telling.piece(batch)
      const [first, ...others] = await telling.told(batch)
      return bytesOf([{ ...first!, texts: first!.texts.slice(part) }, ...others])
    }
  }
}

function toldOf({ messages }: DialectStream, item: FeedItem, passage: Passage | null, said: Said): Told {
  const { cursor } = item
  if (item.type === 'resync') return { cursor, texts: [trimmed] }
  const told = messages(item, passage, said)
  const subjectId = subjectOf(item, passage)
  const texts = told.map(({ event, data }, at) => {
    const isLast = at + 1 === told.length
    // Who was told a part of a snapshot is told a new one: it cannot be made again.
    const id = subjectId === null || (item.type === 'snapshot' && !isLast) ? {} : { id: idOf({ subjectId, cursor, part: isLast ? null : at + 1 }) }
    return sseText({ ...id, ...(event !== undefined && { event }), data: JSON.stringify(data) })
  })
  return { cursor, texts }
}

/** Of which run or session it is told; null: of none, or of nothing that is kept. */
function subjectOf(item: FeedItem, passage: Passage | null): string | null {
  if (passage) return passage.after.run.id
  if (item.type === 'snapshot') return item.session?.id ?? null
  return 'subject' in item && item.subject.kind === 'session' ? item.subject.id : null
}

function bytesOf(told: readonly Told[]): Buffer | null {
  const text = told.flatMap(({ texts }) => texts).join('')
  return text === '' ? null : Buffer.from(text)
}

/** Of each batch made once, and anew where that has failed. */
function onceEach<T>(make: (batch: Batch) => Promise<T>): (batch: Batch) => Promise<T> {
  const known = new WeakMap<Batch, Promise<T>>()
  return (batch) => {
    let made = known.get(batch)
    if (!made) {
      known.set(batch, (made = make(batch)))
      made.catch(() => known.delete(batch))
    }
    return made
  }
}

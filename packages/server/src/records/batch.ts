import {
  type BatchRecords,
  type Collection,
  type CreateRecord,
  Fault,
  type OneRecord,
  type Record,
  type RecordRequest,
  type RecordsWritten,
  type UpdateRecord,
} from '@sluice/schema'
import { alone, type Rooms } from '../sessions/within.ts'
import { Outage } from '../store/index.ts'
import { boundStatements } from '../store/rows/patience.ts'
import { sqlState } from '../store/sql-state.ts'
import type { Room } from './room.ts'
import type { Asking, Writing } from './writer.ts'

/** What is done to one record, in the transaction of whoever calls. Each asks for all that it asks for alone. Throws Faults. */
export interface Deeds {
  create(within: Writing, asking: Asking, input: CreateRecord): Promise<Record>
  update(within: Writing, asking: Asking, input: UpdateRecord): Promise<Record>
  delete(within: Writing, asking: Asking, input: OneRecord): Promise<void>
  /** Whether the workspace has it, whoever may see it. */
  has(within: Writing, asking: Asking, collection: Collection, id: string): Promise<boolean>
}

export interface BatchOptions {
  /** All of a batch, in milliseconds. */
  limitMs?: number
}

export type Batch = (asking: Asking, input: BatchRecords, signal?: AbortSignal) => Promise<RecordsWritten>

/** PocketBase has three seconds. While it is open nobody is told of what was committed after its first write, and others wait for its records. */
const batchMs = 5_000
/** How often it is done anew after it met another one half-way. */
const tries = 3

/**
 * Does all requests in their order, in one transaction. Each sees what those before it wrote, and is answered with what is there right
 * after it. Of one that is refused the Fault is `batch_failed`, with the `index` of that one, what it was about to `do`, and the
 * `problem` among its details, and the Fault of that one as its cause. Where time was up, or nobody waits any more, it has none.
 * In each case nothing has happened: no write, no run, no event. Throws an `Outage` where it met others every time.
 */
export function createBatch(rooms: Rooms, room: Pick<Room, 'collections' | 'writerOf'>, deeds: Deeds, { limitMs = batchMs }: BatchOptions = {}): Batch {
  /** An upsert as what it comes to. */
  async function settled(within: Writing, asking: Asking, request: RecordRequest): Promise<Settled> {
    if (request.do !== 'upsert') return request
    const { do: _do, ...input } = request
    const { id } = input.values
    const collection = room.collections.get(input.collection)
    return typeof id === 'string' && id !== '' && (await deeds.has(within, asking, collection, id)) ? { ...input, do: 'update', id } : { ...input, do: 'create' }
  }

  async function done(within: Writing, asking: Asking, what: Settled): Promise<Record | null> {
    const collection = room.collections.get(what.collection)
    if (room.writerOf(collection).apart) throw new Fault('collection_read_only', { message: `Records of ${collection.name} are written one by one, and in no batch` })
    if (what.do === 'create') return deeds.create(within, asking, what)
    if (what.do === 'update') return deeds.update(within, asking, what)
    await deeds.delete(within, asking, what)
    return null
  }

  async function one(within: Writing, asking: Asking, request: RecordRequest, index: number): Promise<Record | null> {
    let step: Settled['do'] = request.do === 'upsert' ? 'create' : request.do
    try {
      const what = await settled(within, asking, request)
      step = what.do
      return await done(within, asking, what)
    } catch (error) {
      if (!(error instanceof Fault) || error.kind === 'storage_full') throw error
      const failed = failedAt(index, step, error)
      throw request.do === 'upsert' && step === 'create' && isTaken(error) ? new Overtaken(failed) : failed
    }
  }

  const once = (asking: Asking, { requests }: BatchRecords, end: End): Promise<RecordsWritten> =>
    alone(rooms, async (whole) => {
      const within: Writing = { ...whole, tx: { query: (...asked) => (end.check(), whole.tx.query(...asked)) } }
      const records: (Record | null)[] = []
      let bound = Infinity
      for (const [index, request] of requests.entries()) {
        // A bound that has aged a little is good enough: each statement may last until shortly after the end.
        const left = end.leftMs()
        if (bound - left > limitMs / 20) await boundStatements(within.tx, (bound = left))
        records.push(await one(within, asking, request, index))
      }
      // From here on it is committed.
      end.check()
      return { records }
    })

  return async (asking, input, signal) => {
    const end = endAfter(limitMs, signal)
    for (let tried = 1; ; tried++) {
      try {
        return await once(asking, input, end)
      } catch (error) {
        if (error instanceof Ended || (end.isOver() && isCut(error))) throw tooLate(limitMs, error)
        if (tried < tries && (error instanceof Overtaken || hasMetAnother(error))) continue
        throw error instanceof Overtaken ? error.failed : error
      }
    }
  }
}

type Settled = Exclude<RecordRequest, { do: 'upsert' }>

function failedAt(index: number, deed: Settled['do'], cause: Fault): Fault {
  const { code, kind, message, issues, details, retryAfter } = cause
  const problem = { code, kind, message, issues: issues.map((issue) => ({ ...issue })), details }
  return new Fault('batch_failed', { details: { index, do: deed, problem }, cause, ...(retryAfter !== undefined && { retryAfter }) })
}

const tooLate = (limitMs: number, cause: unknown): Fault => new Fault('batch_failed', { message: `It took longer than ${limitMs / 1_000} s: none of it has happened`, cause })

/** Somebody made the record of an upsert between the look and the write. */
class Overtaken extends Error {
  override readonly name = 'Overtaken'
  readonly failed: Fault
  constructor(failed: Fault) {
    super(failed.message, { cause: failed })
    this.failed = failed
  }
}

const isTaken = ({ code, issues }: Fault): boolean =>
  code === 'id_taken' || (code === 'record_invalid' && issues.every((issue) => issue.code === 'not_unique' && issue.path?.[0] === 'id'))

const stateOf = (error: unknown): string | undefined => (error instanceof Outage && error.cause instanceof Error ? sqlState(error.cause) : undefined)

/** PostgreSQL gave the transaction up for another one: a deadlock, or what cannot be put in an order. Nothing of it is left. */
const hasMetAnother = (error: unknown): boolean => ['40P01', '40001'].includes(stateOf(error) ?? '')

/** A statement that was bounded. */
const isCut = (error: unknown): boolean => stateOf(error) === '57014'

// ── how long ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Not a Fault: what looks whether something is there must not take it for the answer. */
class Ended extends Error {
  override readonly name = 'Ended'
}

interface End {
  isOver(): boolean
  leftMs(): number
  /** Throws `Ended` when it is over: nothing more is asked of the database then. */
  check(): void
}

/** Over after so long, or with the signal. */
function endAfter(ms: number, signal: AbortSignal | undefined): End {
  const at = performance.now() + ms
  const leftMs = () => at - performance.now()
  const isOver = () => leftMs() <= 0 || signal?.aborted === true
  return {
    isOver,
    leftMs,
    check() {
      if (isOver()) throw new Ended()
    },
  }
}

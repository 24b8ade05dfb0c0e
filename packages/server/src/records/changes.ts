import type { Collection, Event, JsonObject, Record as CollectionRecord } from '@sluice/schema'
import type { Principal } from '../access/principal.ts'
import type { Collections } from '../collections/collections.ts'
import type { Page } from '../events/page.ts'
import type { Place } from '../events/place.ts'
import type { Database } from '../store/database.ts'
import { recordsBefore } from '../store/rows/changes.ts'
import { type Said, saidOf, saidIn } from './told.ts'

/** What is asked for of a collection. */
export interface Watched {
  /** By name or id. */
  collection: string
  /** One record alone. */
  id?: string
  filter?: string
  expand?: string
  /** Tell when a record does not match any more, too. */
  removals?: boolean
}

export interface Change {
  place: Place
  action: 'create' | 'update' | 'delete' | 'remove'
  record: CollectionRecord
}

/**
 * The log as changes of records.
 *
 * W1. A record is told as it was at its event, where that carries it, and as it stands where it does not.
 * W2. Who may not read it, by the rule of the collection, or did not ask for it, is told nothing: a deletion by the record as it last was.
 * W3. What is made for one is made for all who may see the same and ask for the same: the same array.
 */
export interface Changes {
  /** What a page of a workspace's log tells to somebody of it, in its order. */
  of(page: Page, watched: Watched, principal: Principal): Promise<readonly Change[]>
}

/** A record of a collection, as the store has it. */
export interface Row {
  id: string
  values: JsonObject
  /** The transaction that has deleted it. */
  deletedBy?: string
}

/** What somebody may see of a collection, and asked for. */
export interface Sight {
  /** Whoever has the same sees and asks for the same. */
  key: string
  /** Which of these rows may be told to them at all. */
  allows(rows: readonly Row[]): Promise<readonly boolean[]>
  /** Which of these rows they asked for. */
  wants(rows: readonly Row[]): Promise<readonly boolean[]>
  /** As they may see it, with what it is to be expanded by. */
  shown(rows: readonly Row[]): Promise<readonly CollectionRecord[]>
}

export interface ChangesParts {
  database: Database
  collections: Collections
  /** Null: they see nothing of it, whatever happens. */
  sightOf(principal: Principal, collection: Collection, watched: Watched): Promise<Sight | null>
  /** Rows as they stand. */
  read(workspaceId: string, collection: Collection, ids: readonly string[]): Promise<readonly Row[]>
}

/** What a page says of one collection, with the rows that its events did not carry. */
interface Stated extends Omit<Said, 'values'> {
  row: Row
  event: Event
}

/** What is made of a page for many is kept for so much; beyond that it is made for each alone. */
const mostBytes = 8 * 1024 * 1024

const nothing: readonly Change[] = []
const none: readonly Stated[] = []

export function createChanges(parts: ChangesParts): Changes {
  const { collections } = parts
  const pages = new WeakMap<Page, PageTold>()

  async function tell(stated: readonly Stated[], removals: boolean, principal: Principal, sight: Sight): Promise<readonly Change[]> {
    const rows = stated.map(({ row }) => row)
    const [allowed, wanted] = await Promise.all([sight.allows(rows), sight.wants(rows)])
    const isLeft = (at: number): boolean => removals && stated[at]!.action === 'update' && !(allowed[at] && wanted[at])
    const removed = await removedOf(
      stated.filter((_, at) => isLeft(at)),
      principal,
      sight,
    )
    const told = stated.flatMap(({ place, action, row }, at): { place: Place; action: Change['action']; row: Row }[] => {
      if (allowed[at] && wanted[at]) return [{ place, action, row }]
      if (!isLeft(at)) return []
      const was = removed.get(stated[at]!)
      // Of what they may not read any more it is told that it is gone, and no more than that.
      if (was === 'in') return [{ place, action: 'remove', row: allowed[at] ? row : { id: row.id, values: {} } }]
      return was === 'unknown' && allowed[at] ? [{ place, action: 'remove', row }] : []
    })
    if (told.length === 0) return nothing
    const records = await sight.shown(told.map(({ row }) => row))
    return told.map(({ place, action }, at) => ({ place, action, record: records[at]! }))
  }

  /** Of records that do not match: whether they did before, by the event before. */
  async function removedOf(left: readonly Stated[], { workspaceId }: Principal, sight: Sight): Promise<ReadonlyMap<Stated, 'in' | 'out' | 'unknown'>> {
    if (left.length === 0) return new Map()
    const before = await recordsBefore(
      parts.database,
      workspaceId,
      left.map(({ event: { subject, seq } }) => ({ ...subject, seq })),
    )
    const rows = left.map((each, at): Row | null => {
      const was = before[at] === undefined ? null : saidIn(each.event.subject, before[at])
      return was && { id: each.id, values: was }
    })
    const known = rows.filter((row) => row !== null)
    const [allowed, wanted] = await Promise.all([sight.allows(known), sight.wants(known)])
    const wasIn = new Map(known.map((row, at) => [row, allowed[at] && wanted[at]]))
    return new Map(left.map((each, at) => [each, rows[at] ? (wasIn.get(rows[at]) ? 'in' : 'out') : 'unknown']))
  }

  function toldOf(page: Page): PageTold {
    const known = pages.get(page)
    if (known) return known
    const told = new PageTold(page, parts)
    pages.set(page, told)
    return told
  }

  return {
    async of(page, { collection: ref, id, filter, expand, removals = false }, principal) {
      const collection = collections.of(ref)
      if (!collection) return nothing
      const told = toldOf(page)
      if (!told.speaksOf(collection, id)) return nothing
      const watched: Watched = { collection: collection.id, ...(id !== undefined && { id }), ...(filter !== undefined && { filter }), ...(expand !== undefined && { expand }) }
      const sight = await parts.sightOf(principal, collection, watched)
      if (!sight) return nothing
      return told.once(JSON.stringify([sight.key, watched, removals]), async () => {
        const stated = await told.stated(principal.workspaceId, collection)
        return tell(id === undefined ? stated : stated.filter((each) => each.id === id), removals, principal, sight)
      })
    },
  }
}

/** What was made of a page so far. */
class PageTold {
  readonly #said: ReadonlyMap<string, readonly (Said & { event: Event })[]>
  readonly #stated = new Map<string, Promise<readonly Stated[]>>()
  readonly #told = new Map<string, Promise<readonly Change[]>>()
  readonly #parts: ChangesParts
  readonly #bytes: number
  #cost = 0

  constructor(page: Page, parts: ChangesParts) {
    this.#parts = parts
    this.#bytes = page.bytes
    const said = page.entries.flatMap((entry) => {
      const each = saidOf(entry)
      return each ? [{ ...each, event: entry.event }] : []
    })
    this.#said = Map.groupBy(said, ({ collection }) => parts.collections.of(collection)?.id ?? '')
  }

  speaksOf({ id }: Collection, record: string | undefined): boolean {
    const said = this.#said.get(id)
    return said !== undefined && (record === undefined || said.some((each) => each.id === record))
  }

  /** Read in one statement what no event carries. */
  stated(workspaceId: string, collection: Collection): Promise<readonly Stated[]> {
    return once(this.#stated, collection.id, async () => {
      const said = this.#said.get(collection.id) ?? []
      const missing = said.filter(({ values, action }) => (values === null || isCut(values)) && action !== 'delete')
      const ids = [...new Set(missing.map(({ id }) => id))]
      const read = new Map((ids.length === 0 ? [] : await this.#parts.read(workspaceId, collection, ids)).map((row) => [row.id, row]))
      const stated = said.flatMap(({ values, ...each }): Stated[] => {
        const now = read.get(each.id)
        if (values === null) return now ? [{ ...each, row: now }] : []
        const deleted = each.action === 'delete' && { deletedBy: String(each.place.xid) }
        return [{ ...each, row: { id: each.id, values: now ? whole(values, now.values) : values, ...deleted } }]
      })
      return stated.length === 0 ? none : stated
    })
  }

  once(key: string, make: () => Promise<readonly Change[]>): Promise<readonly Change[]> {
    if (this.#told.has(key)) return once(this.#told, key, make)
    // Of many different filters the keys are the larger part.
    const cost = this.#cost + this.#bytes + key.length
    if (cost > mostBytes) return make()
    this.#cost = cost
    return once(this.#told, key, make)
  }
}

/** Anew where it has failed. */
function once<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let made = known.get(key)
  if (!made) {
    known.set(key, (made = make()))
    made.catch(() => known.delete(key))
  }
  return made
}

/** Whether an event tells of a value by its size alone. */
const isCutValue = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 1 && 'truncated' in value
const isCut = (values: JsonObject): boolean => Object.values(values).some(isCutValue)

/** What was cut is told as it stands now: it was not kept as it was. */
const whole = (values: JsonObject, now: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, isCutValue(value) ? (now[name] ?? value) : value]))

import { type Collection, Fault, type Record as CollectionRecord } from '@sluice/schema'
import type { Principal } from '../access/principal.ts'
import type { Tx } from '../store/index.ts'
import type { ChangesParts, Row, Sight, Watched } from './changes.ts'
import { isSuperuser, mayRead } from './permissions.ts'
import { shown } from './read.ts'
import { askingOf } from './records.ts'
import type { StockedRoom } from './room.ts'
import type { Asking } from './writer.ts'

/** Whether conditions hold of a record that is handed in, whatever is stored of it. */
export interface Judge<Condition> {
  /** By the record alone; `unknown`: by what it refers to, too. */
  fits(where: Condition, collection: Collection): (row: Row) => boolean | 'unknown'
  /** In one statement, and of each id once: the ids of those of which it holds. */
  match(tx: Tx, asked: { workspaceId: string; collection: Collection; records: readonly Row[]; where: readonly Condition[] }): Promise<ReadonlySet<string>>
}

export interface SightParts<Condition, Order> {
  room: StockedRoom<Condition, Order>
  judge: Judge<Condition>
  now: () => number
}

/** What is known of who asks, and of what `@now` says, is so old at most. */
const freshMs = 1_000
const mostKnown = 10_000
/** What is made of a filter is many times as large as its text. */
const mostChars = 1_000_000

/** How the changes of a log are held against permissions, rules and filters. */
export function createSights<Condition, Order>({ room, judge, now }: SightParts<Condition, Order>): Pick<ChangesParts, 'sightOf' | 'read'> {
  const { database, language, stored } = room
  const askings = createFresh<Asking>(now)
  const sights = createFresh<Sight | null>(now)

  async function made(key: string, asking: Asking, collection: Collection, { id, filter, expand }: Watched): Promise<Sight | null> {
    const { principal, asker } = asking
    const at = new Date(now())
    const rule = language.rule(collection, id === undefined ? 'list' : 'view', asker, at)
    if (rule === null) return null
    const asked = filter === undefined ? null : language.query({ collection, filter, asker, now: at }).where
    const holds = (where: Condition) => holding(judge, where, { tx: database, workspaceId: principal.workspaceId, collection })
    return {
      key,
      allows: holds(rule),
      wants: asked === null ? async (rows) => rows.map(() => true) : holds(asked),
      shown: (rows) => expanded(rows, expand, (expansion) => shown(room, database, asking, collection, rows, expansion)),
    }
  }

  return {
    async sightOf(principal, collection, watched) {
      if (!mayRead(principal, collection)) return null
      const viewer = viewerOf(principal, watched)
      return sights.get(`${viewer} ${collection.id} ${JSON.stringify(watched)}`, async () => {
        const asking = await askings.get(viewer, () => askingOf(room, principal, new Date(now())))
        return made(viewer, asking, collection, watched).catch(noneOf)
      })
    },
    read: (workspaceId, collection, ids) => stored.read(database, { workspaceId, collection, ids, where: [], anySize: true }),
  }
}

/** A filter that cannot be read, or that asks about what is for superusers, lets nothing through, as in PocketBase: a request that subscribes is about all topics of a client. */
function noneOf(error: unknown): null {
  if (error instanceof Fault) return null
  throw error
}

/** Superusers with the same scopes see the same, unless the filter asks who they are. */
function viewerOf(principal: Principal, { filter = '' }: Watched): string {
  const { workspaceId, id, role, scopes } = principal
  return JSON.stringify([workspaceId, isSuperuser(principal) && !filter.includes('@') ? null : id, role, scopes])
}

/** A relation that cannot be told is left out, as where records are read. */
async function expanded(rows: readonly Row[], expansion: string | undefined, make: (expansion: string) => Promise<CollectionRecord[]>): Promise<readonly CollectionRecord[]> {
  if (rows.length === 0) return []
  try {
    return await make(expansion ?? '')
  } catch (error) {
    if (!(error instanceof Fault) || expansion === undefined) throw error
    return make('')
  }
}

interface Scope {
  tx: Tx
  workspaceId: string
  collection: Collection
}

/** By the records alone where that can be said; of the others, several in one statement. */
function holding<Condition>(judge: Judge<Condition>, where: Condition, { tx, ...scope }: Scope): (rows: readonly Row[]) => Promise<readonly boolean[]> {
  const fits = judge.fits(where, scope.collection)
  return async (rows) => {
    const held = rows.map(fits)
    const open = rows.flatMap((row, at) => (held[at] === 'unknown' ? [{ row, at }] : []))
    // One that has changed twice is two records: each of its states has its turn.
    for (const round of roundsOf(open)) {
      const matched = await judge.match(tx, { ...scope, records: round.map(({ row }) => row), where: [where] })
      for (const { row, at } of round) held[at] = matched.has(row.id)
    }
    return held.map((each) => each === true)
  }
}

/** In each of which no id comes twice. */
function roundsOf<T extends { row: Row }>(rows: readonly T[]): T[][] {
  const rounds: T[][] = []
  const seen = new Map<string, number>()
  for (const each of rows) {
    const round = seen.get(each.row.id) ?? 0
    seen.set(each.row.id, round + 1)
    ;(rounds[round] ??= []).push(each)
  }
  return rounds
}

/** What is made anew once it is old, and forgotten when it is too much. */
function createFresh<T>(now: () => number): { get(key: string, make: () => Promise<T>): Promise<T> } {
  const known = new Map<string, { until: number; made: Promise<T> }>()
  let chars = 0
  return {
    get(key, make) {
      const one = known.get(key)
      const left = one ? one.until - now() : 0
      // A clock set back must not make it live longer.
      if (one && left > 0 && left <= freshMs) return one.made
      if (known.size >= mostKnown || chars + key.length > mostChars) {
        known.clear()
        chars = 0
      }
      if (!known.has(key)) chars += key.length
      const made = make()
      known.set(key, { until: now() + freshMs, made })
      made.catch(() => known.delete(key))
      return made
    },
  }
}

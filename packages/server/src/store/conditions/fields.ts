import type { Json, Scalar } from '@sluice/schema'

/**
 * What a list may be asked about, as data: nothing that is not named here can be filtered or ordered by. A list declares
 * its fields beside its view,
 *
 *     const runList: StoredList<RunSummary, RunField> = {
 *       id: 'id',
 *       fields: {
 *         id: { type: 'id', sql: 'runs.id', of: (run) => run.id },
 *         status: { type: 'text', sql: shownStatus, of: (run) => run.status },
 *         tags: { type: 'texts', sql: 'runs.tags', of: (run) => run.tags },
 *         endedAt: { type: 'time', nullable: true, sql: 'runs.ended_at', of: (run) => run.endedAt },
 *         context: { type: 'json', sql: 'sessions.context', of: (session) => session.context },   // asked for as `context.topic`
 *       },
 *     }
 *
 * takes `...listInput(runFields)` of `@sluice/schema` into its input, where `runFields` names the same fields for callers,
 * and answers with
 *
 *     listPage(tx, runList, asked, { select: columns, from: 'runs', scope: 'runs.workspace_id = $1', values: [workspaceId], item: summaryFrom })
 *
 * What flat parameters ask for goes in as `also`, a `where` of the same form. `check.ts` says what is meant or throws a Fault,
 * `sql.ts` and `memory.ts` read it, and a property test holds them equal. The rules of comparing are `Where`'s, W1 to W4.
 */
export type FieldType = 'id' | 'text' | 'number' | 'boolean' | 'time' | 'texts' | 'json'

/** Of a record in memory. Of a list that is only read there (the events of a stream) this is all. */
export interface Field<R> {
  /** `id` is a text of the form of our ids, and ordered by the database's own collation, so that an index serves. */
  type: FieldType
  /** Unless said it never is null. */
  nullable?: boolean
  /** The instant that its id was made in: what is asked of it is asked of ids, which an index is in anyway. */
  ofId?: boolean
  /** An instant as ISO 8601. */
  of(record: R): Json
}

/** Of a row as well. */
export interface Column<R> extends Field<R> {
  /** An expression over `from` without parameters. Of a column that is `real`: `progress::text::float8`, which is the number that callers see. */
  sql: string
  /** The same, for lists that are ordered by it: where `sql` looks into another table for each row, this has looked once for all of them. */
  keyed?: string
  /** What is true of every row whose field is one of these values, or has this one: what an index is over that the field itself is not in. Null: nothing. */
  narrow?(values: readonly Scalar[]): string | null
  /** That the field is one of these values, where `sql` would tell the planner nothing of how many rows are so. Without parameters. */
  within?(values: readonly Scalar[]): string
  /** It stands in another table: what is asked of it is asked there, of `sql`, and once for all rows. */
  elsewhere?: { sql: string; where(test: string): string }
}

export interface ListFields<R, Name extends string = string, F extends Field<R> = Field<R>> {
  /** The field that ends every order and makes it total: no two records have the same. */
  id: Name
  fields: Readonly<Record<Name, F>>
  /** `-id` unless given. */
  order?: readonly string[]
}

export type StoredList<R, Name extends string = string> = ListFields<R, Name, Column<R>>

/** What is meant by a field's name: the field, and in JSON the path to a value. */
export interface Place {
  field: string
  type: FieldType
  nullable: boolean
  ofId: boolean
  path: readonly string[]
}

/** Conditions that fit their fields. What is said of `ne`, null and lists of values is in these words already. */
export type Checked = Kind<'and' | 'or', { of: readonly Checked[] }> | Kind<'not', { of: Checked }> | Comparing

export type Comparing =
  | Kind<'null', { at: Place }>
  /** One of these, all of the field's type, or in JSON of any but null. Instants are milliseconds. */
  | Kind<'in', { at: Place; values: readonly Value[] }>
  | Kind<'lt' | 'lte' | 'gt' | 'gte', { at: Place; value: string | number }>
  | TextTest
  | Kind<'has', { at: Place; text: string }>

export type TextTest = Kind<'like' | 'ilike' | 'contains', { at: Place; text: string }>

/** One of the union for each kind, so that to rule one out leaves the others. */
type Kind<Is extends string, Says> = Is extends string ? { is: Is } & Says : never

export type Value = string | number | boolean

/** One value that records are ordered by. A place in JSON is three of them: its rank by type, then its number, then its text. */
export interface Key {
  at: Place
  part: 'whole' | 'rank' | 'number' | 'text'
  descending: boolean
}

/** What a key's values are, of whatever its field is. */
export function keyType({ at, part }: Key): 'id' | 'text' | 'number' | 'boolean' | 'time' {
  if (part === 'text') return 'text'
  if (part === 'rank' || part === 'number') return 'number'
  return at.type as 'id' | 'text' | 'number' | 'boolean' | 'time'
}

/** Texts are ordered by so many of their characters, which bounds what a cursor carries. */
export const orderedCharacters = 200

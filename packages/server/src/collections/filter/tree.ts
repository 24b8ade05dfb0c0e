/**
 * What a filter says, as it was written: `status = "running" && (title ~ "a%" || user.name ?= null)`. `&&` binds tighter
 * than `||`. An empty filter is an `and` of nothing.
 */
export type Tree = { is: 'and' | 'or'; of: readonly Tree[] } | Comparison

export interface Comparison {
  is: 'compare'
  left: Operand
  operator: Operator
  /** `?=` and its like: one of several values is enough. */
  any: boolean
  right: Operand
}

export type Operator = '=' | '!=' | '>' | '>=' | '<' | '<=' | '~' | '!~'

export type Operand =
  /** A field, a path, a macro, `null`, `true`, `false`; with its modifier, as `title:lower`. */
  | { is: 'name'; name: string }
  | { is: 'text'; text: string }
  /** With its text as it was written. */
  | { is: 'number'; value: number; text: string }
  | { is: 'call'; name: string; args: readonly Operand[] }

/** Of an order, most significant first. */
export type SortTerm = { is: 'field'; name: string; descending: boolean } | { is: 'random' } | { is: 'rowid'; descending: boolean }

/** Relations to follow, and from there on: `user,runs_via_session.workflow`. */
export interface Expansion {
  readonly [name: string]: Expansion
}

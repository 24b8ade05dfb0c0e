import { stemOfFile } from './table.ts'
import type { Column, Table } from './table.ts'
import { stemsOf } from './tokens.ts'

/** How the rows of a table find those of another. PURE. */
export interface Joining {
  left: Column
  right: Column
}

const same = (one: Column, other: Column): boolean => stemsOf(one.name).join(' ') === stemsOf(other.name).join(' ')
const isId = (column: Column): boolean => /(^|_|-|\s|(?<=[a-z])(?=I))id$/i.test(column.name)

/**
 * Each row of the left is to find at most one of the right, else its numbers count more than once: a key of which the right is known to
 * repeat values is none. Null: there is no key, or nobody says which.
 */
export function joiningOf(left: Table, right: Table): Joining | null {
  const shared = left.columns.flatMap((one) => right.columns.filter((other) => same(one, other) && one.type === other.type).map((other) => ({ left: one, right: other })))
  const owned = left.columns.flatMap((one) => right.columns.filter((other) => isId(other) && refersTo(one, right, other)).map((other) => ({ left: one, right: other })))
  const keys = [...shared, ...owned].filter((joining) => !repeats(right, joining.right))
  if (keys.length <= 1) return keys[0] ?? null
  const ids = keys.filter((joining) => isId(joining.left))
  const unique = keys.filter((joining) => joining.right.values !== null && joining.right.values.length === right.rows)
  return ids.length === 1 ? ids[0]! : ids.length === 0 && unique.length === 1 ? unique[0]! : null
}

/** `customer_id` to `id` of `customers.csv`. */
function refersTo(column: Column, to: Table, key: Column): boolean {
  return column.type === key.type && stemsOf(column.name).join(' ') === [...stemsOf(stemOfFile(to.name)), ...stemsOf(key.name)].join(' ')
}

const repeats = ({ rows }: Table, { values }: Column): boolean => rows !== null && values !== null && values.length < rows

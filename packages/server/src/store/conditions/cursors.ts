import { Fault, instants, whereLimits } from '@sluice/schema'
import { idForm } from '../cursor.ts'
import { type Key, type Value, keyType, orderedCharacters } from './fields.ts'

/** A place in a list: the order it was made for, and what the last record of the page was ordered by. */
export const encodePlace = (keys: readonly Key[], values: readonly (Value | null)[]): string => Buffer.from(JSON.stringify([orderOf(keys), ...values])).toString('base64url')

/** Throws a Fault `cursor_invalid`, for the place in another order too: going on there would leave records out. */
export function decodePlace(cursor: string, keys: readonly Key[]): (Value | null)[] {
  const read = cursor.length <= whereLimits.cursor ? parsed(Buffer.from(cursor, 'base64url').toString()) : undefined
  if (!Array.isArray(read)) throw new Fault('cursor_invalid')
  const [order, ...values] = read as unknown[]
  if (order !== orderOf(keys)) throw new Fault('cursor_invalid', typeof order === 'string' ? { message: 'The cursor is of another order' } : {})
  if (values.length !== keys.length || !keys.every((key, index) => isValueOf(key, values[index]))) throw new Fault('cursor_invalid')
  return values as (Value | null)[]
}

const orderOf = (keys: readonly Key[]): string =>
  keys.map(({ at, part, descending }) => `${descending ? '-' : ''}${[at.field, ...at.path].join('.')}${part === 'whole' ? '' : `:${part}`}`).join(',')

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isValueOf(key: Key, value: unknown): boolean {
  if (value === null) return key.part !== 'whole' || key.at.nullable
  const type = keyType(key)
  if (type === 'id') return typeof value === 'string' && idForm.test(value)
  if (type === 'text') return typeof value === 'string' && value.length <= 2 * orderedCharacters && !/[\0\p{Cs}]/u.test(value)
  if (type === 'time') return Number.isInteger(value) && Number(value) >= instants.first && Number(value) <= instants.last
  return typeof value === type
}

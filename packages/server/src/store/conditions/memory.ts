import type { Json } from '@sluice/schema'
import type { Checked, Comparing, Key, ListFields, Place, TextTest, Value } from './fields.ts'
import { orderedCharacters } from './fields.ts'
import { fits, foldAscii } from './pattern.ts'

/** The conditions as a function of a record. */
export function predicate<R>(checked: Checked, list: ListFields<R>): (record: R) => boolean {
  if (checked.is === 'and' || checked.is === 'or') {
    const all = checked.of.map((each) => predicate(each, list))
    return checked.is === 'and' ? (record) => all.every((each) => each(record)) : (record) => all.some((each) => each(record))
  }
  if (checked.is === 'not') {
    const inner = predicate(checked.of, list)
    return (record) => !inner(record)
  }
  const read = readerOf<R>(checked.at, list)
  const test = testOf(checked)
  return (record) => test(read(record))
}

/** Nothing but `null` is true of null. */
function testOf(checked: Comparing): (value: Json) => boolean {
  if (checked.is === 'null') return (value) => value === null
  if (checked.is === 'in') return (value) => checked.values.some((each) => each === value)
  if (checked.is === 'has') return (value) => Array.isArray(value) && value.includes(checked.text)
  if (checked.is === 'like' || checked.is === 'ilike' || checked.is === 'contains') {
    const test = textTest(checked)
    return (value) => typeof value === 'string' && test(value)
  }
  const { is, value: bound } = checked
  return (value) => typeof value === typeof bound && holds[is](compareValues(value as string | number, bound))
}

const holds = {
  lt: (order: number) => order < 0,
  lte: (order: number) => order <= 0,
  gt: (order: number) => order > 0,
  gte: (order: number) => order >= 0,
}

function textTest({ is, text }: TextTest): (value: string) => boolean {
  if (is === 'like') return fits(text)
  const folded = foldAscii(text)
  if (is === 'contains') return (value) => foldAscii(value).includes(folded)
  const test = fits(folded)
  return (value) => test(foldAscii(value))
}

/** What stands at a place: of an instant its milliseconds, in JSON null for what is not there. */
function readerOf<R>({ field, type, path }: Place, { fields }: ListFields<R>): (record: R) => Json {
  const { of } = fields[field]!
  if (type === 'json') return (record) => path.reduce(inside, of(record))
  if (type !== 'time') return of
  return (record) => {
    const instant = of(record)
    return typeof instant === 'string' ? Date.parse(instant) : null
  }
}

function inside(value: Json, key: string): Json {
  if (typeof value !== 'object' || value === null) return null
  if (Array.isArray(value)) return /^\d+$/.test(key) ? (value[Number(key)] ?? null) : null
  return Object.hasOwn(value, key) ? (value[key] ?? null) : null
}

/** Whose values come first. Of one type; null after all. */
function compareKeys(one: Value | null, other: Value | null): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null)
  return compareValues(one, other)
}

function compareValues(one: Value, other: Value): number {
  if (typeof one === 'string' && typeof other === 'string') return compareTexts(one, other)
  return one < other ? -1 : one > other ? 1 : 0
}

/** By code point, as the bytes of UTF-8 are ordered; by UTF-16 what is beyond the BMP would come before U+E000. */
function compareTexts(one: string, other: string): number {
  for (let at = 0; at < one.length && at < other.length; at++) {
    const [a, b] = [one.charCodeAt(at), other.charCodeAt(at)]
    if (a !== b) return isSurrogate(a) === isSurrogate(b) ? a - b : isSurrogate(a) ? 1 : -1
  }
  return one.length - other.length
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff

/** A record's values of keys, as a cursor carries them. */
export function keysIn<R>(keys: readonly Key[], list: ListFields<R>): (record: R) => (Value | null)[] {
  const readers = keys.map((key) => {
    const read = readerOf<R>(key.at, list)
    return (record: R) => keyOf(key, read(record))
  })
  return (record) => readers.map((read) => read(record))
}

const ranks: Record<string, number> = { boolean: 1, number: 2, string: 3 }

function keyOf({ part }: Key, value: Json): Value | null {
  if (part === 'rank') return ranks[typeof value] ?? null
  if (part === 'number') return typeof value === 'boolean' || typeof value === 'number' ? Number(value) : null
  if (part === 'text' && typeof value !== 'string') return null
  return typeof value === 'string' ? Array.from(value).slice(0, orderedCharacters).join('') : (value as Value | null)
}

/** Records in the order of keys. */
export const byKeys =
  (keys: readonly Key[]) =>
  (one: readonly (Value | null)[], other: readonly (Value | null)[]): number => {
    for (const [index, { descending }] of keys.entries()) {
      const order = compareKeys(one[index] ?? null, other[index] ?? null)
      if (order !== 0) return descending ? -order : order
    }
    return 0
  }

import { createHash, createHmac } from 'node:crypto'
import { filters as library } from 'liquidjs'
import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { jsonText } from './json.ts'

/**
 * The filters of templates. They are our own, because the library's coerce: a list of lists that is used as a text, a
 * number or a key costs whatever its contents cost, and strings may be parsed as expressions. These are total over JSON,
 * charge the budget for what they read and make, and take a list or an object for its JSON text, nowhere for `[object Object]`.
 */

export type FilterFunction = (budget: Budget, value: unknown, ...args: unknown[]) => unknown

/** The text of a value: null is empty, lists and objects are JSON. Charged. */
export function text(budget: Budget, value: unknown): string {
  const plain = unwrap(value)
  if (typeof plain === 'string') {
    budget.spend(plain.length)
    return plain
  }
  if (plain === null || plain === undefined) return ''
  return typeof plain === 'number' || typeof plain === 'boolean' ? String(plain) : jsonText(plain, budget)
}

/** Liquid's own literals (`nil`, `empty`, a loop's `forloop`) are objects with a plain value. */
export const unwrap = (value: unknown): unknown => (value !== null && typeof value === 'object' && 'liquidMethodMissing' in value ? value.valueOf() : value)

function number(value: unknown): number {
  const plain = unwrap(value)
  return typeof plain === 'number' ? plain : typeof plain === 'string' || typeof plain === 'boolean' ? Number(plain) || 0 : 0
}

function list(budget: Budget, value: unknown): unknown[] {
  const plain = unwrap(value)
  if (plain === null || plain === undefined) return []
  const items = Array.isArray(plain) ? plain : [plain]
  budget.spend(items.length)
  return items
}

/** A property by dotted path, own ones alone. */
function property(budget: Budget, item: unknown, path: string): unknown {
  let value = item
  for (const key of path.split('.')) {
    budget.tick()
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

const blank = (value: unknown): boolean => value === null || value === undefined || value === false
const scalar = (value: unknown): unknown => (value !== null && typeof value === 'object' ? undefined : value)

/** How sorted: numbers, then texts; what is neither keeps its place at the end. */
function compare(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const rank = (value: unknown): number => (typeof value === 'number' ? 0 : typeof value === 'string' ? 1 : 2)
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  return rank(a) - rank(b)
}

const ofText =
  (make: (text: string, ...args: string[]) => unknown): FilterFunction =>
  (budget, value, ...args) =>
    make(text(budget, value), ...args.map((arg) => text(budget, arg)))
const ofNumber =
  (make: (value: number, ...args: number[]) => number): FilterFunction =>
  (_budget, value, ...args) =>
    make(number(value), ...args.map(number))

/** Text in which every `found` is replaced; charged before it is made. */
const replaceAll: FilterFunction = (budget, value, pattern, replacement) => {
  const [source, found, put] = [text(budget, value), text(budget, pattern), text(budget, replacement)]
  const parts = source.split(found)
  budget.spend(parts.length * (put.length + 1))
  return parts.join(put)
}

const select =
  (keep: boolean): FilterFunction =>
  (budget, value, path, ...expected) => {
    const key = text(budget, path)
    return list(budget, value).filter((item) => (expected.length > 0 ? property(budget, item, key) === unwrap(expected[0]) : !blank(property(budget, item, key))) === keep)
  }

const sorted =
  (keyOf: (value: unknown) => unknown): FilterFunction =>
  (budget, value, path) => {
    const key = path === undefined ? null : text(budget, path)
    const keyed = list(budget, value).map((item) => ({ item, by: keyOf(scalar(key === null ? item : property(budget, item, key))) }))
    // A sort cannot be interrupted; 100,000 elements take some 50 ms.
    if (keyed.length > 100_000) throw new ExpressionError('A list of more than 100,000 elements cannot be sorted here')
    return keyed.sort((a, b) => compare(a.by, b.by)).map(({ item }) => item)
  }

const join: FilterFunction = (budget, value, separator = ' ') => {
  const between = text(budget, separator)
  const items = list(budget, value)
  budget.spend(items.length * between.length)
  return items.map((item) => text(budget, item)).join(between)
}

const slice: FilterFunction = (budget, value, from, length = 1) => {
  const plain = unwrap(value)
  const source = Array.isArray(plain) ? list(budget, plain) : text(budget, plain)
  const start = number(from) < 0 ? Math.max(source.length + number(from), 0) : number(from)
  return source.slice(start, start + Math.max(number(length), 0))
}

const truncate: FilterFunction = (budget, value, length = 50, end = '...') => {
  const [source, ending] = [text(budget, value), text(budget, end)]
  return source.length <= number(length) ? source : source.slice(0, Math.max(number(length) - ending.length, 0)) + ending
}

const truncatewords: FilterFunction = (budget, value, count = 15, end = '...') => {
  const words = text(budget, value).trim().split(/\s+/)
  return words.length <= number(count) ? words.join(' ') : words.slice(0, Math.max(number(count), 1)).join(' ') + text(budget, end)
}

const size: FilterFunction = (_budget, value) => {
  const plain = unwrap(value)
  if (typeof plain === 'string' || Array.isArray(plain)) return plain.length
  return plain !== null && typeof plain === 'object' ? Object.keys(plain).length : 0
}

const uniq: FilterFunction = (budget, value) => {
  const seen = new Set<string>()
  return list(budget, value).filter((item) => {
    const key = jsonText(item, budget)
    return !seen.has(key) && seen.add(key)
  })
}

const groupBy: FilterFunction = (budget, value, path) => {
  const groups = new Map<unknown, unknown[]>()
  const key = text(budget, path)
  for (const item of list(budget, value)) {
    const name = scalar(property(budget, item, key)) ?? null
    const group = groups.get(name)
    if (group) group.push(item)
    else groups.set(name, [item])
  }
  return [...groups].map(([name, items]) => ({ name, items }))
}

/** `default: x, allow_false: true`: named arguments come as pairs. */
const orDefault: FilterFunction = (_budget, value, fallback, ...named) => {
  const plain = unwrap(value)
  if (plain === false) return named.some((pair) => Array.isArray(pair) && pair[0] === 'allow_false' && pair[1] === true) ? false : fallback
  const isEmpty = plain === null || plain === undefined || plain === '' || (Array.isArray(plain) && plain.length === 0)
  return isEmpty ? fallback : plain
}

/** The library's formatting of dates, given texts and numbers alone; a width in a format is at most three digits. */
const date: FilterFunction = (budget, value, format, zone) => {
  const pattern = format === undefined ? '%Y-%m-%dT%H:%M:%S%:z' : text(budget, format)
  if (/%[^a-zA-Z%]*\d{4}/.test(pattern) || pattern.length > 200) throw new ExpressionError('The format of a date is too long')
  const plain = scalar(unwrap(value))
  const context = { opts: { dateFormat: pattern, timezoneOffset: 0, preserveTimezones: false, locale: 'en-US' }, memoryLimit: { use: (units: number) => budget.spend(units) } }
  const handler = library.date as unknown as (this: unknown, ...args: unknown[]) => unknown
  return handler.call({ context }, plain, pattern, typeof zone === 'number' || typeof zone === 'string' ? zone : undefined)
}

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' }
const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()

const texts: Record<string, FilterFunction> = {
  append: ofText((value, end = '') => value + end),
  prepend: ofText((value, start = '') => start + value),
  upcase: ofText((value) => value.toUpperCase()),
  downcase: ofText((value) => value.toLowerCase()),
  capitalize: ofText(capital),
  title: ofText((value) => value.replace(/[^\s]+/g, capital)),
  strip: ofText((value) => value.trim()),
  lstrip: ofText((value) => value.trimStart()),
  rstrip: ofText((value) => value.trimEnd()),
  squish: ofText((value) => value.trim().split(/\s+/).join(' ')),
  strip_newlines: ofText((value) => value.replace(/\r?\n/g, '')),
  newline_to_br: ofText((value) => value.replace(/\r?\n/g, '<br />\n')),
  strip_html: ofText((value) =>
    value
      .split('<')
      .map((part, at) => (at === 0 ? part : part.includes('>') ? part.slice(part.indexOf('>') + 1) : `<${part}`))
      .join(''),
  ),
  escape: (budget, value) => {
    const source = text(budget, value)
    budget.spend(source.length * 5)
    return source.replace(/[&<>"']/g, (found) => entities[found]!)
  },
  url_encode: ofText((value) => encodeURIComponent(value.toWellFormed())),
  url_decode: ofText((value) => decodeURIComponent(value.replaceAll('+', ' '))),
  base64_encode: ofText((value) => Buffer.from(value).toString('base64')),
  base64_decode: ofText((value) => Buffer.from(value, 'base64').toString()),
  sha256: ofText((value) => createHash('sha256').update(value).digest('hex')),
  hmac_sha256: ofText((value, key = '') => createHmac('sha256', key).update(value).digest('hex')),
  replace: replaceAll,
  replace_first: ofText((value, found = '', put = '') => value.replace(found, () => put)),
  remove: (budget, value, found) => replaceAll(budget, value, found, ''),
  remove_first: ofText((value, found = '') => value.replace(found, '')),
  split: ofText((value, by = ' ') => value.split(by)),
  string: ofText((value) => value),
  truncate,
  truncatewords,
  date,
}

const numbers: Record<string, FilterFunction> = {
  plus: ofNumber((value, by = 0) => value + by),
  minus: ofNumber((value, by = 0) => value - by),
  times: ofNumber((value, by = 1) => value * by),
  divided_by: ofNumber((value, by = 1) => value / by),
  modulo: ofNumber((value, by = 1) => ((value % by) + by) % by),
  abs: ofNumber(Math.abs),
  ceil: ofNumber(Math.ceil),
  floor: ofNumber(Math.floor),
  round: ofNumber((value, places = 0) =>
    Number(`${Math.round(Number(`${value}e${Math.min(Math.max(Math.trunc(places), 0), 15)}`))}e-${Math.min(Math.max(Math.trunc(places), 0), 15)}`),
  ),
  at_least: ofNumber((value, least = value) => Math.max(value, least)),
  at_most: ofNumber((value, most = value) => Math.min(value, most)),
  int: ofNumber(Math.trunc),
  float: ofNumber((value) => value),
}

const lists: Record<string, FilterFunction> = {
  size,
  first: (_budget, value) => (Array.isArray(value) || typeof value === 'string' ? value[0] : undefined),
  last: (_budget, value) => (Array.isArray(value) || typeof value === 'string' ? value.at(-1) : undefined),
  join,
  slice,
  reverse: (budget, value) => [...list(budget, value)].reverse(),
  sort: sorted((value) => value),
  sort_natural: sorted((value) => (typeof value === 'string' ? value.toLowerCase() : value)),
  map: (budget, value, path) => {
    const key = text(budget, path)
    return list(budget, value).map((item) => property(budget, item, key) ?? null)
  },
  where: select(true),
  reject: select(false),
  find: (budget, value, path, ...expected) => (select(true)(budget, value, path, ...expected) as unknown[])[0],
  has: (budget, value, path, ...expected) => (select(true)(budget, value, path, ...expected) as unknown[]).length > 0,
  compact: (budget, value) => list(budget, value).filter((item) => item !== null && item !== undefined),
  concat: (budget, value, more) => [...list(budget, value), ...list(budget, more)],
  push: (budget, value, item) => [...list(budget, value), unwrap(item)],
  sum: (budget, value, path) => {
    const key = path === undefined ? null : text(budget, path)
    return list(budget, value).reduce<number>((total, item) => total + number(key === null ? item : property(budget, item, key)), 0)
  },
  uniq,
  group_by: groupBy,
}

const others: Record<string, FilterFunction> = {
  default: orDefault,
  json: (budget, value, space = 0) => jsonText(unwrap(value), budget, Math.min(Math.max(number(space), 0), 8)),
  raw: (_budget, value) => value,
}

const own = { ...texts, ...numbers, ...lists, ...others }

/** Names under which people who come from Jinja look for them. */
const aliases: Record<string, keyof typeof own> = {
  upper: 'upcase',
  lower: 'downcase',
  trim: 'strip',
  length: 'size',
  count: 'size',
  tojson: 'json',
  jsonify: 'json',
  safe: 'raw',
  e: 'escape',
  urlencode: 'url_encode',
  unique: 'uniq',
}

export const filters: Readonly<Record<string, FilterFunction>> = { ...own, ...Object.fromEntries(Object.entries(aliases).map(([alias, name]) => [alias, own[name]!])) }

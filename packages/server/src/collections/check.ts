import { type Collection, type CollectionRules, Fault, type Json, type RecordField, recordLimits } from '@sluice/schema'
import { type Checked, type Compared, everything, type Join, kindOf, type Operand, type Order, type Shift } from '../store/records/query.ts'
import type { Asker } from './asker.ts'
import type { Collections } from './collections.ts'
import { parseFilter } from './filter/parse.ts'
import type { Operand as Said, SortTerm, Tree } from './filter/tree.ts'
import { macroOf } from './macros.ts'
import { parseSort } from './sort.ts'
import { timeText } from '../store/records/times.ts'

/** Filters, orders and rules as the store understands them: every name resolved, and refused where it has no meaning. */
export interface Language {
  /** Of a client. Throws a Fault `filter_invalid`, or `superusers_only` for what they alone may ask about. */
  query(asked: { collection: Collection; filter?: string | undefined; sort?: string | undefined; asker: Asker; now: Date }): { where: Checked; order: Order }
  /** Null: superusers alone, and the asker is none. */
  rule(collection: Collection, which: keyof CollectionRules, asker: Asker, now: Date): Checked | null
}

export function createLanguage(collections: Collections): Language {
  function rule(collection: Collection, which: keyof CollectionRules, asker: Asker, now: Date): Checked | null {
    if (asker.superuser) return everything
    const text = collection.rules[which]
    return text === null ? null : checkerOf({ collections, collection, asker, now, isRule: true, listRule: () => everything }).condition(parseFilter(text))
  }

  return {
    rule,
    query({ collection, filter = '', sort = '', asker, now }) {
      if (!asker.superuser) forClients(filter, sort)
      const checker = checkerOf({ collections, collection, asker, now, isRule: false, listRule: (other) => rule(other, 'list', asker, now) })
      return { where: checker.condition(parseFilter(filter)), order: parseSort(sort).map((term) => aboutSort(() => checker.key(term))) }
    },
  }
}

/** By the text alone, as PocketBase does it, also where it stands in quotes. */
function forClients(filter: string, sort: string): void {
  for (const name of ['@collection.', '@request.']) if (`${filter} ${sort}`.includes(name)) throw new Fault('superusers_only', { message: `Only superusers can filter by ${name}` })
}

interface Context {
  collections: Collections
  collection: Collection
  asker: Asker
  now: Date
  /** Rules see all fields, and cross relations freely. */
  isRule: boolean
  /** Of a collection that is crossed. */
  listRule(collection: Collection): Checked | null
}

const refuse = (message: string): never => {
  throw new Fault('filter_invalid', { issues: [{ path: ['filter'], message }] })
}

/** What cannot be ordered by is no mistake of the filter. */
function aboutSort<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'filter_invalid') throw error
    throw new Fault('filter_invalid', { issues: error.issues.map((issue) => ({ ...issue, path: ['sort'] })) })
  }
}

const valueOf = (value: Json | undefined): Operand => {
  if (value === undefined || value === null) return { is: 'value', value: null, text: '', json: false }
  if (typeof value === 'boolean') return { is: 'value', value: value ? 1 : 0, text: value ? '1' : '0', json: false }
  if (typeof value === 'object') return { is: 'value', value: JSON.stringify(value), text: JSON.stringify(value), json: false }
  // What comes with a request may hold what no text that is stored does, and PostgreSQL takes none of.
  const known = typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value
  return { is: 'value', value: known, text: String(known), json: false }
}

const constants: Readonly<Record<string, Json>> = { null: null, true: true, false: false }

interface Checker {
  condition(tree: Tree): Checked
  key(term: SortTerm): Order[number]
}

/** Of a filter and its order. Each takes time to plan, and the rows of those that several lead to are multiplied. */
const mostJoins = 30

/** One for each filter: the same path is the same row in all of it. */
function checkerOf(context: Context): Checker {
  const { collections, collection, asker, now, isRule } = context
  const joins = new Map<string, Join>()

  function step(key: string, join: Omit<Join, 'rule'>): Join {
    const known = joins.get(key)
    if (known) return known
    if (joins.size >= mostJoins) refuse(`At most ${mostJoins} relations are followed`)
    const rule = isRule || join.by === 'each' ? everything : context.listRule(join.collection)
    if (rule === null || (!isRule && asker.mayRead?.(join.collection) === false)) return refuse(`${join.collection.name} is for superusers alone`)
    const made: Join = { ...join, rule: rule === everything ? null : rule }
    joins.set(key, made)
    return made
  }

  const visible = (field: RecordField | undefined): field is RecordField =>
    field !== undefined && field.type !== 'password' && field.name !== 'tokenKey' && (!field.hidden || isRule || asker.superuser)

  function condition(tree: Tree): Checked {
    if (tree.is !== 'compare') return { is: tree.is, of: tree.of.map(condition) }
    const { left, operator, any, right } = tree
    const changed = changes(left, operator, right)
    if (changed) return changed
    return { is: 'compare', left: operand(left), operator, any, right: operand(right) } satisfies Compared
  }

  /** `@request.body.title:changed = true`: it was sent, and is not what is stored. */
  function changes(left: Said, operator: string, right: Said): Checked | null {
    const [, name] = left.is === 'name' ? (/^@request\.body\.(\w+):changed$/.exec(left.name) ?? []) : []
    if (name === undefined) return null
    const wanted = right.is === 'name' ? constants[right.name.toLowerCase()] : undefined
    if (operator !== '=' || typeof wanted !== 'boolean') return refuse(':changed is compared as :changed = true')
    const body = asker.request?.body ?? {}
    if (!Object.hasOwn(body, name)) return wanted ? { is: 'or', of: [] } : everything
    return { is: 'compare', left: named(name), operator: wanted ? '!=' : '=', any: false, right: valueOf(body[name]) }
  }

  function operand(said: Said): Operand {
    if (said.is === 'text') return { is: 'value', value: said.text, text: said.text, json: false }
    if (said.is === 'number') return { is: 'value', value: said.value, text: said.text, json: false }
    return said.is === 'call' ? call(said) : named(said.name)
  }

  function named(name: string): Operand {
    const macro = macroOf(name, now)
    if (macro !== undefined) return valueOf(macro)
    if (name.startsWith('@request.')) return requested(name)
    const found = path(name)
    if (found) return found
    const constant = name.toLowerCase()
    return Object.hasOwn(constants, constant) ? valueOf(constants[constant]) : refuse(`${name} is no field of ${collection.name}`)
  }

  function requested(name: string): Operand {
    const [, whole = '', modifier] = /^@request\.([^:]*)(?::(\w+))?$/.exec(name) ?? refuse(`${name} is not known`)
    const [part = '', ...rest] = whole.split('.')
    const { request, auth } = asker
    const source = part === 'auth' ? auth : part === 'body' || part === 'query' || part === 'headers' ? (request?.[part] ?? {}) : null
    if (!source) {
      if (rest.length > 0 || (part !== 'method' && part !== 'context')) return refuse(`${name} is not known`)
      return valueOf(request?.[part] ?? '')
    }
    const value = rest.reduce<Json | undefined>(
      (at, key) => (typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as { [key: string]: Json })[key] : undefined),
      source,
    )
    if (modifier === 'isset') return valueOf(value !== undefined)
    if (modifier === 'length') return valueOf(Array.isArray(value) ? value.length : 0)
    if (modifier === 'lower') return valueOf(typeof value === 'string' ? value.replaceAll(/[A-Z]+/g, (found) => found.toLowerCase()) : value)
    return modifier === undefined ? valueOf(value) : refuse(`:${modifier} is not known of ${whole}`)
  }

  /** Null: its first part is no field. */
  function path(name: string): Operand | null {
    const [dotted = '', modifier, more] = name.split(':')
    if (name.startsWith('@collection.')) return elsewhere(name)
    if (more !== undefined) return refuse(`${name} has more than one modifier`)
    return along(dotted.split('.'), modifier, null, collection, '', name)
  }

  /** `@collection.news.title`, `@collection.news:other.title`. */
  function elsewhere(name: string): Operand {
    const [, ref = '', alias = '', rest = '', modifier] = /^@collection\.(\w+)(?::(\w+))?\.([\w.]+)(?::(\w+))?$/.exec(name) ?? refuse(`${name} is not known`)
    const other = collections.of(ref) ?? refuse(`There is no collection ${ref}`)
    const key = `@${other.id}:${alias}`
    const join = step(key, { from: null, by: 'all', field: other.fields[0]!, collection: other })
    return along(rest.split('.'), modifier, join, other, key, name) ?? refuse(`${rest} is no field of ${other.name}`)
  }

  function along(parts: readonly string[], modifier: string | undefined, from: Join | null, start: Collection, startKey: string, name: string): Operand | null {
    let [at, here, key] = [from, start, startKey]
    for (let index = 0; ; index++) {
      const part = parts[index]!
      const rest = parts.slice(index + 1)
      const field = here.fields.find((each) => each.name === part)
      if (field && visible(field)) {
        const isRelation = field.type === 'relation'
        const isEnd = rest.length === 0 || (isRelation && kindOf(field) === 'text' && rest.length === 1 && rest[0] === 'id')
        if (isEnd) return leaf(at, here, field, [], modifier, key)
        if (kindOf(field) === 'json') return leaf(at, here, field, rest, modifier, key)
        const next = isRelation && field.collection !== undefined ? collections.of(field.collection) : undefined
        if (!next) return refuse(`${part} in ${name} leads nowhere`)
        key += `.${part}`
        at = step(key, { from: at, by: kindOf(field) === 'several' ? 'items' : 'field', field, collection: next })
        here = next
      } else {
        const back = rest.length === 0 ? null : backOf(part, here)
        if (!back) return index === 0 && from === null ? null : refuse(`${part} in ${name} is no field of ${here.name}`)
        key += `.${part}`
        at = step(key, { from: at, by: 'back', ...back })
        here = back.collection
      }
      if (index + 1 > recordLimits.paths) return refuse(`${name} follows more than ${recordLimits.paths} relations`)
    }
  }

  function backOf(part: string, here: Collection): { field: RecordField; collection: Collection } | null {
    const at = part.indexOf('_via_')
    const other = at < 1 ? undefined : collections.of(part.slice(0, at))
    const field = other?.fields.find((each) => each.name === part.slice(at + 5))
    return other && visible(field) && field.type === 'relation' && field.collection === here.name ? { field, collection: other } : null
  }

  function leaf(at: Join | null, here: Collection, field: RecordField, rest: readonly string[], modifier: string | undefined, key: string): Operand {
    const isSeveral = kindOf(field) === 'several'
    if (modifier === 'each' && isSeveral) return { is: 'item', at: step(`${key}.${field.name}:each`, { from: at, by: 'each', field, collection: here }), lower: false }
    if (modifier === 'length' && isSeveral) return { is: 'field', at, collection: here, field, path: [], modifier: 'length' }
    if (modifier === undefined || modifier === 'lower') return { is: 'field', at, collection: here, field, path: rest, modifier: modifier ?? null }
    return refuse(`:${modifier} is not known of ${field.name}`)
  }

  function call({ name, args }: Extract<Said, { is: 'call' }>): Operand {
    if (name === 'geoDistance') {
      if (args.length !== 4 || args.some(({ is }) => is !== 'name' && is !== 'number'))
        return refuse('geoDistance takes four fields or numbers: the longitude and latitude of two places')
      if (args.some((arg) => arg.is === 'number' && !Number.isFinite(arg.value))) return refuse('No place is so far away')
      return { is: 'distance', of: args.map(operand) }
    }
    return name === 'strftime' ? time(args) : refuse(`There is no function ${name}: geoDistance and strftime are known`)
  }

  function time([first, second, ...rest]: readonly Said[]): Operand {
    if (first?.is !== 'text' || rest.length > 8) return refuse('strftime takes a format, a time and up to eight modifiers')
    const unknown = /%(?![YmdHMSfjwsFTR%])/.exec(first.text)
    if (unknown) return refuse(`strftime knows %Y %m %d %H %M %S %f %j %w %s %F %T %R and %%, in ${first.text}`)
    const shifts = rest.map(shiftOf)
    const at: Operand = second ? operand(second) : valueOf(macroOf('@now', now))
    if (at.is === 'field' && kindOf(at.field) === 'date' && !at.modifier) return { is: 'time', format: first.text, of: at, shifts }
    if (at.is !== 'value') return refuse('The time of strftime is a field that is an instant, or a text')
    const ms = at.text === 'now' ? now.getTime() : Date.parse(at.text.replace(' ', 'T').replace(/^(\d{4}-\d\d-\d\dT[\d:.]+)$/, '$1Z'))
    return valueOf(Number.isNaN(ms) ? null : timeText(first.text, ms, shifts))
  }

  return {
    condition,
    key(term) {
      if (term.is === 'random') return { is: 'random' }
      const found = path(term.is === 'rowid' ? 'id' : term.name)
      if (!found) return refuse(`${term.is === 'rowid' ? '@rowid' : term.name} is no field of ${collection.name}`)
      return { is: 'operand', operand: found, descending: term.descending }
    },
  }
}

const seconds: Readonly<Record<string, number>> = { day: 86_400, hour: 3_600, minute: 60, second: 1 }

function shiftOf(said: Said): Shift {
  const text = said.is === 'text' ? said.text.trim().toLowerCase() : refuse('The modifiers of strftime are texts')
  const [, start] = /^start of (day|month|year)$/.exec(text) ?? []
  if (start === 'day' || start === 'month' || start === 'year') return { is: 'start', of: start }
  const [, count, unit] = /^([+-]?\d{1,9}(?:\.\d{1,3})?) (day|hour|minute|second)s?$/.exec(text) ?? []
  if (count === undefined) return refuse(`strftime knows "start of day", "+1 day", "-2 hours" and their like, and not ${JSON.stringify(text)}`)
  return { is: 'add', seconds: Number(count) * seconds[unit!]! }
}

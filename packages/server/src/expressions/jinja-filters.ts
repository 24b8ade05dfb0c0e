import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { arithmetic } from './jinja-arithmetic.ts'
import { type Callable, callable, type Named } from './jinja-callable.ts'
import { formatted } from './jinja-format.ts'
import { jsonOf } from './jinja-json.ts'
import { rounded } from './jinja-rounding.ts'
import { tests } from './jinja-tests.ts'
import { capitalized, firstOf, lines, replaced, stripped, whole } from './jinja-texts.ts'
import { Float, Group, Tuple, elements, equal, inside, isDict, isFloat, isList, kindOf, lengthOf, numberIn, numeric, order, repr, str, truth } from './jinja-values.ts'

/** The filters of Jinja, under its names and with its arguments. What Jinja gives as a generator is a list here. */

const ofText = (takes: string, apply: (budget: Budget, text: string, args: readonly unknown[]) => unknown): Callable =>
  callable(takes, (budget, value, args) => apply(budget, str(budget, value), args))

/** Named by a dotted path, as in `map(attribute='user.name')`; what is not there is the fallback. */
function attribute(value: unknown, path: unknown, fallback?: unknown): unknown {
  if (typeof path !== 'string') return inside(value, path) ?? fallback
  const keyOf = (part: string): string | number => (/^\d{1,9}$/.test(part) && isList(value) ? Number(part) : part)
  return path.split('.').reduce<unknown>((at, part) => inside(at, isList(at) ? keyOf(part) : part), value) ?? fallback
}

const folded = (budget: Budget, value: unknown, isCaseSensitive: unknown): unknown => (typeof value === 'string' && !truth(budget, isCaseSensitive) ? value.toLowerCase() : value)

/** What a list is ordered or grouped by. */
function keyOf(budget: Budget, item: unknown, path: unknown, isCaseSensitive: unknown): unknown {
  const found = path === undefined || path === null ? item : attribute(item, path)
  if (typeof found === 'string') budget.tick(found.length)
  return folded(budget, found, isCaseSensitive)
}

/** A sort cannot be interrupted between two comparisons that cost nothing. */
const longestSort = 100_000

function sorted(budget: Budget, items: readonly unknown[], keyFor: (item: unknown) => unknown, reverse: unknown): unknown[] {
  if (items.length > longestSort) throw new ExpressionError('A list of more than 100,000 elements cannot be sorted here')
  const direction = truth(budget, reverse) ? -1 : 1
  const keyed = items.map((item) => ({ item, key: keyFor(item) }))
  return keyed.sort((a, b) => direction * order(budget, a.key, b.key)).map(({ item }) => item)
}

const sort = callable('reverse case_sensitive attribute', (budget, value, [reverse, isCaseSensitive, path]) => {
  const paths = typeof path === 'string' && path.includes(',') ? path.split(',') : null
  const keyFor = (item: unknown): unknown => (paths ? paths.map((each) => keyOf(budget, item, each, isCaseSensitive)) : keyOf(budget, item, path, isCaseSensitive))
  return sorted(budget, elements(budget, value), keyFor, reverse)
})

const groupby = callable('attribute! default case_sensitive', (budget, value, [path, otherwise, isCaseSensitive]) => {
  const keyFor = (item: unknown): unknown => folded(budget, attribute(item, path, otherwise), isCaseSensitive)
  const groups: { key: unknown; items: unknown[] }[] = []
  for (const item of sorted(budget, elements(budget, value), keyFor, false)) {
    const key = keyFor(item)
    const last = groups.at(-1)
    if (last && equal(budget, last.key, key)) last.items.push(item)
    else groups.push({ key, items: [item] })
  }
  return groups.map(({ items }) => Group.of(attribute(items[0], path, otherwise), items))
})

const dictsort = callable('case_sensitive by reverse', (budget, value, [isCaseSensitive, by = 'key', reverse]) => {
  if (!isDict(value)) throw new ExpressionError(`${kindOf(value)} is no dict`)
  if (by !== 'key' && by !== 'value') throw new ExpressionError('A dict is sorted by key or by value')
  const pairs = Object.entries(value).map((pair) => Tuple.from(pair))
  return sorted(budget, pairs, (pair) => keyOf(budget, pair, by === 'key' ? 0 : 1, isCaseSensitive), reverse)
})

const extreme = (direction: 1 | -1): Callable =>
  callable('case_sensitive attribute', (budget, value, [isCaseSensitive, path]) => {
    const [first, ...others] = elements(budget, value).map((item) => ({ item, key: keyOf(budget, item, path, isCaseSensitive) }))
    return others.reduce((best, each) => (direction * order(budget, each.key, best!.key) > 0 ? each : best), first)?.item
  })

const unique = callable('case_sensitive attribute', (budget, value, [isCaseSensitive, path]) => {
  const seen = new Set<string>()
  return elements(budget, value).filter((item) => {
    const key = keyOf(budget, item, path, isCaseSensitive)
    const text = repr(budget, numberIn(key) ?? key)
    return !seen.has(text) && seen.add(text)
  })
})

const sum = callable('attribute start', (budget, value, [path, start = 0]) =>
  elements(budget, value).reduce((total, item) => arithmetic(budget, '+', total, path === undefined ? item : attribute(item, path)), start),
)

const map = callable('*', (budget, value, [name, ...args], named) => {
  const items = elements(budget, value)
  if (named.has('attribute')) return items.map((item) => attribute(item, named.get('attribute'), named.get('default')))
  const each = called(filters, 'filter', name)
  return items.map((item) => apply(budget, each, item, args, named))
})

/** Of `select` the elements, of `selectattr` a part of each, are asked: whether they are true, or pass a test. */
const selecting = (isKept: boolean, isOfAttribute: boolean): Callable =>
  callable('*', (budget, value, args, named) => {
    const [path, name, ...rest] = isOfAttribute ? args : [undefined, ...args]
    const test = name === undefined ? null : called(tests, 'test', name)
    return elements(budget, value).filter((item) => {
      const asked = isOfAttribute ? attribute(item, path) : item
      return (test ? apply(budget, test, asked, rest, named) === true : truth(budget, asked)) === isKept
    })
  })

function called(among: ReadonlyMap<string, Callable>, what: string, name: unknown): Callable {
  if (typeof name !== 'string') throw new ExpressionError(`The name of a ${what} must be a text, not ${kindOf(name)}`)
  const found = among.get(name)
  if (!found) throw new ExpressionError(`There is no ${what} ${name} in these templates`)
  return found
}

/** Applies a callable with arguments that are known only now. */
function apply(budget: Budget, { takes, needs, apply: run }: Callable, value: unknown, args: readonly unknown[], named: Named): unknown {
  budget.tick()
  if (takes === 'any') return run(budget, value, args, named)
  const missing = takes.slice(0, needs).find((name, at) => at >= args.length && !named.has(name))
  if (missing !== undefined) throw new ExpressionError(`What is applied to each needs “${missing}”`)
  if (args.length > takes.length) throw new ExpressionError(`What is applied to each takes at most ${takes.length} arguments`)
  return run(
    budget,
    value,
    takes.map((name, at) => (at < args.length ? args[at] : named.get(name))),
    named,
  )
}

const join = callable('d attribute', (budget, value, [separator = '', path]) => {
  const [between, items] = [str(budget, separator), elements(budget, value)]
  budget.spend(items.length * between.length)
  return items.map((item) => str(budget, path === undefined ? item : attribute(item, path))).join(between)
})

/** A list in rows of so many. */
const batch = callable('linecount! fill_with', (budget, value, [width, fill]) => {
  const [size, items] = [whole(width, 'linecount'), elements(budget, value)]
  if (size < 1) throw new ExpressionError('linecount must be more than 0')
  const rows = Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size))
  return rows.map((row) => filled(budget, row, size, fill))
})

/** A list in so many columns. */
const slice = callable('slices! fill_with', (budget, value, [columns, fill]) => {
  const [count, items] = [whole(columns, 'slices'), elements(budget, value)]
  if (count < 1) throw new ExpressionError('slices must be more than 0')
  budget.tick(count)
  const [least, longer] = [Math.floor(items.length / count), items.length % count]
  return Array.from({ length: count }, (_, at) => {
    const from = at * least + Math.min(at, longer)
    const part = items.slice(from, from + least + (at < longer ? 1 : 0))
    return at < longer || fill === undefined || fill === null ? part : [...part, fill]
  })
})

function filled(budget: Budget, row: readonly unknown[], size: number, fill: unknown): readonly unknown[] {
  if (fill === undefined || fill === null || row.length >= size) return row
  budget.spend(size)
  return [...row, ...Array.from({ length: size - row.length }, () => fill)]
}

const truncate = ofText('length killwords end leeway', (budget, value, [length = 255, killsWords, end = '...', leeway = 5]) => {
  const [most, ending] = [whole(length, 'length'), str(budget, end)]
  if (most < lengthOf(ending)) throw new ExpressionError('The length of a truncated text is at least that of its end')
  if (lengthOf(value) <= most + whole(leeway ?? 5, 'leeway')) return value
  const kept = firstOf(value, most - lengthOf(ending))
  const space = kept.lastIndexOf(' ')
  return (truth(budget, killsWords) || space < 0 ? kept : kept.slice(0, space)) + ending
})

const indent = ofText('width first blank', (budget, value, [width = 4, first, blank]) => {
  const size = typeof width === 'string' ? width.length : Math.max(whole(width, 'width'), 0)
  const all = lines(`${value}\n`)
  budget.spend(all.length * (size + 1))
  const shift = typeof width === 'string' ? width : ' '.repeat(size)
  const shifted = all.map((line, at) => (at === 0 ? (truth(budget, first) ? shift + line : line) : line === '' && !truth(budget, blank) ? line : shift + line))
  return shifted.join('\n')
})

/** A number, or the fallback for what is none. */
function parsed(value: unknown): number | undefined {
  const number = numberIn(value)
  if (number !== undefined) return number
  const text = typeof value === 'string' ? value.trim().replaceAll(/(?<=\d)_(?=\d)/g, '') : ''
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text) && Number.isFinite(Number(text)) ? Number(text) : undefined
}

const toInt = callable('default base', (_budget, value, [fallback = 0, base = 10]) => {
  const radix = whole(base, 'base')
  if (radix === 10 || typeof value !== 'string') {
    const number = parsed(value)
    return number === undefined ? fallback : numeric(Math.trunc(number), false)
  }
  if (![2, 8, 16].includes(radix)) throw new ExpressionError('A base is 2, 8, 10 or 16')
  const digits = value.trim().replace(/^([-+]?)0[box]/i, '$1')
  const number = parseInt(digits, radix)
  const isWhole = { 2: /^[-+]?[01]+$/, 8: /^[-+]?[0-7]+$/, 16: /^[-+]?[\da-f]+$/i }[radix]?.test(digits)
  return isWhole ? numeric(number, false) : fallback
})

const toFloat = callable('default', (_budget, value, [fallback = new Float(0)]) => {
  const number = parsed(value)
  return number === undefined ? fallback : numeric(number, true)
})

const round = callable('precision method', (_budget, value, [precision = 0, method = 'common']) => {
  const [number, places] = [numberIn(value), whole(precision, 'precision')]
  if (number === undefined) throw new ExpressionError(`${kindOf(value)} cannot be rounded`)
  if (method === 'common') return numeric(rounded(number, places), isFloat(value))
  if (method !== 'ceil' && method !== 'floor') throw new ExpressionError('A number is rounded by common, ceil or floor')
  return numeric(Math[method](number * 10 ** places) / 10 ** places, true)
})

const abs = callable('', (_budget, value) => {
  const number = numberIn(value)
  if (number === undefined) throw new ExpressionError(`${kindOf(value)} has no abs`)
  return numeric(Math.abs(number), isFloat(value))
})

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' }
const escape = ofText('', (budget, value) => {
  budget.spend(value.length * 5)
  return value.replace(/[&<>"']/g, (found) => entities[found]!)
})

/** As Python's quote(): `/` stays, unless it is part of a query. */
function quote(budget: Budget, value: unknown, isQuery: boolean): string {
  const text = str(budget, value).toWellFormed()
  budget.spend(text.length * 4)
  const coded = encodeURIComponent(text).replace(/[!'()*]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`)
  return isQuery ? coded.replaceAll('%20', '+') : coded.replaceAll('%2F', '/')
}

const urlencode = callable('', (budget, value) => {
  if (!isList(value) && !isDict(value)) return quote(budget, value, false)
  const pairs = isDict(value) ? Object.entries(value) : elements(budget, value)
  return pairs.map((pair) => (isList(pair) && pair.length === 2 ? pair.map((each) => quote(budget, each, true)).join('=') : '')).join('&')
})

const fallback = callable('default_value boolean', (budget, value, [otherwise = '', isOfTruth]) =>
  value === undefined || (truth(budget, isOfTruth) && !truth(budget, value)) ? otherwise : value,
)
const length = callable('', (_budget, value) => lengthOf(value))
const string = ofText('', (_budget, value) => value)
const reverse = callable('', (budget, value) => (typeof value === 'string' ? Array.from(str(budget, value)).reverse().join('') : [...elements(budget, value)].reverse()))
const items = callable('', (budget, value) => {
  if (value === undefined) return []
  if (!isDict(value)) throw new ExpressionError(`${kindOf(value)} is no dict`)
  return elements(budget, value).map((key) => Tuple.of(key, inside(value, key)))
})

export const filters: ReadonlyMap<string, Callable> = new Map(
  Object.entries({
    abs,
    batch,
    capitalize: ofText('', (_budget, value) => capitalized(value)),
    center: ofText('width', (budget, value, [width = 80]) => {
      const missing = Math.max(whole(width, 'width') - lengthOf(value), 0)
      budget.spend(missing)
      const left = Math.floor(missing / 2) + ((missing % 2) & (whole(width, 'width') % 2))
      return ' '.repeat(left) + value + ' '.repeat(missing - left)
    }),
    count: length,
    d: fallback,
    default: fallback,
    dictsort,
    e: escape,
    escape,
    first: callable('', (budget, value) => (isList(value) ? value[0] : elements(budget, value)[0])),
    float: toFloat,
    forceescape: escape,
    format: callable('*', (budget, value, args, named) => formatted(budget, str(budget, value), args, named.size > 0 ? named : null)),
    groupby,
    indent,
    int: toInt,
    items,
    join,
    last: callable('', (budget, value) => (isList(value) ? value.at(-1) : elements(budget, value).at(-1))),
    length,
    list: callable('', (budget, value) => [...elements(budget, value)]),
    lower: ofText('', (_budget, value) => value.toLowerCase()),
    map,
    max: extreme(1),
    min: extreme(-1),
    reject: selecting(false, false),
    rejectattr: selecting(false, true),
    replace: ofText('old! new! count', (budget, value, [old, put, most]) => replaced(budget, value, str(budget, old), str(budget, put), whole(most ?? -1, 'count'))),
    reverse,
    round,
    safe: string,
    select: selecting(true, false),
    selectattr: selecting(true, true),
    slice,
    sort,
    string,
    sum,
    title: ofText('', (_budget, value) => value.replace(/[^-\s({[<]+/g, capitalized)),
    tojson: callable('indent', (budget, value, [space]) => jsonOf(budget, value, space === undefined || space === null ? null : whole(space, 'indent'))),
    trim: ofText('chars', (budget, value, [chars]) => stripped(value, chars === undefined || chars === null ? null : str(budget, chars), 'both')),
    truncate,
    unique,
    upper: ofText('', (_budget, value) => value.toUpperCase()),
    urlencode,
    wordcount: ofText('', (_budget, value) => value.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0),
  }),
)

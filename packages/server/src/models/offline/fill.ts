import type { Json, JsonObject } from '@sluice/schema'
import { ModelError } from '../error.ts'
import { answerTo } from './answer.ts'
import { fit } from './facts.ts'
import type { Fact } from './facts.ts'
import { allows, allowsText, coerced, finderOf, isObject, mentioning, resolved, textOf } from './fitting.ts'
import { partOf } from './reading.ts'
import type { Reading } from './reading.ts'
import { summaryOf } from './summary.ts'
import { booleanOf, numbersIn, quotedIn } from './values.ts'
import { tellingWords, wordsOf, wordsOfName } from './words.ts'

/**
 * Fills a JSON Schema with what a text says. A value is taken where the text first labels it, else where only one can be meant,
 * else not at all: nothing is guessed, and what is required and cannot be found is named. Throws when it would take too long.
 */
export type Filled = { value: Json } | { missing: string[] }

export function fill(schema: JsonObject, reading: Reading): Filled {
  const missing: string[] = []
  const value = valueOf({ schema, root: schema, kinds: kindsIn(schema), path: [], words: [], around: [], reading, missing, depth: 0 })
  if (missing.length > 0) return { missing }
  return value === undefined ? { missing: ['the value'] } : { value }
}

interface Place {
  schema: JsonObject
  root: JsonObject
  /** How many fields of each kind there are. */
  kinds: ReadonlyMap<string, number>
  path: readonly string[]
  /** Of its name, and of those around it. */
  words: readonly string[]
  around: readonly string[]
  reading: Reading
  /** What is required and was not found. */
  missing: string[]
  depth: number
}

const deepest = 32

/** Of looking at one field, however short the text. */
const leastEffort = 1_000
/** Of comparing a name with one label, or a choice with one value. */
const factEffort = 20

function spend({ effort }: Reading, characters: number): void {
  effort.left -= characters
  if (effort.left < 0) throw new ModelError('context_too_long', 'The schema asks for more than the offline model can look for in a text of this length')
}

function valueOf(place: Place): Json | undefined {
  spend(place.reading, place.reading.text.length + leastEffort + place.reading.facts.length * factEffort)
  const schema = resolved(place)
  if (place.depth > deepest) return undefined
  if ('const' in schema) return schema['const']
  const here = { ...place, schema }
  const options = [schema['anyOf'], schema['oneOf']].find((each) => Array.isArray(each))
  if (options) return firstOf(here, options.filter(isObject))
  if (Array.isArray(schema['enum'])) return ofEnum(here, schema['enum'])
  const types = [schema['type']].flat().filter((type) => typeof type === 'string')
  if (types.length > 1)
    return firstOf(
      here,
      types.map((type) => ({ ...schema, type })),
    )
  const found = byType(here, types[0] ?? (isObject(schema['properties']) ? 'object' : 'string'))
  return found ?? schema['default']
}

/** The first alternative that something was found for; null only when nothing was. */
function firstOf(place: Place, options: JsonObject[]): Json | undefined {
  const nothing = options.some(({ type }) => type === 'null')
  for (const schema of options.filter(({ type }) => type !== 'null')) {
    const missing: string[] = []
    const value = valueOf({ ...place, schema, missing, depth: place.depth + 1 })
    if (value !== undefined && missing.length === 0) return value
  }
  return nothing ? null : undefined
}

function byType(place: Place, type: string): Json | undefined {
  switch (type) {
    case 'object':
      return ofObject(place)
    case 'array':
      return ofArray(place)
    case 'number':
    case 'integer':
      return ofNumber(place, type)
    case 'boolean':
      return ofBoolean(place)
    case 'null':
      return null
    default:
      return ofText(place)
  }
}

function ofObject(place: Place): Json | undefined {
  const { schema, reading } = place
  const own = place.path.length > 0 ? labelled(place).find(({ value }) => isObject(value)) : undefined
  const inside = own ? { ...partOf(JSON.stringify(own.value), reading), question: reading.question } : reading
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  const properties = isObject(schema['properties']) ? Object.entries(schema['properties']) : []
  const entries = properties.flatMap(([name, given]): [string, Json][] => {
    const path = [...place.path, name]
    const missing: string[] = []
    const part = {
      ...place,
      reading: inside,
      schema: isObject(given) ? given : {},
      path,
      words: wordsOfName(name),
      around: [...place.around, ...place.words],
      missing,
      depth: place.depth + 1,
    }
    const value = valueOf(part)
    if (required.includes(name)) place.missing.push(...(value === undefined && missing.length === 0 ? [path.join('.')] : missing))
    return value === undefined || missing.length > 0 ? [] : [[name, value]]
  })
  // An object that nothing was found for is there only where the schema wants it.
  return entries.length === 0 && required.length === 0 && place.path.length > 0 ? undefined : Object.fromEntries(entries)
}

function ofArray(place: Place): Json | undefined {
  const { schema, reading } = place
  const items = isObject(schema['items']) ? resolved({ ...place, schema: schema['items'] }) : {}
  const least = typeof schema['minItems'] === 'number' ? schema['minItems'] : 1
  const most = typeof schema['maxItems'] === 'number' ? schema['maxItems'] : Infinity
  const lists = [...labelled(place).map(({ value }) => itemsOf(value, items, reading)), allIn(reading.text, items)]
  return lists.find((list) => list.length >= least && list.length <= most)
}

/** The items that a labelled value gives. */
function itemsOf(value: Json, items: JsonObject, reading: Reading): Json[] {
  const parts = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[;|]|,\s+|\sand\s/i).filter((part) => part.trim() !== '') : [value]
  if (Array.isArray(items['enum'])) spend(reading, parts.length * items['enum'].length * factEffort)
  return parts.flatMap((part) => {
    const filled = isObject(part) ? fill(items, partOf(JSON.stringify(part), reading)) : { value: coerced(part, items) }
    return 'value' in filled && filled.value !== undefined ? [filled.value] : []
  })
}

/** All that a text has of what the items are. Of words nobody can say which are meant. */
function allIn(text: string, items: JsonObject): Json[] {
  if (Array.isArray(items['enum'])) {
    const isSaid = mentioning(text)
    return items['enum'].filter((each) => typeof each === 'string' && isSaid(each))
  }
  if (items['type'] === 'number' || items['type'] === 'integer') return numbersIn(text).filter((each) => allows(items, each))
  const find = finderOf(items)
  return find ? [...new Set(find(text))] : []
}

function ofNumber(place: Place, type: string): number | undefined {
  const schema: JsonObject = { ...place.schema, type }
  for (const { value } of labelled(place)) {
    const number = coerced(value, schema)
    if (typeof number === 'number') return number
  }
  const find = (text: string): number[] => numbersIn(text).filter((each) => allows(schema, each))
  return beside(place, find) ?? only(place, find)
}

function ofBoolean(place: Place): boolean | undefined {
  for (const { value } of labelled(place)) {
    const said = typeof value === 'boolean' ? value : typeof value === 'string' ? booleanOf(value) : null
    if (said !== null) return said
  }
  const clause = clausesOf(place.reading.text).find((each) => containsAll(each, specific(place.words)))
  return clause === undefined ? undefined : !/\b(not|no|never|without)\b|n't\b/i.test(clause)
}

function ofEnum(place: Place, values: Json[]): Json | undefined {
  for (const { value } of labelled(place)) {
    spend(place.reading, values.length * factEffort)
    const isSaid = mentioning(typeof value === 'string' ? value : '')
    const said = values.find((each) => each === value) ?? values.find((each) => typeof each === 'string' && isSaid(each))
    if (said !== undefined) return said
  }
  spend(place.reading, values.length * factEffort)
  const numbers = new Set(numbersIn(place.reading.text))
  const isMentioned = mentioning(place.reading.text)
  const mentioned = values.filter((each) => (typeof each === 'string' ? isMentioned(each) : typeof each === 'number' && numbers.has(each)))
  return mentioned.length === 1 ? mentioned[0] : place.schema['default']
}

function ofText(place: Place): string | undefined {
  const { schema, reading } = place
  const find = finderOf(schema)
  if (find) {
    for (const { value } of labelled(place)) for (const found of find(textOf(value))) return found
    return beside(place, find) ?? only(place, find)
  }
  const column = columnFor(place)
  if (column !== undefined) return column
  for (const { value } of labelled(place)) {
    const text = coerced(value, { ...schema, type: 'string' })
    if (typeof text === 'string') return text
  }
  const quoted = clausesOf(reading.text)
    .filter((clause) => containsAll(clause, specific(place.words)))
    .flatMap(quotedIn)
  if (quoted.length === 1 && allowsText(schema, quoted[0]!)) return quoted[0]
  const made = makers.find(({ names }) => place.words.some((word) => names.has(word)))?.make(reading)
  return made && allowsText(schema, made) ? made : undefined
}

/** Fields whose name says that the text is to be given back, shortened or answered. */
const makers: { names: ReadonlySet<string>; make(reading: Reading): string | null }[] = [
  { names: new Set(['summary', 'abstract', 'gist']), make: ({ text }) => summaryOf(text) },
  { names: new Set(['answer', 'reply', 'response', 'output']), make: (reading) => answerTo(reading)?.text ?? null },
  { names: new Set(['city', 'town', 'place', 'location', 'country', 'region']), make: ({ question }) => placeIn(question) },
  { names: new Set(['query', 'question', 'text', 'content', 'body', 'message', 'prompt', 'input']), make: ({ question }) => question.trim() || null },
]

/** The one name that stands behind `in`, `at`, `near` or `for`. */
function placeIn(text: string): string | null {
  const names = [...text.matchAll(/\b(?:in|at|near|for)\s(\p{Lu}[\p{L}'-]{1,40}(?:\s\p{Lu}[\p{L}'-]{1,40}){0,3})/gu)].map(([, name]) => name!)
  return names.length === 1 ? names[0]! : null
}

const columnNames = new Set(['column', 'field', 'key', 'dimension', 'measure', 'metric', 'by'])

/** A field that names a column takes one that the question names: what comes after `by` or `per` is what is grouped by. */
function columnFor({ words, schema, reading }: Place): string | undefined {
  const said = [...words, ...tellingWords(typeof schema['description'] === 'string' ? schema['description'] : '')]
  if (reading.columns.length === 0 || !said.some((word) => columnNames.has(word))) return undefined
  const [before = '', ...after] = spokenOf(reading).split(/\s(?:by|per|for each|grouped by)\s/i)
  const named = (text: string) => reading.columns.find(mentioning(text))
  const grouping = words.some((word) => word === 'by' || word.startsWith('group') || word === 'dimension')
  return grouping ? named(after.join(' ')) : (named(before) ?? named(spokenOf(reading)))
}

/** A question without the lines of the table it is about. */
const spokenOf = ({ question, columns }: Reading): string =>
  question
    .split('\n')
    .filter((line) => line.split(/[,;\t]/).length !== columns.length && !/[{}]/.test(line))
    .join('\n')

// ── what can be meant ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Least fit of a label: all words of the name, or a label of which all words are in the name. */
const leastFit = 1

function labelled({ words, around, schema, reading }: Place): Fact[] {
  const names = [words, specific(words), tellingWords(typeof schema['title'] === 'string' ? schema['title'] : '')].filter((each) => each.length > 0)
  return reading.facts
    .map((fact) => ({ fact, fits: Math.max(0, ...names.map((name) => fit(fact, name, around))) }))
    .filter(({ fits }) => fits >= leastFit)
    .sort((a, b) => b.fits - a.fits)
    .map(({ fact }) => fact)
}

const generic = new Set(['date', 'time', 'at', 'on', 'number', 'value', 'is', 'has', 'of', 'the'])

/** The words of a name that tell it from others: of `dueDate` it is `due`. */
function specific(words: readonly string[]): readonly string[] {
  const telling = words.filter((word) => !generic.has(word))
  return telling.length > 0 ? telling : words
}

const clausesOf = (text: string): string[] => text.split(/\n|(?<=[.!?;])\s+|,\s+|\s(?:and|but|while|whose|with)\s/i)

const containsAll = (text: string, words: readonly string[]): boolean => {
  const there = new Set(wordsOf(text))
  return words.length > 0 && words.every((word) => there.has(word))
}

/** The one value in the clauses that name the field. */
function beside<T>({ words, reading }: Place, find: (text: string) => T[]): T | undefined {
  const clauses = clausesOf(reading.text).filter((clause) => containsAll(clause, specific(words)))
  const found = [...new Set(clauses.flatMap(find))]
  return found.length === 1 ? found[0] : undefined
}

/** The one value there is, when no other field could mean it. */
function only<T>({ kinds, schema, reading }: Place, find: (text: string) => T[]): T | undefined {
  if ((kinds.get(kindOf(schema)) ?? 0) > 1) return undefined
  const values = [...new Set(find(reading.text))]
  return values.length === 1 ? values[0] : undefined
}

/** Fields that the same value may be meant for are of one kind. */
const kindOf = ({ type, format }: JsonObject): string => `${type === 'integer' ? 'number' : typeof type === 'string' ? type : ''} ${typeof format === 'string' ? format : ''}`

/** How many fields of each kind a schema has. */
function kindsIn(schema: Json | undefined, counts = new Map<string, number>()): Map<string, number> {
  if (typeof schema !== 'object' || schema === null) return counts
  if (!Array.isArray(schema) && typeof schema['type'] === 'string') counts.set(kindOf(schema), (counts.get(kindOf(schema)) ?? 0) + 1)
  for (const each of Object.values(schema)) kindsIn(each, counts)
  return counts
}

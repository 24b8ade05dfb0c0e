import type { Json, JsonObject } from '@sluice/schema'
import type { Document } from './description.ts'

/**
 * The words of a document under their own names. A schema is rendered twice when requests and replies see it differently,
 * as `Run.` and `Run.Output`: what a reply may have more of is no difference (clients must not break over a new key), so
 * that mostly one remains. Where keys with a default are what differs, replies have the name and requests `<name>Input`.
 * What nothing refers to is left out.
 */
export function settle(document: Document): Document {
  const { schemas: rendered, ...others } = withoutUnused(document)
  const asked = reach(gather(document.paths, ['parameters', 'requestBody']), rendered)
  const schemas = Object.fromEntries(Object.entries(rendered).map(([key, schema]) => [key, asked.has(key) ? sayDefaults(schema) : dropClosed(schema)]))
  const paths = change(openReplies(document.paths), (key, value) => (key === 'requestBody' ? sayDefaults(value) : undefined)) as Document['paths']
  const components = openReplies(others)
  const alike = alikeIn(schemas)
  const merged = new Map([...alike].map((key) => [key + output, key]))
  const used = new Set([...reach([paths, components], schemas)].map((key) => merged.get(key) ?? key))
  const names = new Map([...merged].map(([key, other]) => [key, nameOf(other, used)]))
  for (const key of used) names.set(key, nameOf(key, used))
  const named = [...used].map((key): [string, Json] => [names.get(key)!, finished(schemas[key]!, names)])
  return {
    ...document,
    paths: finished(paths, names),
    components: { ...finished(components, names), schemas: Object.fromEntries(named.sort(([one], [other]) => (one < other ? -1 : 1))) as Document['components'][string] },
  }
}

/** Responses first: they refer to examples and headers. */
function withoutUnused({ paths, components }: Document): Document['components'] {
  const used = { ...components }
  for (const kind of ['responses', 'examples', 'headers']) {
    const text = JSON.stringify([paths, used['responses']])
    used[kind] = Object.fromEntries(Object.entries(used[kind] ?? {}).filter(([name]) => text.includes(`"#/components/${kind}/${name}"`)))
  }
  return used
}

type Schemas = Readonly<Record<string, JsonObject>>

const prefix = '#/components/schemas/'
const output = 'Output'

/** What a word is called while a document is made: no other word ends so, whatever is put behind it. */
export const provisional = (name: string): string => `${name}.`

function nameOf(key: string, used: ReadonlySet<string>): string {
  const [name = key, suffix] = key.split('.')
  return suffix === output || !used.has(key + output) ? name : `${name}Input`
}

/** The words whose two renderings differ in their names alone. */
function alikeIn(schemas: Schemas): Set<string> {
  let alike = new Set(Object.keys(schemas).filter((key) => Object.hasOwn(schemas, key + output)))
  // All are taken to be alike; a pair that is not, as far as that goes, takes others along in the next round.
  for (let before = -1; before !== alike.size;) {
    before = alike.size
    const assumed = new Map([...alike].map((key) => [key + output, key]))
    alike = new Set([...alike].filter((key) => JSON.stringify(rename(schemas[key]!, assumed)) === JSON.stringify(rename(schemas[key + output]!, assumed))))
  }
  return alike
}

/** The values of some keys, wherever they stand. */
function gather(tree: Json, keys: readonly string[]): Json[] {
  if (typeof tree !== 'object' || tree === null) return []
  return Object.entries(tree).flatMap(([key, value]) => (keys.includes(key) ? [value] : gather(value, keys)))
}

/** The schemas that trees refer to, and those that these refer to. */
function reach(trees: readonly Json[], schemas: Schemas): Set<string> {
  const found = new Set<string>()
  const visit = (tree: Json): void => {
    if (typeof tree !== 'object' || tree === null) return
    for (const [key, value] of Object.entries(tree)) {
      visit(value)
      const name = key === '$ref' && typeof value === 'string' && value.startsWith(prefix) ? value.slice(prefix.length) : undefined
      if (name === undefined || found.has(name)) continue
      found.add(name)
      visit(schemas[name]!)
    }
  }
  for (const tree of trees) visit(tree)
  return found
}

/** Replies may get new keys; requests say what they do not know. */
const openReplies = <T extends JsonObject>(tree: T): T => change(tree, (key, value) => (key === 'responses' ? dropClosed(value) : undefined)) as T

const dropClosed = <T extends Json>(tree: T): T => without(tree, (key, value) => key === 'additionalProperties' && value === false) as T

/**
 * Of what is sent in a body, a default is said in words: generators of clients take a key that has one for a key that is
 * always there, and would ask for it.
 */
function sayDefaults<T extends Json>(tree: T): T {
  const said = (property: Json): Json => {
    if (!isObject(property) || !Object.hasOwn(property, 'default')) return property
    const { default: value, description, ...rest } = property
    const words = `\`${JSON.stringify(value)}\` unless given`
    return { ...rest, description: typeof description === 'string' ? `${description}; ${words}` : words }
  }
  const sayAll = (properties: Json): Json =>
    isObject(properties) ? Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, said(sayDefaults(each))])) : properties
  return change(tree, (key, value) => (key === 'properties' ? sayAll(value) : undefined)) as T
}

const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every integer is safe in JavaScript: that goes without saying. */
const isSafeBound = (key: string, value: Json): boolean => (key === 'minimum' && value === Number.MIN_SAFE_INTEGER) || (key === 'maximum' && value === Number.MAX_SAFE_INTEGER)

const finished = <T extends Json>(tree: T, names: ReadonlyMap<string, string>): T => without(rename(tree, names), isSafeBound) as T

function rename(tree: Json, names: ReadonlyMap<string, string>): Json {
  const renamed = (text: string): string => (text.startsWith(prefix) ? prefix + (names.get(text.slice(prefix.length)) ?? text.slice(prefix.length)) : text)
  return change(tree, (_key, value) => (typeof value === 'string' ? renamed(value) : undefined))
}

/** A tree with other values where `to` gives some. */
function change(tree: Json, to: (key: string, value: Json) => Json | undefined): Json {
  if (typeof tree !== 'object' || tree === null) return tree
  if (Array.isArray(tree)) return tree.map((value) => change(value, to))
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, to(key, value) ?? change(value, to)]))
}

function without(tree: Json, drops: (key: string, value: Json) => boolean): Json {
  if (typeof tree !== 'object' || tree === null) return tree
  if (Array.isArray(tree)) return tree.map((value) => without(value, drops))
  return Object.fromEntries(Object.entries(tree).flatMap(([key, value]) => (drops(key, value) ? [] : [[key, without(value, drops)]])))
}

import type { Json, JsonObject, Node } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import type { AnyAlias, AnyNode, Mapped, Place, Readings, Standing, StepResult } from '../nodes/contract.ts'

/** A node's config: what it means, and decoded by its declaration. The one place where Effect's schemas are asked. */

type ConfigIssue = { path: (string | number)[]; message: string }

export type Decoded = { ok: true; config: unknown } | { ok: false; issues: ConfigIssue[] }

interface Decoder {
  /** Ends at the first fault. Of a config that has none it takes a third to two thirds of the time of the other: 0.5 µs of a template's 1.5. */
  decode: ReturnType<typeof Schema.decodeUnknownResult<Schema.Codec<unknown>>>
  /** Tells all that is wrong. */
  standard: ReturnType<typeof Schema.toStandardSchemaV1<Schema.Codec<unknown>>>['~standard']
}

type Excess = 'error' | 'ignore'

const decoders = new WeakMap<AnyNode | AnyAlias, Decoder>()

function decoderOf(config: unknown, onExcessProperty: Excess): Decoder {
  const schema = config as Schema.Codec<unknown>
  return {
    decode: Schema.decodeUnknownResult(schema, { onExcessProperty }),
    standard: Schema.toStandardSchemaV1(schema, { parseOptions: { errors: 'all', onExcessProperty } })['~standard'],
  }
}

/** All that is wrong at once. A key that the declaration does not know is wrong. */
export const decode = (declaration: AnyNode, config: unknown): Decoded => decodeAs(declaration, config, 'error')

function decodeAs(declaration: AnyNode | AnyAlias, config: unknown, excess: Excess): Decoded {
  const decoder = decoders.get(declaration) ?? decoderOf(declaration.config, excess)
  decoders.set(declaration, decoder)
  const decoded = decoder.decode(config)
  if (decoded._tag === 'Success') return { ok: true, config: decoded.success }
  const result = decoder.standard.validate(config)
  if (result instanceof Promise) throw new Error(`The config of ${declaration.type} must decode at once`)
  if (!result.issues) return { ok: true, config: result.value }
  return {
    ok: false,
    issues: result.issues.map(({ path, message }) => ({
      path: (path ?? []).map(keyOf),
      message: message === 'Expected no excess property' ? 'This key is not known here' : message,
    })),
  }
}

const keyOf = (part: PropertyKey | { readonly key: PropertyKey }): string | number => {
  const key = typeof part === 'object' ? part.key : part
  return typeof key === 'symbol' ? String(key) : key
}

export const configOf = (holder: { config?: JsonObject | undefined } | undefined): JsonObject => holder?.config ?? {}

/** What a stored config means to the node type behind it, or, of an alias, what is wrong with the stored one itself. */
export type Meant =
  | {
      ok: true
      config: JsonObject
      readings: Readings
      /** Where what stands in `config` is said in the stored one. */
      told(path: Place): Place
    }
  | { ok: false; issues: ConfigIssue[] }

/**
 * The only way from a stored config to the one that a declaration reads. Of most types it is the same; that of an alias is
 * decoded by its own schema and mapped, each time: who needs it often keeps what it makes of it.
 */
export function configFor({ alias, readings = {} }: AnyNode, config: JsonObject, node: Standing): Meant {
  if (!alias) return { ok: true, config, readings, told: (path) => path }
  if (alias.refused !== undefined) return { ok: false, issues: [{ path: [], message: alias.refused }] }
  const own = decodeAs(alias, alias.settles ? alias.settles.opens(config) : config, 'ignore')
  if (!own.ok) return own
  const issues = alias.check?.(own.config) ?? []
  if (issues.length > 0) return { ok: false, issues }
  const { config: meant, places, readings: others } = alias.map(own.config, node)
  return { ok: true, config: meant, readings: { ...readings, ...others }, told: tellerOf(places) }
}

/** By the place, looked up and not looked for: a config of a megabyte has 20,000 places, and may have as many issues. */
function tellerOf(places: Mapped['places']): (path: Place) => Place {
  let told: Map<string, Place> | undefined
  const keyOfPlace = (place: Place): string => JSON.stringify(place.map(String))
  return (path) => {
    told ??= new Map(places.map(([library, own]) => [keyOfPlace(library), own]))
    for (let length = path.length; length >= 0; length--) {
      const own = told.get(keyOfPlace(path.slice(0, length)))
      if (own) return [...own, ...path.slice(length)]
    }
    return []
  }
}

/** How the strings of an alias's own config are read. */
export const ownReadings = ({ alias }: AnyNode): Readings => ({ '**': 'raw', ...alias?.reads })

/** The fields of what a node gives, as far as an alias's own config tells; undefined where it is no alias, or tells nothing. */
export function ownOutputFields({ alias }: AnyNode, config: JsonObject): string[] | undefined {
  if (!alias?.outputFields) return undefined
  const own = decodeAs(alias, config, 'ignore')
  return own.ok ? alias.outputFields(own.config) : []
}

export interface Manner {
  gives?(result: StepResult): StepResult
  hands?(element: { item: Json; index: number }): Json
}

/** What a step of an alias gives and hands on, in the manner of its dialect. */
export function mannerOf({ alias }: AnyNode, config: JsonObject): Manner {
  if (!alias || alias.refused !== undefined || (!alias.gives && !alias.hands)) return {}
  const own = decodeAs(alias, config, 'ignore')
  if (!own.ok) return {}
  return {
    ...(alias.gives && { gives: (result: StepResult) => alias.gives!(result, own.config) }),
    ...(alias.hands && { hands: (element: { item: Json; index: number }) => alias.hands!(element, own.config) }),
  }
}

/** A node as its alias sees it where nothing leads to it. */
export const alone = ({ id, title }: Pick<Node, 'id' | 'title'>): Standing => ({ id, title: title ?? '', names: [] })

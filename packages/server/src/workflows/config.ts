import type { JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import type { AnyNode } from '../nodes/contract.ts'

/** A node's config, decoded by its declaration: the one place where Effect's schemas are asked. */

export type Decoded = { ok: true; config: unknown } | { ok: false; issues: { path: (string | number)[]; message: string }[] }

interface Decoder {
  /** Ends at the first fault. Of a config that has none it takes a third to two thirds of the time of the other: 0.5 µs of a template's 1.5. */
  decode: ReturnType<typeof Schema.decodeUnknownResult<Schema.Codec<unknown>>>
  /** Tells all that is wrong. */
  standard: ReturnType<typeof Schema.toStandardSchemaV1<Schema.Codec<unknown>>>['~standard']
}

const decoders = new WeakMap<AnyNode, Decoder>()

function decoderOf(declaration: AnyNode): Decoder {
  const schema = declaration.config as Schema.Codec<unknown>
  return {
    decode: Schema.decodeUnknownResult(schema, { onExcessProperty: 'error' }),
    standard: Schema.toStandardSchemaV1(schema, { parseOptions: { errors: 'all', onExcessProperty: 'error' } })['~standard'],
  }
}

/** All that is wrong at once. A key that the declaration does not know is wrong. */
export function decode(declaration: AnyNode, config: unknown): Decoded {
  const decoder = decoders.get(declaration) ?? decoderOf(declaration)
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

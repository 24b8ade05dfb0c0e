import type { JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import type { AnyNode } from '../nodes/contract.ts'

/** A node's config, decoded by its declaration: the one place where Effect's schemas are asked. */

export type Decoded = { ok: true; config: unknown } | { ok: false; issues: { path: (string | number)[]; message: string }[] }

const options = { parseOptions: { errors: 'all', onExcessProperty: 'error' } } as const
const standard = new WeakMap<AnyNode, ReturnType<typeof standardOf>>()
const standardOf = (declaration: AnyNode) => Schema.toStandardSchemaV1(declaration.config as Schema.Codec<unknown>, options)['~standard']

/** All that is wrong at once. A key that the declaration does not know is wrong. */
export function decode(declaration: AnyNode, config: unknown): Decoded {
  const kept = standard.get(declaration) ?? standardOf(declaration)
  standard.set(declaration, kept)
  const result = kept.validate(config)
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

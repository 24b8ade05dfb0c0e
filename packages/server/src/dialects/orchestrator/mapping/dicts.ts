import type { Json, JsonObject } from '@sluice/schema'

/** Objects that strangers made. PURE. */

export const isDict = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

export const dictOr = (value: Json | undefined): JsonObject => (isDict(value) ? value : {})

/** A key of one; `constructor` is none unless it was given. */
export const own = (dict: JsonObject, key: string): Json | undefined => (Object.hasOwn(dict, key) ? dict[key] : undefined)

/** What of these is said. */
export const said = <T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> }

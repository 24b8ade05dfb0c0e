import type { Json, JsonObject } from '@sluice/schema'

/** PySpur's outputs are objects. PURE. */

export const isDict = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** An object as it is, anything else under `output`; null is nothing. */
export const dictOf = (value: Json): JsonObject | null => (value === null || isDict(value) ? value : { output: value })

/** A key of a stranger's object; `constructor` is none unless it was given. */
export const own = (dict: JsonObject, key: string): Json | undefined => (Object.hasOwn(dict, key) ? dict[key] : undefined)

/** Said of a large value in its place. */
export const isCut = (value: Json): boolean => isDict(value) && Object.keys(value).length === 1 && typeof value['truncated'] === 'number'

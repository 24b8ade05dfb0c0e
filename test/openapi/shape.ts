import type { Json, JsonObject } from '@sluice/schema'

export interface Difference {
  /** `definition.nodes[].config`; empty for the whole. */
  at: string
  what: string
}

/** Words of an API, which are the same whenever they are said of the same. */
const words = new Set(['code', 'error_code', 'type', 'object'])

/** Where an answer has another shape than the example of it: other keys, or other JSON types. Of error codes, other words. */
export function shapesApart(shown: Json, answered: Json, at = ''): Difference[] {
  if (Array.isArray(shown) && Array.isArray(answered)) return listsApart(shown, answered, `${at}[]`)
  if (isObject(shown) && isObject(answered)) {
    const keys = [...new Set([...Object.keys(shown), ...Object.keys(answered)])]
    return keys.flatMap((key) => {
      const place = at === '' ? key : `${at}.${key}`
      if (!Object.hasOwn(answered, key)) return [{ at: place, what: 'shown, and not answered' }]
      if (!Object.hasOwn(shown, key)) return [{ at: place, what: `answered, and not shown: ${JSON.stringify(answered[key]).slice(0, 80)}` }]
      const other = words.has(key) && typeof shown[key] === 'string' && typeof answered[key] === 'string' && shown[key] !== answered[key]
      return other ? [{ at: place, what: `${JSON.stringify(answered[key])} in place of ${JSON.stringify(shown[key])}` }] : shapesApart(shown[key]!, answered[key]!, place)
    })
  }
  const [wanted, found] = [typeOf(shown), typeOf(answered)]
  return wanted === found ? [] : [{ at, what: `${found} in place of ${wanted}: ${JSON.stringify(answered).slice(0, 80)}` }]
}

/** Each item is as one of the other list: the nearest one. */
function listsApart(shown: readonly Json[], answered: readonly Json[], at: string): Difference[] {
  if (shown.length === 0 && answered.length === 0) return []
  if (shown.length === 0 || answered.length === 0) return [{ at, what: answered.length === 0 ? 'empty' : 'empty in the example' }]
  const nearest = (candidates: readonly Json[], apart: (candidate: Json) => Difference[]): Difference[] =>
    candidates.map(apart).reduce((best, each) => (each.length < best.length ? each : best))
  const all = [
    ...answered.flatMap((item) => nearest(shown, (example) => shapesApart(example, item, at))),
    ...shown.flatMap((example) => nearest(answered, (item) => shapesApart(example, item, at))),
  ]
  return [...new Map(all.map((each) => [`${each.at} ${each.what}`, each])).values()]
}

const typeOf = (value: Json): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)
const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

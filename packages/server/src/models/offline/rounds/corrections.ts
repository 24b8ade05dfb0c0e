import type { JsonObject } from '@sluice/schema'
import { stemsOf } from '../tables/tokens.ts'

/** A call that a tool refused, as it says it would take it: with the name that differs least. PURE. Null: no rule knows one. */
export function corrected(given: JsonObject, error: string): JsonObject | null {
  const [, wrong, list] = /no (?:column|file) "?([^"\n]{1,1000}?)"?[;.] [Tt]here (?:are|is)[: ]+([\s\S]*)$/.exec(error) ?? []
  if (wrong === undefined || list === undefined) return null
  const there = list.includes('"') ? [...list.matchAll(/"([^"]{1,1000})"/g)].map(([, name]) => name!) : list.split(', ').map((name) => name.trim())
  const stems = stemsOf(wrong).join(' ')
  const alike = [...new Set(there)].filter((name) => name !== wrong && (stemsOf(name).join(' ') === stems || stemsOf(name).join(' ').endsWith(` ${stems}`)))
  if (alike.length !== 1) return null
  const text = JSON.stringify(given)
  const better = text.replaceAll(JSON.stringify(wrong), JSON.stringify(alike[0]))
  return better === text ? null : (JSON.parse(better) as JsonObject)
}

import type { JsonObject } from '@sluice/schema'
import { isObject } from '../fitting.ts'

/** Which step of a plan's round a schema is the answer of, by its fields. PURE. */
export type Asked = 'understanding' | 'plan' | 'review'

export function askedBy(schema: JsonObject): Asked | null {
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  const names = Object.keys(properties).toSorted().join(' ')
  if (names === 'goal questions') return 'understanding'
  if (names === 'complete remarks') return 'review'
  const tasks = properties['tasks']
  const item = isObject(tasks) && isObject(tasks['items']) && isObject(tasks['items']['properties']) ? Object.keys(tasks['items']['properties']) : []
  return names === 'tasks' && ['id', 'title', 'instructions', 'dependsOn'].every((name) => item.includes(name)) ? 'plan' : null
}

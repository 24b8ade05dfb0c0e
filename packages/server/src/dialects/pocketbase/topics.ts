import { connectionLimits } from '@sluice/schema'
import type { WatchedRecords } from '../dialect.ts'

/** `workflow_sessions/*`, `workflow_sessions/ID`, or as it once was `workflow_sessions`; then `?options=` and what `subscribe` was given, as JSON. */
export interface TopicSaid {
  watched: WatchedRecords
  /** The name under which how far it was told is kept. */
  replay?: string
}

/** Null: it is no topic of a collection. What cannot be read of its options counts as not said, as it does in PocketBase. */
export function topicSaid(topic: string): TopicSaid | null {
  const mark = topic.indexOf('?')
  const [collection = '', id, ...more] = (mark < 0 ? topic : topic.slice(0, mark)).split('/')
  if (collection === '' || id === '' || more.length > 0) return null
  const { filter, expand, fields, replay, remove } = mark < 0 ? {} : queryOf(topic.slice(mark + 1))
  return {
    watched: {
      collection,
      ...(id !== undefined && id !== '*' && { id }),
      ...(filter && { filter }),
      ...(expand && { expand }),
      ...(isOn(remove) && { removals: true }),
      ...(replay && { kept: true }),
      ...(fields && { fields }),
    },
    ...(replay && { replay }),
  }
}

/** A name that can be kept, of those that ask for it. */
export const isReplayName = (name: string): boolean => name.length <= connectionLimits.nameChars

const isOn = (text: string | undefined): boolean => text === 'true' || text === '1'

/** Values are texts, whatever they were written as. */
function queryOf(search: string): Readonly<Record<string, string | undefined>> {
  const options = new URLSearchParams(search).get('options')
  if (options === null) return {}
  try {
    const { query } = Object(JSON.parse(options)) as { query?: unknown }
    if (typeof query !== 'object' || query === null) return {}
    return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, value === null ? undefined : typeof value === 'object' ? JSON.stringify(value) : String(value)]))
  } catch {
    return {}
  }
}

import type { JsonObject, Record as CollectionRecord } from '@sluice/schema'
import { writtenInstant } from './times.ts'

/** A record as PocketBase writes it: flat, with its keys sorted. */
export function recordOf({ collection, id, values, instants, expand }: CollectionRecord): JsonObject {
  const written: JsonObject = { ...values, collectionId: collection.id, collectionName: collection.name, id }
  for (const name of instants) written[name] = writtenInstant(values[name])
  if (expand) written['expand'] = sorted(Object.fromEntries(Object.entries(expand).map(([name, to]) => [name, Array.isArray(to) ? to.map(recordOf) : recordOf(to)])))
  return sorted(written)
}

const sorted = (object: JsonObject): JsonObject => Object.fromEntries(Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1)))

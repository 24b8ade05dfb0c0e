import type { Collection, JsonObject, Record } from '@sluice/schema'
import type { RecordRow } from './room.ts'
import type { Asking } from './writer.ts'

/** Without what is hidden from the asker. */
export function recordOf(collection: Collection, { id, values }: RecordRow, { asker }: Pick<Asking, 'asker'>): Record {
  const told: JsonObject = {}
  const instants: string[] = []
  for (const { name, type, hidden } of collection.fields) {
    if (name === 'id' || type === 'password' || name === 'tokenKey' || (hidden && !asker.superuser)) continue
    if (name === 'email' && collection.type === 'auth' && !asker.superuser && id !== asker.userId) continue
    const value = values[name]
    if (value === undefined || isUntold(collection, name, value)) continue
    told[name] = value
    if (type === 'date' || type === 'autodate') instants.push(name)
  }
  return { collection: { id: collection.id, name: collection.name }, id, values: told, instants }
}

/** What a session is bound to is ours, and is told where there is something. */
const isUntold = ({ name }: Collection, field: string, value: unknown): boolean => name === 'workflow_sessions' && field === 'workflow' && value === ''

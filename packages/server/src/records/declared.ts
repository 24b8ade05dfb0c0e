import { type Collection, Fault, type Issue, type Json, type JsonObject, limits, type RecordField } from '@sluice/schema'
import { appendRecord } from '../events/append.ts'
import { newId } from '../store/ids.ts'
import { countOn, deleteRecord, insertRecord, lockRecord, type RecordPlace, type RecordTies, type StoredRecord, tieRecord, updateRecord } from '../store/rows/records.ts'
import { isSeveral } from './values.ts'
import type { Asking, Writer, Writing } from './writer.ts'

/** Records of the collections that the operator declares. Each change is an event of the workspace. */
export const declaredWriter: Writer = {
  async hold({ tx }, asking, collection, id) {
    await lockRecord(tx, placeOf(asking, collection, id))
  },
  async create({ tx }, asking, collection, { id: given, ...values }) {
    const id = typeof given === 'string' ? given : newId()
    const place = placeOf(asking, collection, id)
    if (!(await insertRecord(tx, place, values, asking.now))) throw notUnique(['id'])
    await tie(tx, place, collection, values)
    const seq = given === undefined ? 1 : await countOn(tx, place, subjectOf(place))
    await tell(tx, place, collection, { type: 'created', record: { id, data: values, seq, created: asking.now, updated: asking.now } })
    return id
  },
  async update({ tx }, asking, collection, id, values) {
    const place = placeOf(asking, collection, id)
    const record = await updateRecord(tx, place, values, asking.now)
    if (!record) throw new Fault('record_missing')
    await tie(tx, place, collection, values)
    await tell(tx, place, collection, { type: 'updated', record })
  },
  async delete({ tx }, asking, collection, id) {
    const place = placeOf(asking, collection, id)
    const record = await deleteRecord(tx, place)
    if (!record) throw new Fault('record_missing')
    await tell(tx, place, collection, { type: 'deleted', record: { ...record, seq: record.seq + 1 } })
  },
}

const placeOf = ({ principal }: Asking, { id: collection }: Collection, id: string): RecordPlace => ({ workspaceId: principal.workspaceId, collection, id })

/** What its events are about. An id is one of its collection alone, and clients choose ids: two workspaces may have the same. */
const subjectOf = ({ workspaceId, collection, id }: RecordPlace): string => `${collection}/${id}/${workspaceId}`

const notUnique = (fields: readonly string[]): Fault =>
  new Fault('record_invalid', { issues: fields.map((field): Issue => ({ path: [field], code: 'not_unique', message: 'Value must be unique.' })) })

async function tie(tx: Writing['tx'], place: RecordPlace, { fields }: Collection, values: JsonObject): Promise<void> {
  const tied = fields.filter(({ name, unique, type }) => Object.hasOwn(values, name) && (unique || type === 'relation'))
  if (tied.length === 0) return
  const names = tied.map(({ name }) => name)
  const taken = await tieRecord(tx, place, names, tiesOf(tied, values))
  if (taken.length > 0) throw notUnique(taken)
}

const tiesOf = (fields: readonly RecordField[], values: JsonObject): RecordTies => ({
  keys: fields.filter(({ unique }) => unique).map(({ name }) => ({ field: name, value: values[name]! })),
  links: fields.filter(({ type }) => type === 'relation').flatMap((field) => targetsOf(field, values[field.name]).map((target) => ({ field: field.name, target }))),
})

/** The ids that a relation refers to. */
export function targetsOf(field: RecordField, value: Json | undefined): string[] {
  const ids = isSeveral(field) && Array.isArray(value) ? value : [value]
  return ids.filter((id): id is string => typeof id === 'string' && id !== '')
}

interface Happened {
  type: 'created' | 'updated' | 'deleted'
  record: StoredRecord
}

/** Nobody's own: to whom it may be told its rules say, and who reads the log as it is must be an admin. */
const byRules = '*'

function tell(tx: Writing['tx'], place: RecordPlace, { fields }: Collection, { type, record }: Happened): Promise<void> {
  const { data, seq, created, updated } = record
  const dates = fields.filter((field) => field.type === 'autodate').map(({ name, onUpdate }): [string, Json] => [name, (onUpdate ? updated : created).toISOString()])
  const values = Object.entries(data).map(([name, value]): [string, Json] => [name, shortened(value)])
  return appendRecord(tx, {
    workspaceId: place.workspaceId,
    kind: 'record',
    id: subjectOf(place),
    seq,
    workflowId: null,
    owner: byRules,
    type,
    record: Object.fromEntries([...values, ...dates]),
  })
}

function shortened(value: Json): Json {
  const bytes = typeof value === 'string' || typeof value === 'object' ? Buffer.byteLength(JSON.stringify(value)) : 0
  return bytes > limits.listValueBytes ? { truncated: bytes } : value
}

import { type JsonObject, type RecordRequest, recordLimits } from '@sluice/schema'
import { type BatchItem, batchMethods, batchUrlBytes } from '../contract-batch.ts'

/** What a request of a batch is about. */
export interface BatchAim {
  do: RecordRequest['do']
  collection: string
  /** Of an update and a delete. */
  id: string | null
  query: Record<string, string>
}

const records = /^\/api\/collections\/([^/?]+)\/records(?:\/([^/?]+))?(?:\?(.*))?$/s

/** Without an id, and with one. */
const deeds: Readonly<Record<string, readonly [RecordRequest['do'] | null, RecordRequest['do'] | null]>> = {
  POST: ['create', null],
  PUT: ['upsert', null],
  PATCH: [null, 'update'],
  DELETE: [null, 'delete'],
}

/** Null: nothing that a batch does. */
export function aimOf({ method, url }: Pick<BatchItem, 'method' | 'url'>): BatchAim | null {
  const [found, collection, id, query = ''] = records.exec(url) ?? []
  const deed = deeds[method]?.[id === undefined ? 0 : 1] ?? null
  if (found === undefined || collection === undefined || deed === null) return null
  return { do: deed, collection, id: id ?? null, query: Object.fromEntries(new URLSearchParams(query)) }
}

const required = { code: 'validation_required', message: 'Cannot be blank.' }
const tooLong = (max: number) => ({ code: 'validation_length_too_long', message: `The length must be no more than ${max}.`, params: { max, min: 0 } })
const invalid = { code: 'validation_in_invalid', message: 'Must be a valid value.' }

/** What does not fit, in PocketBase's form; null: nothing. Of the requests those alone are named that do not. */
export function flawsOf(requests: readonly Pick<BatchItem, 'method' | 'url'>[]): JsonObject | null {
  if (requests.length === 0) return { requests: required }
  if (requests.length > recordLimits.batch) return { requests: tooLong(recordLimits.batch) }
  const flawed = requests.flatMap((item, at): [string, JsonObject][] => {
    const flaws = flawsOfItem(item)
    return Object.keys(flaws).length > 0 ? [[String(at), flaws]] : []
  })
  return flawed.length > 0 ? { requests: Object.fromEntries(flawed) } : null
}

function flawsOfItem({ method, url }: Pick<BatchItem, 'method' | 'url'>): JsonObject {
  const isKnown = batchMethods.some((each) => each === method)
  return {
    ...(!isKnown && { method: method === '' ? required : invalid }),
    ...(Buffer.byteLength(url) > batchUrlBytes && { url: tooLong(batchUrlBytes) }),
  }
}

import type { Calls } from '../calls/calls.ts'

/** Over the native API with a JWT, of a declared collection, but where it says otherwise. */
export const records = {
  'record-create': 'native `POST /v1/collections/{collection}/records`',
  'record-create-pocketbase': 'the same by PocketBase: `POST /api/collections/{collection}/records`',
  'record-update': 'native `PATCH …/records/{id}`, of 1,000 records in turn',
  'record-get': 'native `GET …/records/{id}`, likewise',
  'record-newest-1m': 'native `GET …/records` of a collection of 1,000,000: the newest 30',
  'record-list-10k': 'native `GET …/records` of a collection of 10,000: 30 of the 1 % that a filter on two fields finds, by the newest',
  'record-list-1m': 'the same of 1,000,000',
  'record-batch-50': 'native `POST /v1/records/batch`: 50 created in one transaction',
} as const satisfies Calls<string>

export type RecordCall = keyof typeof records

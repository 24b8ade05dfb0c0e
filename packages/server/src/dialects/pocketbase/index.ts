import type { Dialect } from '../dialect.ts'
import { words } from './contract.ts'
import { errors } from './errors.ts'
import { losses } from './losses.ts'
import { recordOf } from './mapping/record.ts'
import { pickFields } from './mapping/fields.ts'
import { meanings } from './meanings.ts'
import { authRows } from './routes/auth.ts'
import { batchRow } from './routes/batch.ts'
import { collectionRows } from './routes/collections.ts'
import { healthRows } from './routes/health.ts'
import { realtimeRows } from './routes/realtime.ts'
import { batched, recordRows } from './routes/records.ts'
import { createRealtime } from './stream.ts'

/** The API of PocketBase for records: what a collection keeps, read in one language of filters, written alone and in batches, and told as it changes. */
export const pocketbase: Dialect = {
  name: 'pocketbase',
  title: 'PocketBase records',
  description: [
    'The API of PocketBase for records, served by Sluice: those of `workflow_sessions` and of what else the server keeps, their batches, their realtime events, and the logins of who asks.',
    'Instants are `2026-01-31 12:00:00.000Z`, or empty. Bodies come as JSON or as forms. An error is `{"data", "message", "status"}`, where `data` says what is wrong with each field, by its name.',
  ].join('\n\n'),
  prefixes: ['/api/collections', '/api/realtime', '/api/batch', '/api/health'],
  mounts: [''],
  credentials: {
    token: { type: 'apiKey', in: 'header', name: 'Authorization', description: 'The token of a login or an API key, as it is or behind `Bearer `' },
  },
  tags: [
    { name: 'records', description: 'What a collection keeps' },
    { name: 'batch', description: 'Several changes, all or none' },
    { name: 'realtime', description: 'Being told of changes' },
    { name: 'auth', description: 'Who asks' },
    { name: 'collections', description: 'What is kept, with its fields and rules' },
    { name: 'health', description: 'Whether the server answers' },
  ],
  bodies: 'loose',
  claims: ({ userId }) => ({ id: userId, type: 'auth', collectionId: '_pb_users_auth_', refreshable: true }),
  rows: [...recordRows, ...authRows, ...collectionRows, batchRow(batched, errors), ...realtimeRows, ...healthRows],
  realtime: createRealtime({ recordOf, pickFields }),
  errors,
  words,
  meanings,
  losses,
}

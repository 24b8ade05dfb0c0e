import { type JsonObject, limits, type Record as CollectionRecord } from '@sluice/schema'
import { z } from 'zod'
import type { DialectRealtime, ToldChange } from '../dialect.ts'
import { topicSaid } from './topics.ts'

/**
 * Where subscribers are told of records. Every message is of three lines, the first of which is the id of the connection: clients take
 * it from the first message, whose event is `PB_CONNECT`.
 */

const Connected = z.object({ clientId: z.string().meta({ description: 'What `POST /api/realtime` names the connection by' }) })

const Changed = z.object({
  record: z.record(z.string(), z.unknown()).meta({ description: 'As the list and view of its collection tell it; empty of a `resync`' }),
  action: z.enum(['create', 'update', 'delete', 'remove', 'resync']).meta({
    description:
      'Not of PocketBase, and told to who asked for it alone: `remove` (`remove`: it does not match the filter any more), `resync` (`replay`: not all of what was missed is kept)',
  }),
  cursor: z.string().optional().meta({ description: 'Of a topic with `replay`: no other message of it has the same' }),
})

const realtimeDescription = [
  'The first message is `PB_CONNECT`. Nothing more is told until `POST /api/realtime` has subscribed to topics over the connection; the event of each message is its topic, as it was subscribed. Comments keep the connection open while nothing happens, and without topics it ends after five minutes.',
  'Beyond PocketBase, two options of a topic, off unless they are asked for in its query: with `replay`, a name of up to 100 characters that a subscriber chooses for itself and keeps, the server knows how far it has told of the topic, and goes on there when it is subscribed again, by the same user and with the same options, on any server: nothing is lost, what was told in the last seconds may be told again, and each message has a `cursor` by which that is seen. With `remove`, it is told when a record does not match the filter any more.',
].join('\n\n')

/** How records are written, and some of their fields picked. */
export interface Writing {
  recordOf(record: CollectionRecord): JsonObject
  pickFields(fields: string): (value: JsonObject) => JsonObject
}

export const createRealtime = (writing: Writing): DialectRealtime => ({
  name: 'realtimeConnect',
  path: '/api/realtime',
  summary: 'Open a realtime connection',
  description: realtimeDescription,
  tags: ['realtime'],
  tells: {
    PB_CONNECT: { summary: 'The connection is open', schema: Connected, example: { clientId: 'oXq2ZzB7vYk1WcTn5RfLs8Ud0MjHa3EpGi6KtNye' } },
    'workflow_sessions/*': {
      summary: 'A record has changed',
      schema: Changed,
      example: {
        record: {
          collectionId: 'pbc_3436149272',
          collectionName: 'workflow_sessions',
          context: null,
          created: '2026-01-31 12:00:00.000Z',
          currentStepId: 'approve',
          id: 'd8q2k4x0w7m1z9a',
          status: 'waiting',
          steps: [],
          title: 'Invoice 42',
          updated: '2026-01-31 12:00:01.000Z',
          user: 'b3n5v7c9x1k2j4h',
        },
        action: 'update',
      },
    },
  },
  topic: (name) => topicSaid(name)?.watched ?? null,
  head: (connection) => `id:${connection}\n`,
  greeting: (connection) => `event:PB_CONNECT\ndata:${JSON.stringify({ clientId: connection })}\n\n`,
  about: (topic) => `event:${oneLine(topic)}\n`,
  message: (told, { fields }) => `data:${JSON.stringify(dataOf(told, fields, writing))}\n\n`,
})

const oneLine = (text: string): string => text.replace(/[\r\n\0]/g, ' ')

function dataOf(told: ToldChange, fields: string | undefined, { recordOf, pickFields }: Writing): object {
  const { action, cursor } = told
  const record = told.action === 'resync' ? {} : picked(bounded(recordOf(told.record)), fields, pickFields)
  return { record, action, ...(cursor !== undefined && { cursor }) }
}

/** What cannot be read picks nothing out. */
function picked(record: JsonObject, fields: string | undefined, pickFields: Writing['pickFields']): JsonObject {
  if (fields === undefined) return record
  try {
    return pickFields(fields)(record)
  } catch {
    return record
  }
}

/** A record that is too large to be told whole has its large values by their size alone. */
function bounded(record: JsonObject): JsonObject {
  if (Buffer.byteLength(JSON.stringify(record)) <= limits.snapshotBytes) return record
  const cut = Object.entries(record).map(([name, value]) => {
    const bytes = Buffer.byteLength(JSON.stringify(value))
    return [name, bytes > limits.listValueBytes ? { truncated: bytes } : value] as const
  })
  return Object.fromEntries(cut)
}

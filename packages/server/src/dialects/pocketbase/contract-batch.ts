import { Json, recordLimits } from '@sluice/schema'
import { z } from 'zod'

export const batchMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
export const batchUrlBytes = 2_000

/** Which of these fit is said in PocketBase's own form: `mapping/batch.ts`. */
export const BatchItem = z.object({
  method: z
    .string()
    .default('')
    .meta({ description: 'POST makes, PUT makes or changes, PATCH changes, DELETE deletes a record', enum: [...batchMethods], examples: ['POST'] }),
  url: z
    .string()
    .default('')
    .meta({
      description: '`/api/collections/{collection}/records`, of PATCH and DELETE with the id behind it, and `?expand=…&fields=…`',
      maxLength: batchUrlBytes,
      examples: ['/api/collections/workflow_sessions/records'],
    }),
  headers: z.record(z.string(), Json).nullish().meta({ description: 'Passed over: all is done as whoever sent the batch' }),
  body: z.record(z.string(), Json).nullish(),
})
export type BatchItem = z.output<typeof BatchItem>

export const BatchBody = z.object({
  requests: z
    .array(BatchItem)
    .nullish()
    .transform((requests) => requests ?? [])
    .meta({ description: `1 to ${recordLimits.batch}: all happen, or none` }),
})

export const BatchReply = z.array(
  z.object({
    body: z.record(z.string(), Json).nullable().meta({ description: 'The record; null of one that was deleted' }),
    status: z.int(),
  }),
)

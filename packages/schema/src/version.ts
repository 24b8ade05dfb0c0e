import { z } from 'zod'
import { Definition } from './definition.ts'
import { Id, Timestamp } from './ids.ts'

/** An immutable definition: what runs are pinned to. */
export const Version = z.object({
  workflowId: Id,
  number: z.int(),
  hash: z.string().meta({ description: 'SHA-256 of the canonical definition, hex' }),
  name: z.string(),
  description: z.string(),
  definition: Definition,
  created: Timestamp,
})
export type Version = z.infer<typeof Version>

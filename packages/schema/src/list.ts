import { z } from 'zod'
import { knownUpTo } from './ids.ts'

/** What every list takes: a cursor of an earlier page, a size, and whether to count. */
export const pageInput = {
  cursor: z.string().max(500).optional(),
  limit: z.int().min(1).max(100).default(50),
  count: z.boolean().optional().meta({ description: 'Count all that match; costs a scan' }),
}

/** What a list of events takes: they are numbered. */
export const eventsInput = {
  after: knownUpTo().optional().meta({ description: 'Begin after the event with this `seq`; a `cursor` goes on from its page instead' }),
  cursor: pageInput.cursor,
  limit: pageInput.limit,
}

/** What every list answers with. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: z.array(item),
    nextCursor: z.string().nullable(),
    total: z.int().optional(),
  })

export interface Page<T> {
  items: T[]
  nextCursor: string | null
  total?: number
}

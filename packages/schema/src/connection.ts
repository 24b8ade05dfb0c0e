import { z } from 'zod'

/** The bounds of what is subscribed over one connection. */
export const connectionLimits = { topics: 1_000, topicChars: 2_500, kept: 100, nameChars: 100 } as const

/** As its subscriber spells it: what it means is known to the face of the server that holds the connection. */
export const Topic = z.string().min(1).max(connectionLimits.topicChars)

export const SubscribeConnection = z.strictObject({
  connection: z.string().min(1).max(255).meta({ description: 'The id that the server gave it when it was opened' }),
  topics: z.array(Topic).max(connectionLimits.topics).meta({ description: 'All that is to be told over it from now on, in place of what was' }),
  kept: z
    .array(Topic)
    .max(connectionLimits.kept)
    .optional()
    .meta({ description: 'Those of the topics of which the server keeps how far it has told: who subscribes to one again is told what was missed' }),
})
export type SubscribeConnection = z.infer<typeof SubscribeConnection>

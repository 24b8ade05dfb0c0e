import { z } from 'zod'
import { JsonObject } from './json.ts'

/** What a node type says of itself, for forms, discovery and validation. */
export const NodeType = z.object({
  type: z.string(),
  title: z.string(),
  description: z.string(),
  category: z.string(),
  config: JsonObject.meta({ description: 'JSON Schema (2020-12) of the config' }),
  handles: z.object({
    fixed: z.array(z.string()).meta({ description: 'Handles every node of the type has' }),
    fromConfig: z.string().nullable().meta({ description: 'Path into the config that names further handles, as `routes.*.name`' }),
  }),
  body: z.boolean().meta({ description: 'Whether other nodes may name it as their parent' }),
})
export type NodeType = z.infer<typeof NodeType>

import { z } from 'zod'
import { Json, JsonObject } from './json.ts'

/** The dialects that have names of their own for node types. */
export const NodeTypeDialect = z.enum(['pyspur', 'orchestrator'])
export type NodeTypeDialect = z.infer<typeof NodeTypeDialect>

/** A value that a field of a config can have, and what people read in its place. */
export const NodeTypeOption = z.object({ value: Json, text: z.string() })
export type NodeTypeOption = z.infer<typeof NodeTypeOption>

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
  alias: z
    .object({ dialect: NodeTypeDialect, of: z.string().meta({ description: 'The node type that it is another name of' }) })
    .nullable()
    .meta({ description: 'Of a name that a dialect has for a node type: whose name it is, and for what. Its config is then as that dialect writes it' }),
})
export type NodeType = z.infer<typeof NodeType>

import type { JsonObject } from '@sluice/schema'
import { z } from 'zod'

export type InputType = z.ZodType

/** What a schema takes, as JSON Schema: for what no document describes. */
export const inputSchema = (schema: InputType): JsonObject => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonObject

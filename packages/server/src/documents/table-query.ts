import type { Json, JsonObject } from '@sluice/schema'
import { z } from 'zod'
import { mostRowsGiven, rowsGiven } from './bounds.ts'

const name = z.string().min(1).max(1000)
const names = z.array(name).min(1).max(50)

/** A question to the tables of attached files. */
export const tableQuery = z.strictObject({
  file: name.describe('Name or id of the file'),
  join: z
    .strictObject({
      file: name.describe('Name or id of the second file'),
      on: z.union([name, z.strictObject({ left: name, right: name })]).describe('The column that both have, or the column of each'),
    })
    .optional()
    .describe('Puts the rows of a second file beside those whose key is equal; its columns are named <file without ending>.<column> where the name is taken'),
  where: z
    .array(z.strictObject({ column: name, is: z.enum(['=', '!=', '<', '<=', '>', '>=', 'contains']), value: z.union([z.string().max(10_000), z.number(), z.boolean()]) }))
    .max(50)
    .optional()
    .describe('Rows that hold all of these; the value "" is an empty cell'),
  groupBy: names.optional(),
  aggregate: z
    .array(
      z.strictObject({
        of: z.enum(['sum', 'mean', 'min', 'max', 'count', 'median', 'distinct']),
        column: name.optional().describe('Not needed for count, which then counts rows'),
        as: name.optional().describe('Name of the new column; <of>_<column> unless given'),
      }),
    )
    .min(1)
    .max(50)
    .optional()
    .describe('Over each group, or over all rows; empty cells are left out'),
  select: names.optional().describe('The columns of the answer, in this order; all unless given'),
  orderBy: z
    .array(z.strictObject({ column: name, descending: z.boolean().optional() }))
    .max(10)
    .optional(),
  limit: z.int().min(1).max(mostRowsGiven).optional().describe(`Rows of the answer; ${rowsGiven} unless given`),
})
export type TableQuery = z.infer<typeof tableQuery>

export interface TableResult {
  columns: string[]
  rows: Json[][]
  /** Rows there are, before the limit. */
  total: number
}

/** JSON Schema of a `TableQuery`. */
export const tableQuerySchema: JsonObject = schemaOf()

function schemaOf(): JsonObject {
  const { $schema: _, ...schema } = z.toJSONSchema(tableQuery)
  return JSON.parse(JSON.stringify(schema)) as JsonObject
}

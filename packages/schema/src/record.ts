import { z } from 'zod'
import { Json } from './json.ts'
import { pageOf } from './list.ts'

/**
 * Records of collections: what the core keeps (sessions, workflows, runs, pauses, messages, users), and what a server was told
 * to keep beside it, all read in one language of filters and written under one set of rules.
 */

export const CollectionRef = z.string().min(1).max(100).meta({ description: 'The name or the id of a collection' })

/** Not of our one form: an id may be the client's own. */
export const RecordId = z.string().min(1).max(100)

/** Unset is `""` of a text, 0 of a number, false of a boolean, [] of several, null of an instant and of JSON. */
export const RecordValues = z.record(z.string(), Json)

export interface Record {
  collection: { id: string; name: string }
  id: string
  /** All but the id. Instants are ISO 8601, or null. */
  values: { [name: string]: Json }
  /** Which of the values are instants. */
  instants: string[]
  /** What was asked for of what it refers to, by the name of the field, or `runs_via_session`; absent unless something was. */
  expand?: { [name: string]: Record | Record[] } | undefined
}

export const Record: z.ZodType<Record> = z.object({
  collection: z.object({ id: z.string(), name: z.string() }),
  id: z.string(),
  values: RecordValues.meta({ description: 'By field, without the id. Unset is `""` of a text, 0 of a number, false, [], and null of an instant and of JSON' }),
  instants: z.array(z.string()).meta({ description: 'Which of the values are instants' }),
  get expand() {
    return z.record(z.string(), z.union([Record, z.array(Record)])).optional()
  },
})

/** The bounds of what a filter, an order, an expansion may be. */
export const recordLimits = { filterBytes: 3_500, terms: 200, depth: 16, sort: 8, sortName: 255, paths: 6, expanded: 1_000, page: 1_000, offset: 1_000_000, batch: 50 } as const

const filter = z
  .string()
  .optional()
  .meta({ description: 'As `status = "running" && created > "2026-01-01"`: at most 3,500 bytes, 200 comparisons, 16 deep', examples: ['status = "running"'] })
const expand = z
  .string()
  .max(2_000)
  .optional()
  .meta({ description: 'Relations to answer with, with commas: `user,runs_via_session.workflow`', examples: ['user'] })

export const ListRecords = z.strictObject({
  collection: CollectionRef,
  filter,
  sort: z
    .string()
    .max(2_100)
    .optional()
    .meta({ description: 'Fields with commas, most significant first; a `-` before one is downwards. `@random`, `@rowid`', examples: ['-created,id'] }),
  expand,
  offset: z.int().min(0).max(recordLimits.offset).optional().meta({ description: 'How many to leave out, in place of a cursor' }),
  cursor: z.string().max(500).optional(),
  limit: z.int().min(1).max(recordLimits.page).default(30),
  count: z.boolean().optional().meta({ description: 'Count all that match; costs a scan' }),
})
export type ListRecords = z.infer<typeof ListRecords>

export const RecordPage = pageOf(Record)
export type RecordPage = z.infer<typeof RecordPage>

export const GetRecord = z.strictObject({ collection: CollectionRef, id: RecordId, expand })
export type GetRecord = z.infer<typeof GetRecord>

/** Values as clients send them: read by the type of their field. What no field is named after is passed over. */
export const CreateRecord = z.strictObject({ collection: CollectionRef, values: RecordValues, expand })
export type CreateRecord = z.infer<typeof CreateRecord>

export const UpdateRecord = z.strictObject({ collection: CollectionRef, id: RecordId, values: RecordValues, expand })
export type UpdateRecord = z.infer<typeof UpdateRecord>

export const OneRecord = z.strictObject({ collection: CollectionRef, id: RecordId })
export type OneRecord = z.infer<typeof OneRecord>

/** One of several that happen together or not at all. An `upsert` changes the record of the id among its values, or makes it. */
export const RecordRequest = z.discriminatedUnion('do', [
  CreateRecord.extend({ do: z.literal('create') }),
  CreateRecord.extend({ do: z.literal('upsert') }),
  UpdateRecord.extend({ do: z.literal('update') }),
  OneRecord.extend({ do: z.literal('delete') }),
])
export type RecordRequest = z.infer<typeof RecordRequest>

export const BatchRecords = z.strictObject({ requests: z.array(RecordRequest).min(1).max(recordLimits.batch) })
export type BatchRecords = z.infer<typeof BatchRecords>

/** What each request left, in their order; null of what was deleted. */
export const RecordsWritten = z.object({ records: z.array(Record.nullable()) })
export type RecordsWritten = z.infer<typeof RecordsWritten>

// ── logins ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const LoginRecord = z.strictObject({ collection: CollectionRef, email: z.string().min(1).max(320), password: z.string().min(1).max(1024), expand })
export type LoginRecord = z.infer<typeof LoginRecord>

export const RenewRecord = z.strictObject({ collection: CollectionRef, expand })
export type RenewRecord = z.infer<typeof RenewRecord>

/** A token, and the record of whoever has it. */
export const RecordLogin = z.object({ token: z.string(), record: Record })
export type RecordLogin = z.infer<typeof RecordLogin>

// ── collections ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** `autodate` is an instant that the server sets; `password` is written and never read. */
export const recordFieldTypes = ['text', 'editor', 'email', 'url', 'number', 'bool', 'date', 'autodate', 'select', 'relation', 'json', 'password', 'file'] as const
export type RecordFieldType = (typeof recordFieldTypes)[number]

/** A field, with what its type says more. Names and meanings are those of PocketBase's schema files. */
export const RecordField = z.object({
  id: z.string(),
  name: z.string(),
  type: z.enum(recordFieldTypes),
  required: z.boolean(),
  hidden: z.boolean().meta({ description: 'For superusers alone' }),
  system: z.boolean(),
  min: z.number().optional().meta({ description: 'Of a text its characters' }),
  max: z.number().optional(),
  pattern: z.string().optional().meta({ description: 'Of a text, without backtracking' }),
  onlyInt: z.boolean().optional(),
  values: z.array(z.string()).optional().meta({ description: 'What can be selected' }),
  minSelect: z.int().optional(),
  maxSelect: z.int().optional().meta({ description: 'More than one: its value is a list' }),
  collection: z.string().optional().meta({ description: 'The name of the collection that it refers to' }),
  cascadeDelete: z.boolean().optional().meta({ description: 'What refers to a deleted record goes with it' }),
  maxSize: z.int().optional().meta({ description: 'Of JSON, in bytes' }),
  onCreate: z.boolean().optional(),
  onUpdate: z.boolean().optional(),
  unique: z.boolean().optional(),
})
export type RecordField = z.infer<typeof RecordField>

/** Filters that say who may; empty: everybody who is let in; null: superusers alone. */
export const CollectionRules = z.object({
  list: z.string().nullable(),
  view: z.string().nullable(),
  create: z.string().nullable(),
  update: z.string().nullable(),
  delete: z.string().nullable(),
})
export type CollectionRules = z.infer<typeof CollectionRules>

export const Collection = z.object({
  id: z.string(),
  name: z.string(),
  type: z.enum(['base', 'auth', 'view']).meta({ description: 'Records of an `auth` one log in, those of a `view` are read alone' }),
  system: z.boolean().meta({ description: 'Of the core, and not declared' }),
  fields: z.array(RecordField),
  rules: CollectionRules,
  created: z.string(),
  updated: z.string(),
})
export type Collection = z.infer<typeof Collection>

export const ListCollections = z.strictObject({})
export const OneCollection = z.strictObject({ collection: CollectionRef })
export type OneCollection = z.infer<typeof OneCollection>

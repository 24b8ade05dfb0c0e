import { Json } from '@sluice/schema'
import { z } from 'zod'

/** The bodies and queries of PocketBase's API for records, as `documents/pocketbase.txt` and its public source have them. */

// ── queries ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const whole = (text: unknown): unknown => (text === '' ? undefined : typeof text === 'string' && /^[+-]?\d+$/.test(text) ? Number(text) : text)
const integer = z.preprocess(whole, z.int().optional())

const on = new Set<unknown>(['1', 't', 'T', 'true', 'TRUE', 'True'])
const off = new Set<unknown>(['0', 'f', 'F', 'false', 'FALSE', 'False', ''])
const flag = z.preprocess((text) => (on.has(text) ? true : off.has(text) ? false : text), z.boolean().optional())

const shown = { fields: z.string().max(2_000).optional() }

export const FieldsQuery = z.object(shown)
export const RecordQuery = z.object({ expand: z.string().optional(), ...shown })
export type RecordQuery = z.output<typeof RecordQuery>

export const ListQuery = z.object({
  page: integer,
  perPage: integer,
  sort: z.string().optional(),
  filter: z.string().optional(),
  expand: z.string().optional(),
  ...shown,
  skipTotal: flag,
})
export type ListQuery = z.output<typeof ListQuery>

// ── paths ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const CollectionPath = z.object({ collection: z.string() })
export const RecordPath = z.object({ collection: z.string(), id: z.string() })

// ── bodies ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const RecordBody = z.record(z.string(), Json)
export type RecordBody = z.output<typeof RecordBody>

/** Keys are sorted; with `fields` what was asked for. */
export const RecordModel = z.record(z.string(), Json)
export type RecordModel = z.output<typeof RecordModel>

const pageOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), page: z.int(), perPage: z.int(), totalItems: z.int(), totalPages: z.int() })

export const RecordList = pageOf(RecordModel)
export type RecordList = z.output<typeof RecordList>

/** As `fields` of the query leave it. */
export const CollectionModel = z.record(z.string(), Json)
export const CollectionList = pageOf(CollectionModel)

export const HealthCheck = z.record(z.string(), Json)

// ── logins ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const AuthWithPassword = z.object({ identity: z.string().min(1).max(255), password: z.string().min(1).max(255), identityField: z.literal(['', 'email']).optional() })

/** As `fields` of the query leave it. */
export const AuthResult = z.looseObject({ token: z.string().optional(), record: RecordModel.optional() })
export const AuthMethods = z.record(z.string(), Json)

// ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const ApiError = z.object({ data: z.record(z.string(), Json), message: z.string(), status: z.int() })
export type ApiError = z.output<typeof ApiError>

/** The schemas that have a name in the document. */
export const words: Readonly<Record<string, z.ZodType>> = {
  RecordBody,
  RecordModel,
  RecordList,
  AuthWithPassword,
  AuthResult,
  AuthMethods,
  CollectionModel,
  CollectionList,
  HealthCheck,
  ApiError,
}

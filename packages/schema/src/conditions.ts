import { z } from 'zod'

/**
 * What a list is asked for: which of its items, in which order. One form for every list, read by SQL and in memory alike.
 *
 * W1. A comparison is true or false, never unknown. `null` is equal to `null` alone; `ne`, like `not`, is true of all that
 *     the comparison is not: of null, too. Order, patterns, `contains` and `has` are false of null.
 * W2. Texts are compared by code point. `ilike` and `contains` take A–Z for a–z, and know of no other letters.
 * W3. In an order null comes after every value, before it when descending. Texts are ordered by their first 200 characters.
 *     What is equal in all that was named is in the order of its id, in the direction of the field named last.
 * W4. A value at a path into JSON is compared with values of its own type, and null is what is not there. In an order
 *     booleans come before numbers, numbers before texts; objects and lists are as null.
 */

export type Scalar = string | number | boolean | null

/** What one field has to be; all that is said here holds. An instant is ISO 8601, read to the millisecond; a date is its first instant in UTC. */
export interface Comparison {
  readonly eq?: Scalar | undefined
  readonly ne?: Scalar | undefined
  readonly lt?: string | number | undefined
  readonly lte?: string | number | undefined
  readonly gt?: string | number | undefined
  readonly gte?: string | number | undefined
  readonly in?: readonly Scalar[] | undefined
  /** A pattern for all of the text: `%` is any text, `_` any character, `\` takes the next character as it is. */
  readonly like?: string | undefined
  /** The same, whatever the case of A–Z. */
  readonly ilike?: string | undefined
  /** Holds this text, whatever the case of A–Z. */
  readonly contains?: string | undefined
  /** A list of texts has this one. */
  readonly has?: string | undefined
}

/**
 * Conditions on the fields of an item; all of them hold. A value in place of a comparison means that it is equal:
 *
 *     { status: { in: ['failed', 'held'] }, created: { gte: '2026-01-31' }, or: [{ tags: { has: 'vip' } }, { lane: null }] }
 *
 * Nothing holds for every item, an `or` of nothing for none.
 */
export type Where<Field extends string = string> = string extends Field
  ? AnyWhere
  : { readonly [F in Field | 'and' | 'or' | 'not']?: F extends 'and' | 'or' ? readonly Where<Field>[] : F extends 'not' ? Where<Field> : Scalar | Comparison }

/** On fields that are not known here. */
export interface AnyWhere {
  readonly [key: string]: Scalar | Comparison | AnyWhere | readonly AnyWhere[] | undefined
}

/** A field, upwards, or downwards with a `-` before it. */
export type OrderField<Field extends string = string> = Field | `-${Field}`

/** Most significant first. */
export type Order<Field extends string = string> = OrderField<Field> | readonly OrderField<Field>[]

/** What looks into JSON is dear: a record's is read anew for each (1 MiB: 6 ms). */
export const whereLimits = {
  terms: 200,
  termsInJson: 20,
  depth: 16,
  bytes: 3_500,
  order: 8,
  orderInJson: 2,
  offset: 100_000,
  cursor: 13_000,
  items: 100,
  dialectItems: 1_000,
} as const

/** A list that can be asked for `where` and `order` over these fields, so many items at once. A cursor and an offset exclude each other. */
export const listInput = <Field extends string>(fields: readonly Field[], items: number = whereLimits.items) => ({
  where: whereOf<Field>(fields),
  order: orderOf<Field>(fields),
  cursor: z.string().max(whereLimits.cursor).optional(),
  offset: z.int().min(0).max(whereLimits.offset).optional().meta({ description: 'How many to leave out, in place of a cursor' }),
  limit: z.int().min(1).max(items).default(50),
  count: z.boolean().optional().meta({ description: 'Count all that match; costs a scan' }),
})

/** In a query it is JSON text: that is what `contentMediaType` says, to readers and to the server. Said before what refines it, where what renders schemas looks. */
export const whereOf = <Field extends string>(fields: readonly Field[]) =>
  z
    .custom<Where<Field>>(() => true)
    .meta({ type: 'string', contentMediaType: 'application/json' })
    .superRefine((where, ctx) => {
      for (const { path, message } of problemsOf(where)) ctx.addIssue({ code: 'custom', path: [...path], message })
    })
    .optional()
    .meta({ description: wordsOfWhere(fields) })

/** Over REST a text with commas. */
export const orderOf = <Field extends string>(fields: readonly Field[]) =>
  z
    .custom<Order<Field>>((order) => typeof order === 'string' || (Array.isArray(order) && order.every((field) => typeof field === 'string')), 'expected the names of fields')
    .meta({ type: 'string' })
    .refine((order) => orderFields(order).length <= whereLimits.order, `at most ${whereLimits.order} fields`)
    .optional()
    .meta({
      description: `Fields with commas, most significant first, as \`-${fields.at(-1)},${fields[0]}\`; a \`-\` before one is downwards. Null comes last, or first when downwards`,
    })

const wordsOfWhere = (fields: readonly string[]): string =>
  `Only those of which this holds, as JSON: \`{"${fields[0]}": {"ne": null}, "or": [{"${fields[1]}": "a"}, {"not": {"${fields[1]}": {"in": ["b", "c"]}}}]}\`. Fields: ${fields.join(', ')}. Comparisons: ${operators.join(', ')}. At most ${whereLimits.terms} of them, ${whereLimits.depth} deep, ${whereLimits.bytes} bytes`

export const orderFields = (order: Order): readonly string[] => (typeof order === 'string' ? order.split(',') : order)

const text = z.string()
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()], { error: 'expected a text, a number, true, false or null' })
const ordered = z.union([z.string(), z.number()], { error: 'expected a text or a number' })

export const Comparison = z.strictObject({
  eq: scalar.optional(),
  ne: scalar.optional(),
  lt: ordered.optional(),
  lte: ordered.optional(),
  gt: ordered.optional(),
  gte: ordered.optional(),
  in: z.array(scalar).optional(),
  like: text.optional(),
  ilike: text.optional(),
  contains: text.optional(),
  has: text.optional(),
})

const operators = Object.keys(Comparison.shape)

interface Problem {
  path: readonly (string | number)[]
  message: string
}

/** NUL and lone surrogates: no text of ours has them. */
const unfit = /[\0\p{Cs}]/u

/** The size first, so that what follows is bounded; then the form, wherever it is wrong. Whether there are such fields the list knows. */
function* problemsOf(where: unknown): Generator<Problem> {
  if (bytesOf(where) > whereLimits.bytes) return yield { path: [], message: `at most ${whereLimits.bytes} bytes of JSON` }
  const count = { terms: 0 }
  yield* inObject(where, [], 1, count)
  if (count.terms > whereLimits.terms) yield { path: [], message: `at most ${whereLimits.terms} comparisons` }
}

const bytesOf = (value: unknown): number => encodeURIComponent((JSON.stringify(value) ?? '').replaceAll(/\p{Cs}/gu, '?')).replaceAll(/%../g, '-').length

function* inObject(where: unknown, path: Problem['path'], depth: number, count: { terms: number }): Generator<Problem> {
  if (typeof where !== 'object' || where === null || Array.isArray(where)) return yield { path, message: 'expected an object of conditions, as JSON' }
  if (depth > whereLimits.depth) return yield { path, message: `at most ${whereLimits.depth} deep` }
  for (const [key, value] of Object.entries(where)) {
    if (value === undefined) continue
    const at = [...path, key]
    if (key === 'not') yield* inObject(value, at, depth + 1, count)
    else if (key !== 'and' && key !== 'or') yield* inComparison(value, at, count)
    else if (!Array.isArray(value)) yield { path: at, message: 'expected a list of conditions' }
    else for (const [index, each] of value.entries()) yield* inObject(each, [...at, index], depth + 1, count)
  }
}

function* inComparison(value: unknown, path: Problem['path'], count: { terms: number }): Generator<Problem> {
  if (typeof value !== 'object' || value === null) {
    count.terms++
    if (!scalar.safeParse(value).success) yield { path, message: 'expected a value or a comparison' }
    else if (typeof value === 'string' && unfit.test(value)) yield { path, message: 'no text has this' }
    return
  }
  const said = Object.entries(value).filter(([, each]) => each !== undefined)
  count.terms += said.length
  if (said.length === 0) yield { path, message: `expected one of ${operators.join(', ')}` }
  for (const [operator, each] of said) {
    const schema = Object.hasOwn(Comparison.shape, operator) ? Comparison.shape[operator as keyof Comparison] : undefined
    if (!schema) yield { path: [...path, operator], message: `expected one of ${operators.join(', ')}` }
    else yield* inValue(schema, each, [...path, operator])
  }
}

function* inValue(schema: z.ZodType, value: unknown, path: Problem['path']): Generator<Problem> {
  const { error } = schema.safeParse(value)
  for (const issue of error?.issues ?? []) yield { path: [...path, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))], message: issue.message }
  if (!error && unfit.test(Array.isArray(value) ? value.join('') : String(value))) yield { path, message: 'no text has this' }
}

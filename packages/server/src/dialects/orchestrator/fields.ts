import type { Json, JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'

/**
 * The fields of a node's form: declared once, and from that come the config of the node type, what is wrong with a value, in the words
 * of Django's forms, and the form that editors show. PURE.
 */

export interface Field {
  kind: 'text' | 'integer' | 'number' | 'choice' | 'flag' | 'json'
  label: string
  help: string
  required: boolean
  /** What the form of a new node begins with. */
  initial?: Json
  /** As the element that editors show it in. */
  tag: 'input' | 'select' | 'textarea'
  /** HTML attributes beside those that follow from the rest. */
  attributes?: JsonObject
  choices?: readonly (readonly [value: string, text: string])[]
  min?: number
  max?: number
  maxLength?: number
  /** What else is asked of a value that is there and has been written out. */
  cleans?(value: Json): string | null
}

export type Fields = { readonly [name: string]: Field }
/** A config as it was decoded: any of the fields may be missing, and stand as text. */
export type Values = { readonly [name: string]: Json | undefined }

export interface Form {
  fields: Fields
  /** What is wrong with the fields together, when none is by itself: without a path, with the form as a whole. */
  cleans?(values: Values): Issue[]
}

type Told = { label?: string; help: string; required?: boolean; attributes?: JsonObject }

const fieldOf = (kind: Field['kind'], tag: Field['tag'], { label = '', help, required = false, ...more }: Told & Partial<Field>): Field => ({
  kind,
  tag,
  label,
  help,
  required,
  ...more,
})

export const text = (told: Told & Pick<Field, 'initial' | 'maxLength' | 'cleans'>): Field => fieldOf('text', 'input', { ...told, attributes: { type: 'text', ...told.attributes } })
export const lines = (told: Told & Pick<Field, 'initial' | 'maxLength'>): Field => fieldOf('text', 'textarea', { ...told, attributes: { cols: 40, rows: 10, ...told.attributes } })
export const integer = (told: Told & Pick<Field, 'initial' | 'min' | 'max'>): Field => fieldOf('integer', 'input', { ...told, attributes: { type: 'number', ...told.attributes } })
export const number = (told: Told & Pick<Field, 'initial' | 'min' | 'max'>): Field =>
  fieldOf('number', 'input', { ...told, attributes: { type: 'number', step: 'any', ...told.attributes } })
export const choice = (choices: NonNullable<Field['choices']>, told: Told & Pick<Field, 'initial'>): Field => fieldOf('choice', 'select', { ...told, choices })
export const flag = (told: Told & Pick<Field, 'initial'>): Field => fieldOf('flag', 'input', { ...told, attributes: { type: 'checkbox', ...told.attributes } })
/** JSON as text, or as it is. */
export const json = (told: Told & Pick<Field, 'cleans'>): Field =>
  fieldOf('json', 'textarea', { ...told, attributes: { cols: 40, rows: 10, 'data-json-mode': 'true', ...told.attributes } })

/** As Django names a field that has no label. */
export function labelOf(name: string, { label }: Field): string {
  const words = name.replaceAll('_', ' ')
  return label === '' ? words.charAt(0).toUpperCase() + words.slice(1) : label
}

// ── what is wrong ──────────────────────────────────────────────────────────────────────────────────────────────────────

const missing = 'This field is required.'

/** Text that is read, when the step runs, before it is looked at. */
export const isTemplate = (value: Json | undefined): boolean => typeof value === 'string' && value.includes('{{')

export const isBlank = (value: Json | undefined): boolean => value === undefined || value === null || (typeof value === 'string' && value.trim() === '')

/** What is wrong with a value of a field; null when nothing is. */
export function complaintOf(field: Field, value: Json | undefined): string | null {
  if (value === undefined || isBlank(value)) return field.required ? missing : null
  if (isTemplate(value)) return null
  return kindComplaint[field.kind](field, value) ?? field.cleans?.(value) ?? null
}

const kindComplaint = {
  text: ({ maxLength }, value) => {
    const written = textOf(value)
    if (written === null) return 'Enter a text.'
    const { length } = Array.from(written)
    return maxLength !== undefined && length > maxLength ? `Ensure this value has at most ${maxLength} characters (it has ${length}).` : null
  },
  integer: (field, value) => {
    const found = numberOf(value)
    return found === null || !Number.isSafeInteger(found) ? 'Enter a whole number.' : boundComplaint(field, found)
  },
  number: (field, value) => {
    const found = numberOf(value)
    return found === null ? 'Enter a number.' : boundComplaint(field, found)
  },
  choice: ({ choices = [] }, value) =>
    choices.some(([each]) => each === value) ? null : `Select a valid choice. ${textOf(value) ?? JSON.stringify(value)} is not one of the available choices.`,
  flag: () => null,
  json: () => null,
} satisfies Record<Field['kind'], (field: Field, value: Json) => string | null>

function boundComplaint({ min, max }: Field, value: number): string | null {
  if (min !== undefined && value < min) return `Ensure this value is greater than or equal to ${min}.`
  return max !== undefined && value > max ? `Ensure this value is less than or equal to ${max}.` : null
}

export type Issue = { path: string[]; message: string }

/** All that is wrong with the values of a form: of each field by itself, and if nothing is, of the fields together. */
export function issuesOf({ fields, cleans }: Form, values: Values): Issue[] {
  const found = Object.entries(fields).flatMap(([name, field]) => {
    const message = complaintOf(field, values[name])
    return message === null ? [] : [{ path: [name], message }]
  })
  return found.length > 0 || !cleans ? found : cleans(values)
}

// ── what it is ─────────────────────────────────────────────────────────────────────────────────────────────────────────

export function textOf(value: Json | undefined): string | null {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

const numeric = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i

/** A number, also out of text; null when it is none. */
export function numberOf(value: Json | undefined): number | null {
  const found = typeof value === 'string' && value.length <= 400 && numeric.test(value) ? Number(value) : value
  return typeof found === 'number' && Number.isFinite(found) ? found : null
}

/** Checked or not; text as forms send it. */
export const isChecked = (value: Json | undefined, initial: boolean): boolean =>
  value === undefined || value === null ? initial : typeof value === 'string' ? !/^\s*(false|0|off|no)?\s*$/i.test(value) : Boolean(value)

// ── the config ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const AnyJson = Schema.Json as unknown as Schema.Codec<Json>

const codecs = {
  text: Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]),
  integer: Schema.Union([Schema.Finite, Schema.String]),
  number: Schema.Union([Schema.Finite, Schema.String]),
  choice: Schema.String,
  flag: Schema.Union([Schema.Boolean, Schema.String, Schema.Finite]),
  json: AnyJson,
} satisfies Record<Field['kind'], Schema.Constraint>

/** Of another type than a form could ever send. */
const strange = {
  text: 'Enter a text.',
  integer: 'Enter a whole number.',
  number: 'Enter a number.',
  choice: 'Select a valid choice.',
  flag: 'Enter true or false.',
  json: 'Enter JSON.',
} satisfies Record<Field['kind'], string>

/** The config that a form fills in. What it asks of values is in `issuesOf`, so that all of it is told at once. */
export function configOf({ fields }: Form): Schema.Codec<Values, unknown> {
  const entries = Object.entries(fields).map(([name, field]) => {
    const described = [
      field.help,
      ...(field.choices ? [`One of ${field.choices.map(([value]) => JSON.stringify(value)).join(', ')}.`] : []),
      ...(field.required ? ['Required.'] : []),
    ]
    const codec = Schema.NullOr(codecs[field.kind]).annotate({ title: labelOf(name, field), description: described.join(' '), message: strange[field.kind] })
    return [name, Schema.optionalKey(codec)] as const
  })
  return Schema.Struct(Object.fromEntries(entries))
}

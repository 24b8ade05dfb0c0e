import { type Collection, type Issue, type Json, type JsonObject, limits, type RecordField } from '@sluice/schema'
import { compilePattern, type Pattern } from '../collections/pattern.ts'
import { instantOf } from './instant.ts'
import { jsonOf } from './json-value.ts'

/** What a client sent, read by the fields of the collection. */
export interface ReadValues {
  /** On a change those that were sent; of a new record all that clients write, and its `id` where one was sent. */
  values: JsonObject
  /** All at once, of the form of a Fault `record_invalid`. That ids lead somewhere, and what is unique, is not known here. */
  issues: Issue[]
}

export interface ReadingOptions {
  /** As it stands; null: it is made. */
  stored: JsonObject | null
  /** Others do not write hidden fields; passwords are always written by who has one. */
  superuser: boolean
}

/** Reads values by the type of their field: a number may come as its text, a list as its one member. What no field is named after is passed over. */
export function readValues({ fields, system }: Collection, given: JsonObject, { stored, superuser }: ReadingOptions): ReadValues {
  const issues: Issue[] = []
  const values: JsonObject = {}
  const { id } = given
  const wrong = idIssue(id, stored)
  if (wrong) issues.push(wrong)
  else if (!stored && typeof id === 'string' && id !== '') values['id'] = id

  for (const field of fields.filter(isWritten)) {
    const change = field.hidden && !superuser && field.type !== 'password' ? null : changeOf(field, given)
    if (!change && stored) continue
    try {
      const value = valueOf(field, change, stored?.[field.name] ?? unsetOf(field))
      check(field, value, { emptyCounts: system })
      values[field.name] = value
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      issues.push({ path: [field.name], ...error.issue })
    }
  }
  return { values, issues }
}

const isWritten = ({ name, type }: RecordField): boolean => name !== 'id' && type !== 'autodate' && type !== 'file'

export const isSeveral = ({ type, maxSelect = 1 }: RecordField): boolean => (type === 'select' || type === 'relation') && maxSelect > 1

/** What a field has that was never set. */
function unsetOf(field: RecordField): Json {
  if (isSeveral(field)) return []
  const unset: Partial<{ [T in RecordField['type']]: Json }> = { number: 0, bool: false, json: null, date: null, autodate: null }
  const value = unset[field.type]
  return value === undefined ? '' : value
}

type Problem = Required<Pick<Issue, 'code' | 'message'>> & Pick<Issue, 'params'>

class Refused extends Error {
  override readonly name = 'Refused'
  readonly issue: Problem
  constructor(code: Problem['code'], message: string, params?: JsonObject) {
    super(message)
    this.issue = { code, message, ...(params && { params }) }
  }
}

// ── ids ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const idLength = 15
const isSet = (value: Json | undefined): boolean => value !== undefined && value !== null && value !== ''

function idIssue(id: Json | undefined, stored: JsonObject | null): Issue | null {
  const issue = (code: Problem['code'], message: string, params?: JsonObject): Issue => ({ path: ['id'], code, message, ...(params && { params }) })
  if (id === undefined) return null
  if (stored) return id === stored['id'] ? null : issue('id_change', 'The record primary key cannot be changed.')
  if (!isSet(id)) return null
  if (typeof id !== 'string') return issue('invalid_format', 'Invalid value format.')
  const length = lengthOf(id)
  if (length < idLength) return issue('min_text', `Must be at least ${idLength} character(s).`, { min: idLength })
  if (length > idLength) return issue('max_text', `Must be no more than ${idLength} character(s).`, { max: idLength })
  return /^[a-z0-9]+$/.test(id) ? null : issue('invalid_format', 'Invalid value format.')
}

// ── what was sent ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** The value of a field, and what is done to it after that: `f+`, `+f`, `f-`. */
interface Change {
  plain?: Json
  append?: Json
  prepend?: Json
  remove?: Json
}

function changeOf(field: RecordField, given: JsonObject): Change | null {
  const { name, type } = field
  const isNumber = type === 'number'
  const modified = isNumber || type === 'select' || type === 'relation'
  const change: Change = {}
  const take = (key: keyof Change, sent: string): void => {
    const value = Object.hasOwn(given, sent) ? given[sent] : undefined
    if (value !== undefined) change[key] = value
  }
  take('plain', name)
  if (modified) {
    take('append', `${name}+`)
    take('remove', `${name}-`)
    if (!isNumber) take('prepend', `+${name}`)
  }
  return Object.keys(change).length > 0 ? change : null
}

function valueOf(field: RecordField, change: Change | null, before: Json): Json {
  if (!change) return before
  const { plain, append, prepend, remove } = change
  const base = plain === undefined ? before : cast(field, plain)
  if (append === undefined && prepend === undefined && remove === undefined) return base
  if (field.type === 'number') return Number(base) + (append === undefined ? 0 : numberOf(append)) - (remove === undefined ? 0 : numberOf(remove))
  const gone = new Set(remove === undefined ? [] : namesOf(remove))
  const names = [...(prepend === undefined ? [] : namesOf(prepend)), ...namesOf(base), ...(append === undefined ? [] : namesOf(append))]
  return chosen(
    field,
    [...new Set(names)].filter((name) => !gone.has(name)),
  )
}

function cast(field: RecordField, value: Json): Json {
  switch (field.type) {
    case 'number':
      return numberOf(value)
    case 'bool':
      return boolOf(value)
    case 'date':
    case 'autodate':
      return dateOf(value)
    case 'select':
    case 'relation':
      return chosen(field, namesOf(value))
    case 'json':
      return jsonValueOf(value)
    default:
      return textOf(value)
  }
}

const invalid = (): never => {
  throw new Refused('invalid_value', 'Invalid value.')
}

function textOf(value: Json): string {
  if (value === null) return ''
  const text = typeof value === 'object' ? invalid() : String(value)
  return text.isWellFormed() && !text.includes('\0') ? text : invalid()
}

function numberOf(value: Json): number {
  if (value === null || value === '') return 0
  const number = typeof value === 'boolean' ? Number(value) : typeof value === 'number' ? value : typeof value === 'string' && isNumeric(value) ? Number(value) : Number.NaN
  if (!Number.isFinite(number)) throw new Refused('not_a_number', 'The submitted number is not properly formatted.')
  return number
}

const isNumeric = (text: string): boolean => text.length <= 400 && /^\s*[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*$/i.test(text)

function boolOf(value: Json): boolean {
  if (value === true || value === 1 || (typeof value === 'string' && /^(1|t|true)$/i.test(value))) return true
  if (value === false || value === 0 || value === null || (typeof value === 'string' && /^(0|f|false|)$/i.test(value))) return false
  return invalid()
}

function dateOf(value: Json): string | null {
  if (value === null || value === '') return null
  return instantOf(value) ?? invalid()
}

function jsonValueOf(value: Json): Json {
  const read = jsonOf(value)
  if (read === undefined) throw new Refused('invalid_json', 'Must be a valid json value.')
  return read
}

/** Names or ids: one, several, or several as JSON text. Each once, without empty ones. */
function namesOf(value: Json): string[] {
  const listed = typeof value === 'string' && /^\s*\[/.test(value) ? jsonOf(value) : value
  const several = Array.isArray(listed) ? listed : listed === null || listed === undefined ? [] : [listed]
  return [...new Set(several.map((each) => (typeof each === 'object' && each !== null ? invalid() : textOf(each))))].filter((name) => name !== '')
}

/** Of several for a field that takes one, the last. */
const chosen = (field: RecordField, names: string[]): Json => (isSeveral(field) ? names : (names.at(-1) ?? ''))

// ── what is held against the field ─────────────────────────────────────────────────────────────────────────────────────

const textMost = 5_000
/** Counted as people do, whatever it takes to store them. */
const lengthOf = (text: string): number => (text.length <= 8 ? Array.from(text).length : text.length - (text.match(/[\u{10000}-\u{10ffff}]/gu)?.length ?? 0))

interface CheckOptions {
  /** Whether an empty list or object is a value of required JSON: the core's own say that there are steps, and none yet. */
  emptyCounts: boolean
}

function check(field: RecordField, value: Json, options: CheckOptions): void {
  if (isUnset(field, value, options)) {
    if (field.required) throw new Refused('required', 'Cannot be blank.')
    return
  }
  if (field.type === 'json') return checkSize(field, value)
  if (typeof value === 'number') return checkNumber(field, value)
  if (field.type === 'select' || field.type === 'relation') return checkChosen(field, namesOf(value))
  if (typeof value === 'string') return checkText(field, value)
}

function isUnset({ type }: RecordField, value: Json, { emptyCounts }: CheckOptions): boolean {
  if (value === null || value === '' || value === false || (value === 0 && type === 'number')) return value !== false || type === 'bool'
  if (typeof value !== 'object') return false
  return !(type === 'json' && emptyCounts) && Object.keys(value).length === 0
}

function checkSize({ maxSize: most = limits.contextBytes }: RecordField, value: Json): void {
  const maxSize = most === 0 ? limits.contextBytes : most
  if (Buffer.byteLength(JSON.stringify(value)) > maxSize) throw new Refused('json_size', `The maximum allowed JSON size is ${maxSize} bytes.`, { maxSize })
}

function checkNumber({ onlyInt, min, max }: RecordField, value: number): void {
  if (onlyInt && !Number.isInteger(value)) throw new Refused('only_int', 'Decimal numbers are not allowed.')
  if (min !== undefined && value < min) throw new Refused('min_number', `Must be greater or equal than ${min}.`, { min })
  if (max !== undefined && value > max) throw new Refused('max_number', `Must be less or equal than ${max}.`, { max })
}

function checkChosen({ type, values = [], minSelect = 0, maxSelect = 1 }: RecordField, names: readonly string[]): void {
  const most = Math.max(maxSelect, 1)
  if (names.length > most) throw new Refused('too_many_values', `Select no more than ${most}.`, { maxSelect: most })
  if (names.length < minSelect) throw new Refused('not_enough_values', `Select at least ${minSelect}.`, { minSelect })
  const wrong = type === 'select' ? names.find((name) => !values.includes(name)) : undefined
  if (wrong !== undefined) throw new Refused('invalid_value', `Invalid value ${wrong}.`, { value: wrong })
}

function checkText({ type, min = 0, max = 0, pattern = '' }: RecordField, value: string): void {
  if (type === 'date') return
  const most = max > 0 ? max : type === 'text' ? textMost : Infinity
  const length = lengthOf(value)
  if (length < min) throw new Refused('min_text', `Must be at least ${min} character(s).`, { min })
  if (length > most) throw new Refused('max_text', `Must be no more than ${most} character(s).`, { max: most })
  if (pattern !== '' && !patternOf(pattern).matches(value)) throw new Refused('invalid_format', 'Invalid value format.')
  if (type === 'email' && !isEmail(value)) throw new Refused('invalid_email', 'Must be a valid email address.')
  if (type === 'url' && !isUrl(value)) throw new Refused('invalid_url', 'Must be a valid url.')
}

/** Of fields that were declared: they are as many as those. */
const patterns = new Map<string, Pattern>()

function patternOf(text: string): Pattern {
  const known = patterns.get(text) ?? compilePattern(text)
  patterns.set(text, known)
  return known
}

const isEmail = (text: string): boolean => text.length <= 320 && /^[^\s@<>()[\],;:"\\]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$/i.test(text)

const isUrl = (text: string): boolean => text.length <= 5_000 && !/\s/.test(text) && /^(https?|ftp|wss?):\/\//i.test(text) && URL.canParse(text)

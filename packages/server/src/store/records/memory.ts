import type { Json, JsonObject } from '@sluice/schema'
import { endsOpen, fits as like, foldAscii } from '../conditions/pattern.ts'
import { instantText } from './instants.ts'
import { type Checked, type Compared, kindOf, type Operand, patternOf, stepsOf } from './query.ts'
import { unset } from './tables.ts'
import { timeText } from './times.ts'

/** Whether a record fits, by its values alone; `unknown` where that takes more: another record, or a value that was cut. */
export function fits(where: Checked): (row: { id: string; values: JsonObject }) => boolean | 'unknown' {
  if (where.is === 'compare') return compared(where)
  const each = where.of.map(fits)
  const [decisive, other] = where.is === 'and' ? [false, true] : [true, false]
  return (row) => {
    const found = each.map((test) => test(row))
    if (found.includes(decisive)) return decisive
    return found.includes('unknown') ? 'unknown' : other
  }
}

interface Row {
  id: string
  values: JsonObject
}

/** A number, a text, or nothing; with what it makes of what has no type beside it. */
interface Value {
  value: number | string | null
  affinity: 'text' | 'number' | 'none'
  json: boolean
  literal?: Extract<Operand, { is: 'value' }>
}

function compared({ left, operator, right }: Compared): (row: Row) => boolean | 'unknown' {
  if (stepsOf(left).length > 0 || stepsOf(right).length > 0) return () => 'unknown'
  return (row) => {
    const [a, b] = [valueIn(row, left), valueIn(row, right)]
    if (a === 'cut' || b === 'cut') return 'unknown'
    if (operator === '~' || operator === '!~') return isLike(a, b, operator)
    const [x, y] = [beside(a, b), beside(b, a)]
    const isJson = a.json || b.json
    if (operator === '=' || operator === '!=') return (isJson ? x === y : (x ?? '') === (y ?? '')) === (operator === '=')
    if (x === null || y === null) return false
    const order = compare(x, y)
    return operator === '>' ? order > 0 : operator === '>=' ? order >= 0 : operator === '<' ? order < 0 : order <= 0
  }
}

/** Of what is stored no more than PostgreSQL has room for in a number; what is asked for is of any length. */
const isNumeric = /^\s*[+-]?(?:\d{1,200}\.?\d{0,200}|\.\d{1,200})(?:[eE][+-]?\d{1,2})?\s*$/
const isAskedNumeric = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/

/** As PostgreSQL writes it. */
function numberText(value: number): string {
  const size = Math.abs(value)
  if (size === 0 || (size >= 1e-4 && size < 1e15)) return String(value)
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
}

const textOf = (value: number | string): string => (typeof value === 'number' ? numberText(value) : value)

function beside({ value, affinity, literal }: Value, other: Value): number | string | null {
  if (affinity !== 'none' || value === null) return value
  if (other.affinity === 'text' && typeof value === 'number') return literal?.text ?? numberText(value)
  return other.affinity === 'number' && typeof value === 'string' && (literal ? isAskedNumeric : isNumeric).test(value) ? Number(value) : value
}

/** Numbers come before texts, which are in the order of their code points. */
function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number') return typeof b === 'number' ? a - b : -1
  return typeof b === 'number' ? 1 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function isLike(a: Value, b: Value, operator: '~' | '!~'): boolean {
  if (a.value === null || b.value === null) return false
  const pattern = b.literal ? patternOf(b.literal.text) : `%${textOf(b.value)}%`
  return (!endsOpen(pattern) && like(foldAscii(pattern))(foldAscii(a.literal?.text ?? textOf(a.value)))) === (operator === '~')
}

function valueIn(row: Row, operand: Operand): Value | 'cut' {
  switch (operand.is) {
    case 'value':
      return { value: operand.value, affinity: 'none', json: operand.json, literal: operand }
    case 'item':
      return 'cut'
    case 'distance':
      return distance(row, operand.of)
    case 'time': {
      const at = storedIn(row, operand.of)
      return { value: typeof at === 'string' ? timeText(operand.format, Date.parse(at), operand.shifts) : '', affinity: 'none', json: false }
    }
    case 'field':
      return fieldIn(row, operand)
  }
}

type Field = Extract<Operand, { is: 'field' }>

const storedIn = ({ id, values }: Row, { field }: Field): Json => (field.name === 'id' ? id : (values[field.name] ?? unset(field)))

const isCut = (value: Json): boolean => typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 1 && 'truncated' in value

function fieldIn(row: Row, operand: Field): Value | 'cut' {
  const { field, path, modifier } = operand
  const stored = storedIn(row, operand)
  if (isCut(stored)) return 'cut'
  const kind = kindOf(field)
  if (modifier === 'length') return { value: Array.isArray(stored) ? stored.length : 0, affinity: 'none', json: false }
  const json = kind === 'json'
  const value = kind === 'date' ? (typeof stored === 'string' ? instantText(Date.parse(stored)) : '') : scalar(json ? path.reduce<Json | undefined>(inJson, stored) : stored)
  if (modifier === 'lower' && (json || typeof value === 'string')) return { value: value === null ? null : foldAscii(textOf(value)), affinity: 'none', json }
  return { value, affinity: json ? 'none' : kind === 'number' || kind === 'bool' ? 'number' : 'text', json }
}

/** As PostgreSQL follows a path: into lists by a number, which counts from the end where it is negative. */
function inJson(at: Json | undefined, key: string): Json | undefined {
  if (Array.isArray(at)) return /^-?\d+$/.test(key) ? at.at(Number(key)) : undefined
  return typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? at[key] : undefined
}

function scalar(value: Json | undefined): number | string | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'object' ? JSON.stringify(value) : value
}

function distance(row: Row, of: readonly Operand[]): Value | 'cut' {
  const values = of.map((each) => valueIn(row, each))
  if (values.includes('cut')) return 'cut'
  const [lonA = null, latA = null, lonB = null, latB = null] = values.map((each) => (each !== 'cut' && typeof each.value === 'number' ? each.value * (Math.PI / 180) : null))
  if (lonA === null || latA === null || lonB === null || latB === null) return { value: null, affinity: 'none', json: true }
  const cosine = Math.cos(latA) * Math.cos(latB) * Math.cos(lonB - lonA) + Math.sin(latA) * Math.sin(latB)
  return { value: 6371 * Math.acos(Math.min(1, Math.max(-1, cosine))), affinity: 'none', json: true }
}

import { Fault, type Issue, type Order, type Scalar, type Where, instants, orderFields, whereLimits } from '@sluice/schema'
import { idForm } from '../cursor.ts'
import { firstIdOf } from '../ids.ts'
import type { Checked, Key, ListFields, Place, Value } from './fields.ts'
import { endsOpen } from './pattern.ts'

/**
 * From what was asked to what is meant. The form and the size were bounded by the schema at the edge; here every name is
 * one of the list's and every value of its field's type. Throws a Fault `input_invalid` whose issues name all the places.
 */
export function checkWhere<R>(where: Where, list: ListFields<R>, path: readonly string[] = ['where']): Checked {
  const issues: Issue[] = []
  const checking: Checking = { list, issues, inJson: 0 }
  const checked = inObject(where, checking, path)
  if (checking.inJson > whereLimits.termsInJson) issues.push({ path: [...path], message: `at most ${whereLimits.termsInJson} comparisons inside of JSON` })
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
  return checked
}

interface Checking {
  list: ListFields<never>
  issues: Issue[]
  inJson: number
}

type Path = readonly (string | number)[]

/** Stands where an issue was found: nothing is ever asked for by it. */
const nothing: Checked = { is: 'or', of: [] }

function inObject(where: Where, checking: Checking, path: Path): Checked {
  const all = Object.entries(where).flatMap(([key, value]) => (value === undefined ? [] : [entry(key, value as Where, checking, [...path, key])]))
  return all.length === 1 ? all[0]! : { is: 'and', of: all }
}

function entry(key: string, value: Where | readonly Where[] | Scalar, checking: Checking, path: Path): Checked {
  if (key === 'not') return { is: 'not', of: inObject(value as Where, checking, path) }
  if (key === 'and' || key === 'or') return { is: key, of: (value as readonly Where[]).map((each, index) => inObject(each, checking, [...path, index])) }
  const at = placeOf(checking.list, key)
  if (!at) return refused(checking, path, unknownField(checking.list))
  const comparison: object = typeof value === 'object' && value !== null ? value : { eq: value }
  const all = Object.entries(comparison).flatMap(([operator, each]) =>
    each === undefined ? [] : [compared(at, operator as Operator, each as Scalar | Scalar[], checking, [...path, operator])],
  )
  return all.length === 1 ? all[0]! : { is: 'and', of: all }
}

type Operator = 'eq' | 'ne' | 'in' | 'lt' | 'lte' | 'gt' | 'gte' | 'like' | 'ilike' | 'contains' | 'has'

function refused(checking: Checking, path: Path, message: string): Checked {
  checking.issues.push({ path: [...path], message })
  return nothing
}

const unknownField = (list: ListFields<never>): string => `There is no such field here; there are ${Object.keys(list.fields).join(', ')}`

/** What can be asked of a field of each type. */
const operatorsOf: Record<Place['type'], readonly Operator[]> = {
  id: ['eq', 'ne', 'in', 'lt', 'lte', 'gt', 'gte', 'like', 'ilike', 'contains'],
  text: ['eq', 'ne', 'in', 'lt', 'lte', 'gt', 'gte', 'like', 'ilike', 'contains'],
  number: ['eq', 'ne', 'in', 'lt', 'lte', 'gt', 'gte'],
  boolean: ['eq', 'ne', 'in'],
  time: ['eq', 'ne', 'in', 'lt', 'lte', 'gt', 'gte'],
  texts: ['has'],
  json: ['eq', 'ne', 'in', 'lt', 'lte', 'gt', 'gte', 'like', 'ilike', 'contains'],
}

function compared(at: Place, operator: Operator, value: Scalar | readonly Scalar[], checking: Checking, path: Path): Checked {
  if (at.type === 'json') checking.inJson++
  if (!operatorsOf[at.type].includes(operator)) return refused(checking, path, `${at.field} can be asked for ${operatorsOf[at.type].join(', ')}`)
  if (operator === 'in') return oneOf(at, value as readonly Scalar[], checking, path)
  if (operator === 'eq') return oneOf(at, [value as Scalar], checking, path)
  if (operator === 'ne') return { is: 'not', of: oneOf(at, [value as Scalar], checking, path) }
  if (operator === 'lt' || operator === 'lte' || operator === 'gt' || operator === 'gte') {
    const read = valueOf(at, value as string | number)
    if (read === undefined || typeof read === 'boolean') return refused(checking, path, expected[at.type])
    if (at.type === 'id' && !idForm.test(String(read))) return refused(checking, path, 'expected an id')
    if (at.ofId) return madeWithin(checking.list, { [operator]: Number(read) })
    return { is: operator, at, value: read }
  }
  const text = String(value)
  if ((operator === 'like' || operator === 'ilike') && endsOpen(text)) return refused(checking, path, 'a pattern does not end in the middle of an escape')
  return { is: operator, at, text }
}

/** Null is what a field is, never what it is equal to: asked for apart. */
function oneOf(at: Place, values: readonly Scalar[], checking: Checking, path: Path): Checked {
  const read: Value[] = []
  for (const [index, value] of values.entries()) {
    if (value === null) continue
    const known = valueOf(at, value)
    if (known === undefined) refused(checking, path.at(-1) === 'in' ? [...path, index] : path, expected[at.type])
    else read.push(known)
  }
  const some: Checked = at.ofId ? { is: 'or', of: read.map((ms) => madeWithin(checking.list, { gte: Number(ms), lte: Number(ms) })) } : { is: 'in', at, values: read }
  if (!values.includes(null)) return some
  return read.length === 0 ? { is: 'null', at } : { is: 'or', of: [{ is: 'null', at }, some] }
}

/** Of records whose ids were made in these milliseconds. */
function madeWithin(list: ListFields<never>, { gt, gte = gt === undefined ? undefined : gt + 1, lte, lt = lte === undefined ? undefined : lte + 1 }: Bounds): Checked {
  const at = placeOf(list, list.id)!
  const bounds = [gte === undefined ? [] : [{ is: 'gte', at, value: firstIdOf(gte) } as const], lt === undefined ? [] : [{ is: 'lt', at, value: firstIdOf(lt) } as const]]
  return { is: 'and', of: bounds.flat() }
}

type Bounds = { [Is in 'lt' | 'lte' | 'gt' | 'gte']?: number }

const expected: Record<Place['type'], string> = {
  id: 'expected an id',
  text: 'expected a text',
  number: 'expected a number',
  boolean: 'expected true or false',
  time: 'expected an instant, as 2026-01-31T12:00:00.000Z, or a date',
  texts: 'expected a text',
  json: 'expected a text or a number',
}

function valueOf({ type }: Place, value: string | number | boolean): Value | undefined {
  if (type === 'json') return value
  if (type === 'time') return typeof value === 'string' ? instantOf(value) : undefined
  if (type === 'number' || type === 'boolean') return typeof value === type ? value : undefined
  return typeof value === 'string' ? value : undefined
}

const instant = /^(?!0000)\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d))?$/

/** In milliseconds. */
export function instantOf(text: string): number | undefined {
  if (!instant.test(text)) return undefined
  const [, whole, fraction = '', zone] = /^(.{10}[^.,Zz+-]*)(?:[.,](\d+))?(.*)$/.exec(text)!
  const ms = Date.parse(whole!.replace(/[t ]/, 'T') + (fraction && `.${fraction.slice(0, 3).padEnd(3, '0')}`) + zone!.toUpperCase().replace(/^([+-]\d\d)(\d\d)$/, '$1:$2'))
  // A day that its month does not have is read as one of the next.
  const day = new Date(Date.parse(text.slice(0, 10))).toJSON()
  return Number.isNaN(ms) || day?.slice(0, 10) !== text.slice(0, 10) || ms < instants.first || ms > instants.last ? undefined : ms
}

const segment = /^[A-Za-z_][\w-]*$|^\d{1,9}$/

/** A field of the list, or with a path behind it one that is JSON. */
export function placeOf<R>({ fields }: ListFields<R>, name: string): Place | undefined {
  const [field = '', ...path] = name.split('.')
  const known = Object.hasOwn(fields, field) ? fields[field] : undefined
  if (!known || name.length > 255 || (known.type === 'json') !== path.length > 0 || !path.every((each) => segment.test(each))) return undefined
  return { field, type: known.type, nullable: known.nullable ?? false, ofId: known.ofId ?? false, path }
}

/** The keys of an order, made total by the id. Throws a Fault `input_invalid` for a field that there is none of, or that has no order. */
export function checkOrder<R>(order: Order | undefined, list: ListFields<R>): readonly Key[] {
  const names = order === undefined ? [] : orderFields(order)
  const wanted = names.length > 0 ? names : (list.order ?? [`-${list.id}`])
  const keys: Key[] = []
  const issues: Issue[] = []
  if (wanted.length > whereLimits.order) throw new Fault('input_invalid', { issues: [{ path: ['order'], message: `at most ${whereLimits.order} fields` }] })
  for (const [index, name] of wanted.entries()) {
    const descending = name.startsWith('-')
    const named = placeOf(list, name.replace(/^[-+]/, ''))
    const at = named?.ofId && endsWithId(wanted.slice(index + 1), list.id, descending) ? placeOf(list, list.id) : named
    if (!at) issues.push({ path: ['order', index], message: unknownField(list) })
    else if (at.type === 'texts') issues.push({ path: ['order', index], message: `${at.field} has no order` })
    else keys.push(...keysAt(at, descending))
    // No two records are equal in it: what comes after says nothing.
    if (at?.field === list.id) break
  }
  if (new Set(keys.flatMap(({ at }) => (at.type === 'json' ? [at] : []))).size > whereLimits.orderInJson)
    issues.push({ path: ['order'], message: `at most ${whereLimits.orderInJson} fields inside of JSON` })
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
  if (keys.at(-1)!.at.field !== list.id) keys.push(...keysAt(placeOf(list, list.id)!, keys.at(-1)!.descending))
  return keys
}

/** Whether nothing but the id comes after an instant that the id was made in: then the order is that of ids. */
const endsWithId = ([next]: readonly string[], id: string, descending: boolean): boolean => next === undefined || next.replace(/^[+]/, '') === `${descending ? '-' : ''}${id}`

const keysAt = (at: Place, descending: boolean): Key[] =>
  (at.type === 'json' ? (['rank', 'number', 'text'] as const) : (['whole'] as const)).map((part) => ({ at, part, descending }))

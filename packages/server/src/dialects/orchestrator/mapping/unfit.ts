import type { Issue } from '@sluice/schema'
import type { z } from 'zod'
import type { WireIssue } from '../../../rpc/faults.ts'

/** What does not fit, in the words of Django's REST framework, by field. PURE, and total. */

export type FieldErrors = Record<string, string[]>

/** Where something is wrong with no field of its own. */
const whole = 'non_field_errors'

/** Of what the schemas of the wire refused. */
export const unfitWire = (issues: readonly WireIssue[]): FieldErrors => gathered(issues.map(({ issue }) => [fieldOf(issue.path.map(String)), worded(issue)]))

/** Of what the core found wrong with what it was asked. */
export const unfitCore = (issues: readonly Issue[]): FieldErrors => gathered(issues.map(({ path = [], message }) => [fieldOf(spelled(path.map(String))), message]))

/** What keeps a definition from running: by node, by field of its form. */
export function validationOf(issues: readonly Issue[]): Record<string, FieldErrors> {
  const nodes = Map.groupBy(issues, ({ nodeId }) => nodeId || 'workflow')
  return Object.fromEntries([...nodes].map(([node, of]) => [node, gathered(of.map(({ field, message }) => [formField(field), worded({ message })]))]))
}

/** The same of the one node that was tried. */
export const formErrorsOf = (issues: readonly Issue[]): FieldErrors => gathered(issues.map(({ field, message }) => [formField(field), worded({ message })]))

/** All of them as one text: `name: This field is required.` */
export const textOf = (errors: FieldErrors): string =>
  Object.entries(errors)
    .flatMap(([field, messages]) => messages.map((message) => (field === whole ? message : `${field}: ${message}`)))
    .join('; ')

function gathered(entries: readonly (readonly [string, string])[]): FieldErrors {
  const fields = new Map<string, string[]>()
  for (const [field, message] of entries) fields.set(field, [...new Set([...(fields.get(field) ?? []), message])])
  return Object.fromEntries(fields)
}

const fieldOf = (path: readonly string[]): string => (path.length === 0 ? whole : path.join('.'))

/** The fields of a form stand in the config; what is wrong with a type, or with a connection, is told by what the wire calls it. */
function formField(field = ''): string {
  const [first, ...rest] = field.split('.')
  if (first === 'config') return fieldOf(rest)
  // By its place in the core's list, which the wire does not show.
  if (first === 'links') return fieldOf(spelled([first, ...rest]))
  return first === 'type' ? 'node_type' : field === '' ? whole : field
}

// ── the words of the wire ──────────────────────────────────────────────────────────────────────────────────────────────

const required = 'This field is required.'
const types: Readonly<Record<string, string>> = {
  string: 'Not a valid string.',
  number: 'A valid number is required.',
  int: 'A valid integer is required.',
  boolean: 'Must be a valid boolean.',
  object: 'Invalid data. Expected a dictionary.',
  record: 'Expected a dictionary of items.',
  array: 'Expected a list of items.',
  date: 'Datetime has wrong format.',
}

function worded(issue: Pick<z.core.$ZodIssue, 'message'> & Partial<z.core.$ZodIssue>): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? required : issue.input === null ? 'This field may not be null.' : (types[issue.expected ?? ''] ?? issue.message)
    case 'invalid_value':
      return issue.input === undefined ? required : `${JSON.stringify(issue.input)?.slice(0, 100)} is not a valid choice.`
    case 'custom':
      return issue.input === undefined ? required : issue.message
    case 'too_small':
      return tooSmall(issue)
    case 'too_big':
      return tooBig(issue)
    default:
      // As the declarations of nodes say it.
      return issue.message === 'Missing key' ? required : issue.message
  }
}

function tooSmall({ origin, minimum, message }: Partial<z.core.$ZodIssueTooSmall> & { message: string }): string {
  if (origin === 'string') return minimum === 1 ? 'This field may not be blank.' : `Ensure this field has at least ${minimum} characters.`
  if (origin === 'array') return required
  return origin === 'number' || origin === 'int' ? `Ensure this value is greater than or equal to ${minimum}.` : message
}

function tooBig({ origin, maximum, message }: Partial<z.core.$ZodIssueTooBig> & { message: string }): string {
  if (origin === 'string') return `Ensure this field has no more than ${maximum} characters.`
  return origin === 'number' || origin === 'int' ? `Ensure this value is less than or equal to ${maximum}.` : message
}

// ── the keys of the core ───────────────────────────────────────────────────────────────────────────────────────────────

/** What the core calls its keys, by what the wire does. */
const spellings: Readonly<Record<string, string>> = {
  type: 'node_type',
  config: 'form_values',
  source: 'source_node',
  target: 'target_node',
  sourceHandle: 'source_handle',
  workflow: 'workflow_id',
  nodeId: 'node_id',
  data: 'input_data',
  session: 'session_id',
  timeoutMs: 'timeout',
  order: 'ordering',
  email: 'username',
  refreshToken: 'refresh',
}

/** Whatever a place is in the core, the wire has one thing there: the node or the connection that it is about. */
function spelled(path: readonly string[]): string[] {
  const [first, index, ...rest] = path
  if (first === 'operations' || first === 'nodes' || first === 'links') return index === undefined ? [first] : inPart(rest)
  if (first === 'extra') return ['tags']
  return first === undefined ? [] : [spellings[first] ?? first, ...path.slice(1)]
}

function inPart(path: readonly string[]): string[] {
  const [first, ...rest] = path
  if (first === 'nodes' || first === 'links') return spelled(path)
  if (first === 'node' || first === 'link') return inPart(rest)
  if (first === 'extra') return ['config']
  return first === undefined ? [] : [spellings[first] ?? first, ...rest]
}

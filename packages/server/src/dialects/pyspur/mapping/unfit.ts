import type { Issue, Json, JsonObject } from '@sluice/schema'
import type { z } from 'zod'
import type { WireIssue } from '../../../rpc/faults.ts'
import type { RuleParams, ValidationError } from '../contract.ts'

/** What does not fit, as pydantic says it: type, place, message, input. PURE, and total. */

type Said = Omit<ValidationError, 'loc' | 'input'>
type Loc = ValidationError['loc']

/** Of what the schemas of the wire refused. */
export function unfitWire({ in: place, issue, whole }: WireIssue): ValidationError {
  const loc = [place, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
  // What is missing is told with what it is missing from.
  if (isMissing(issue)) return { type: 'missing', loc, msg: 'Field required', input: place === 'body' && issue.path.length > 0 ? echo(at(whole, issue.path.slice(0, -1))) : null }
  const input = echo(issue.input)
  const { type, msg, ctx } = saidOf(issue, place)
  // In a path and a query there are texts alone.
  return { type, loc, msg, input: place !== 'body' && typeof input === 'number' ? String(input) : input, ...(ctx && { ctx }) }
}

const isMissing = (issue: z.core.$ZodIssue): boolean =>
  issue.input === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union' || ruleOf(issue) === 'dict_type')

function saidOf(issue: z.core.$ZodIssue, place: WireIssue['in']): Said {
  switch (issue.code) {
    case 'invalid_type':
      return ofType(issue, place)
    case 'invalid_value':
      return oneOf(issue.values.map(String))
    case 'invalid_union':
      return dictType
    case 'too_small':
      return bound(issue.origin, Number(issue.minimum), issue.inclusive ? ['greater_than_equal', 'ge', 'greater than or equal to'] : ['greater_than', 'gt', 'greater than'], {
        of: 'short',
        least: true,
      })
    case 'too_big':
      return bound(issue.origin, Number(issue.maximum), issue.inclusive ? ['less_than_equal', 'le', 'less than or equal to'] : ['less_than', 'lt', 'less than'], {
        of: 'long',
        least: false,
      })
    case 'custom':
      return rules[ruleOf(issue) ?? 'value_error'](issue.message)
    default:
      return valueError(issue.message)
  }
}

/** Which rule of the contract it is that was broken. */
function ruleOf(issue: z.core.$ZodIssue): RuleParams['pydantic'] | undefined {
  const rule: unknown = issue.code === 'custom' ? issue.params?.['pydantic'] : undefined
  return typeof rule === 'string' && Object.hasOwn(rules, rule) ? (rule as RuleParams['pydantic']) : undefined
}

const dictType: Said = { type: 'dict_type', msg: 'Input should be a valid dictionary' }

const types: Readonly<Record<string, Said>> = {
  string: { type: 'string_type', msg: 'Input should be a valid string' },
  boolean: { type: 'bool_type', msg: 'Input should be a valid boolean' },
  number: { type: 'float_type', msg: 'Input should be a valid number' },
  int: { type: 'int_from_float', msg: 'Input should be a valid integer, got a number with a fractional part' },
  array: { type: 'list_type', msg: 'Input should be a valid list' },
  record: dictType,
  object: { type: 'model_attributes_type', msg: 'Input should be a valid dictionary or object to extract fields from' },
}

/** Of a text that should be something else. Numbers of a path and a query are integers. */
const parsing: Readonly<Record<string, Said>> = {
  number: { type: 'int_parsing', msg: 'Input should be a valid integer, unable to parse string as an integer' },
  boolean: { type: 'bool_parsing', msg: 'Input should be a valid boolean, unable to interpret input' },
}

function ofType({ expected, input, message }: z.core.$ZodIssueInvalidType, place: WireIssue['in']): Said {
  const parsed = typeof input === 'string' && (place !== 'body' || expected === 'boolean') ? parsing[expected] : undefined
  return parsed ?? types[expected] ?? valueError(message)
}

function oneOf(values: readonly string[]): Said {
  const quoted = values.map((value) => `'${value}'`)
  const expected = quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`
  return { type: 'enum', msg: `Input should be ${expected}`, ctx: { expected } }
}

function bound(origin: string, value: number, [type, key, words]: readonly [string, string, string], { of, least }: { of: 'short' | 'long'; least: boolean }): Said {
  const many = `at ${least ? 'least' : 'most'} ${value}`
  if (origin === 'string')
    return { type: `string_too_${of}`, msg: `String should have ${many} character${value === 1 ? '' : 's'}`, ctx: { [`${least ? 'min' : 'max'}_length`]: value } }
  if (origin === 'array')
    return { type: `too_${of}`, msg: `List should have ${many} item${value === 1 ? '' : 's'} after validation`, ctx: { [`${least ? 'min' : 'max'}_length`]: value } }
  return { type, msg: `Input should be ${words} ${value}`, ctx: { [key]: value } }
}

const because = { error: {} }
export const valueError = (message: string): Said => ({ type: 'value_error', msg: `Value error, ${message}`, ctx: because })

const rules = {
  value_error: valueError,
  assertion_error: (message) => ({ type: 'assertion_error', msg: `Assertion failed, ${message}`, ctx: because }),
  dict_type: () => dictType,
  datetime_from_date_parsing: (message) => ({ type: 'datetime_from_date_parsing', msg: message, ctx: because }),
} as const satisfies Record<RuleParams['pydantic'], (message: string) => Said>

// ── what the core refused ──────────────────────────────────────────────────────────────────────────────────────────────

/** Of what the core found wrong, at the place that the wire has for it. */
export const unfitCore = (issue: Issue): ValidationError => ({ ...valueError(issue.message), loc: locOf(issue), input: null })

function locOf({ path = [], nodeId, field, ...rest }: Issue): Loc {
  if (path.length > 0) return locOfPath({ path, ...(nodeId !== undefined && { nodeId }), ...rest })
  if (nodeId === undefined || nodeId === '') return ['body', 'definition']
  // Of a definition that did not come with the request the place of a node is not known: its id stands for it.
  return ['body', 'definition', 'nodes', nodeId, ...(field ? inNode(field.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part))) : [])]
}

function locOfPath({ path: [first = '', ...rest], nodeId }: Issue & { path: Loc }): Loc {
  if (first === 'definition') return ['body', 'definition', ...inDefinition(rest)]
  // A start says of which node the input is; the form of a pause is of the body's own `inputs`.
  if (first === 'inputs') return ['body', nodeId === undefined ? 'inputs' : 'initial_inputs', ...rest]
  return [...(places[first] ?? ['body', first]), ...rest]
}

/** Keys of what the core is asked, by where they come from. */
const places: Readonly<Record<string, Loc>> = {
  workflow: ['path', 'workflow_id'],
  limit: ['query', 'page_size'],
  offset: ['query', 'page'],
  file: ['body', 'files'],
  input: ['body', 'initial_inputs'],
  nodeId: ['body', 'node_id'],
  outputs: ['body', 'partial_outputs'],
  label: ['body', 'user_id'],
  externalId: ['body', 'external_id'],
  user: ['body', 'user_id'],
}

const spellings = {
  definition: { kind: 'spur_type', testInputs: 'test_inputs' },
  node: { type: 'node_type', parentId: 'parent_id', position: 'coordinates', size: 'dimensions', extra: 'subworkflow' },
  link: { source: 'source_id', target: 'target_id', sourceHandle: 'source_handle', targetHandle: 'target_handle' },
} as const

const spelled = (key: Loc[number], words: Readonly<Record<string, string>>): Loc[number] => (typeof key === 'string' ? (words[key] ?? key) : key)

function inDefinition([first, index, ...rest]: Loc): Loc {
  if (first === undefined) return []
  if (index === undefined) return [spelled(first, spellings.definition)]
  const below = first === 'nodes' ? inNode(rest) : first === 'links' ? rest.map((key) => spelled(key, spellings.link)) : rest
  return [spelled(first, spellings.definition), index, ...below]
}

/** Below `config` everything is as it came. */
const inNode = ([first, ...rest]: Loc): Loc => (first === undefined ? [] : [spelled(first, spellings.node), ...rest])

// ── what is said back ──────────────────────────────────────────────────────────────────────────────────────────────────

const at = (whole: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<PropertyKey, unknown>)[key] : undefined), whole)

const most = { values: 200, characters: 4_000 }

/** What came, unless it is large: an error is not to be many times what it is about. */
function echo(value: unknown): Json {
  let values = 0
  let characters = 0
  const isSmall = (each: unknown): boolean => {
    if (++values > most.values) return false
    if (typeof each === 'string') return (characters += each.length) <= most.characters
    if (typeof each !== 'object' || each === null) return true
    return Object.entries(each as JsonObject).every(([key, inner]) => (characters += key.length) <= most.characters && isSmall(inner))
  }
  return value !== undefined && isSmall(value) ? (value as Json) : null
}

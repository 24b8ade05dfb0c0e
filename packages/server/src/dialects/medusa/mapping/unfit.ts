import type { Issue } from '@sluice/schema'
import type { z } from 'zod'
import type { WireIssue } from '../../../rpc/faults.ts'

/** What does not fit, in the words of Medusa: the first three of it in one line. PURE and total. */

const most = 3

export const unfitWire = (issues: readonly WireIssue[]): string => line(issues.slice(0, most).map(({ issue, whole }) => sentence(issue, whole)))

/** Of what the core found wrong, with its place. */
export const unfitCore = (issues: readonly Issue[]): string =>
  line(
    issues
      .slice(0, most)
      .map(({ path = [], nodeId, field, message }) => [message, ...(nodeId ? [`for step '${nodeId}'`] : []), ...placed(field === undefined ? path : [field])].join(' ')),
  )

const line = (sentences: readonly string[]): string => `Invalid request: ${sentences.join('; ')}`
const placed = (path: readonly (string | number)[]): string[] => (path.length === 0 ? [] : [`for field '${path.join(', ')}'`])

function sentence(issue: z.core.$ZodIssue, whole: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return ofType([issue], whole) ?? required([issue], whole) ?? issue.message
    case 'invalid_value':
      return isThere(issue.path, whole) ? `Expected: '${issue.values.map(String).join(', ')}' for field '${fieldOf(issue)}', but got: '${shown(issue.input)}'` : requiredAt(issue)
    case 'invalid_union':
      return ofUnion(issue, whole)
    case 'unrecognized_keys':
      return `Unrecognized fields: '${cut(issue.keys.join(', '))}'`
    case 'too_small':
      return `Value for field '${fieldOf(issue)}' too small, expected at least: '${issue.minimum}'`
    case 'too_big':
      return `Value for field '${fieldOf(issue)}' too big, expected at most: '${issue.maximum}'`
    default:
      return issue.message
  }
}

type Placed = Pick<z.core.$ZodIssue, 'path'>

const fieldOf = ({ path }: Placed): string => path.map(String).join(', ')
const requiredAt = (issue: Placed): string => (issue.path.length === 0 ? 'A body is required' : `Field '${fieldOf(issue)}' is required`)

/** All the types that would have done. */
function ofType(issues: readonly z.core.$ZodIssue[], whole: unknown): string | undefined {
  const typed = issues.filter((issue) => issue.code === 'invalid_type')
  const expected = typed.flatMap((issue) => (isThere(issue.path, whole) ? [issue.expected] : []))
  const [first] = typed
  return first && expected.length > 0 ? `Expected type: '${expected.join(', ')}' for field '${fieldOf(first)}', got: '${shown(at(first.path, whole))}'` : undefined
}

function required(issues: readonly z.core.$ZodIssue[], whole: unknown): string | undefined {
  const missing = issues.find(({ code, path }) => (code === 'invalid_type' || code === 'invalid_value') && !isThere(path, whole))
  return missing && requiredAt(missing)
}

/** Of a branch that what came has the type of, what is wrong in there. */
function ofUnion(issue: z.core.$ZodIssueInvalidUnion, whole: unknown): string {
  const branches = issue.errors.map((branch) => branch.map((each) => ({ ...each, path: [...issue.path, ...each.path] })))
  const nearest = branches.find(
    (branch) => branch.length > 0 && branch.every(({ code, path }) => code === 'unrecognized_keys' || code === 'too_big' || path.length > issue.path.length),
  )
  if (nearest) return sentence(nearest[0]!, whole)
  const all = branches.flat()
  return ofType(all, whole) ?? required(all, whole) ?? issue.message
}

const at = (path: readonly PropertyKey[], whole: unknown): unknown =>
  path.reduce<unknown>((value, key) => (typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<PropertyKey, unknown>)[key] : undefined), whole)

const isThere = (path: readonly PropertyKey[], whole: unknown): boolean => at(path, whole) !== undefined

/** As a text of JavaScript's: a list with commas, an object as no more than that. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return cut(value.slice(0, 20).map(shown).join(','))
  return typeof value === 'object' && value !== null ? '[object Object]' : cut(String(value))
}

/** An error is not to be many times what it is about. */
const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text)

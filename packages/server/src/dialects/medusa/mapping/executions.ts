import { Fault, limits, type ListedRun, type ListRuns, type RunField, type RunInclude, type Where } from '@sluice/schema'
import type { CreatedAtFilter, ExecutionsQuery, Selected } from '../contract.ts'
import { contextOf } from './context.ts'
import { executionOf, transactionOf } from './execution.ts'
import { type Field, fieldsInOrder, type Selection, selectionOf } from './fields.ts'
import { executionId } from './ids.ts'
import { inStates, stateOf, statesLike } from './states.ts'
import { instantOf } from './times.ts'
import { type Tree, treeOf } from './tree.ts'

/** Runs as workflow executions, one and many. PURE; total but for what is refused. */

// ── what is asked for ──────────────────────────────────────────────────────────────────────────────────────────────────

type Included = Exclude<RunInclude, 'outputs'>

/** What a run is told with, so that what was asked for can be said of it. */
const includedFor = (selection: Selection): Included[] => [
  ...(selection.has('retention_time') || tellsSteps(selection) ? (['version'] as const) : []),
  ...(tellsSteps(selection) ? (['steps'] as const) : []),
]

/** A state, too, depends on whether anything is being undone yet. */
const tellsSteps = (selection: Selection): boolean => selection.has('execution') || selection.has('context') || selection.has('state')

/** One run, with all that its steps gave. Throws `input_invalid` for fields that there are not. */
export function asked(fields: string | undefined): { include: RunInclude[] } {
  const selection = selectionOf(fields)
  return { include: [...includedFor(selection), ...(selection.has('context') ? (['outputs'] as const) : [])] }
}

/** Throws `input_invalid` for what cannot be compared, ordered by, or selected. */
export function listed({ fields, offset, limit, order, q = '', transaction_id, workflow_id, state, created_at }: ExecutionsQuery): ListRuns {
  const selection = selectionOf(fields)
  const conditions = [...(state === undefined ? [] : [inStates(many(state))]), ...(created_at === undefined ? [] : createdAt(created_at)), ...(q === '' ? [] : [containing(q)])]
  return {
    ...(transaction_id !== undefined && { transactionIds: named('transaction_id', transaction_id).filter((id) => isBetween(id, 1, 200)) }),
    ...(workflow_id !== undefined && { workflows: named('workflow_id', workflow_id).filter((id) => isBetween(id, 1, 100)) }),
    where: { and: conditions },
    ...(order !== undefined && order !== '' && { order: orderOf(order) }),
    offset,
    // None are asked for where there is to be a count alone: one is read, and left out.
    limit: Math.max(1, limit),
    count: true,
    include: includedFor(selection),
    whole: selection.has('execution') || selection.has('context'),
  }
}

const isBetween = ({ length }: string, least: number, most: number): boolean => length >= least && length <= most

/** A list of one text is a text with commas. */
function many(said: string | readonly string[]): readonly string[] {
  if (typeof said === 'string') return [said]
  return said.length === 1 ? said[0]!.split(',') : said
}

const mostNames = 100

function named(field: string, said: string | readonly string[]): readonly string[] {
  const names = many(said)
  if (names.length > mostNames) throw new Fault('input_invalid', { message: `Invalid request: Field '${field}' has ${names.length} values; ${mostNames} are allowed` })
  return names
}

type RunWhere = Where<RunField>

/** By what a client sees of it, whatever the case of its letters. */
function containing(q: string): RunWhere {
  const id = q.replace(/^wf_exec_/i, '')
  return { or: [{ transactionId: { contains: q } }, { workflow: { contains: q } }, ...(id === '' ? [] : [{ id: { contains: id } }]), inStates(statesLike(q))] }
}

const orders = {
  id: 'id',
  workflow_id: 'workflow',
  transaction_id: 'transactionId',
  state: 'status',
  created_at: 'created',
  updated_at: 'updated',
  run_id: 'id',
} as const satisfies Partial<Record<Field, RunField>>

function orderOf(order: string): NonNullable<ListRuns['order']> {
  const field = order.replace(/^-/, '')
  if (!isOrder(field)) throw new Fault('input_invalid', { message: `Order field ${field} is not valid` })
  return order.startsWith('-') ? `-${orders[field]}` : orders[field]
}

const isOrder = (field: string): field is keyof typeof orders => Object.hasOwn(orders, field)

const bounds = { $gt: 'gt', $gte: 'gte', $lt: 'lt', $lte: 'lte' } as const

/** Times are compared as times: patterns have no meaning for them. */
function createdAt(said: string | readonly string[] | CreatedAtFilter): RunWhere[] {
  if (typeof said === 'string' || isList(said)) return [{ created: { in: times('created_at', many(said)) } }]
  return Object.entries(said).flatMap(([operator, value]) => (value === undefined ? [] : [compared(operator, many(value))]))
}

function compared(operator: string, texts: readonly string[]): RunWhere {
  const at = () => times(`created_at, ${operator}`, texts)
  if (operator === '$eq' || operator === '$in') return { created: { in: at() } }
  if (operator === '$ne' || operator === '$nin') return { not: { created: { in: at() } } }
  if (isBound(operator)) return { created: { [bounds[operator]]: at()[0] } }
  throw new Fault('input_invalid', { message: `Invalid request: Field 'created_at' is a time, which is not compared by '${operator}'` })
}

const isList = (said: unknown): said is readonly string[] => Array.isArray(said)
const isBound = (operator: string): operator is keyof typeof bounds => Object.hasOwn(bounds, operator)

function times(field: string, texts: readonly string[]): string[] {
  return texts.map((text) => {
    const at = instantOf(text)
    if (at === null) throw new Fault('input_invalid', { message: `Invalid request: Expected a date for field '${field}', got: '${text.slice(0, 100)}'` })
    return at
  })
}

// ── what is told ───────────────────────────────────────────────────────────────────────────────────────────────────────

export const told = (run: ListedRun, fields: string | undefined): Selected => selected(run, selectionOf(fields), createTrees())

/** Throws `limit_exceeded` for more than an answer holds: of a large workflow an execution is much larger than its run. */
export function page(runs: readonly ListedRun[], { fields, limit }: Pick<ExecutionsQuery, 'fields' | 'limit'>): Selected[] {
  const selection = selectionOf(fields)
  const trees = createTrees()
  let bytes = 0
  return runs.slice(0, limit).map((run) => {
    const execution = selected(run, selection, trees)
    bytes += Buffer.byteLength(JSON.stringify(execution))
    if (bytes > limits.answerBytes)
      throw new Fault('limit_exceeded', { message: `The page has more than ${limits.answerBytes / 1024 / 1024} MiB: ask for fewer executions, or for fewer fields` })
    return execution
  })
}

type Trees = (run: ListedRun) => Tree

/** Of each version one. */
function createTrees(): Trees {
  const made = new Map<string, Tree>()
  return ({ pinned }) => {
    if (!pinned) return { steps: [], next: [], definition: {} }
    const key = `${pinned.workflowId}/${pinned.number}`
    const tree = made.get(key) ?? treeOf(pinned)
    made.set(key, tree)
    return tree
  }
}

const tellings: Record<Field, (run: ListedRun, trees: Trees) => unknown> = {
  id: ({ id }) => executionId(id),
  workflow_id: ({ workflow }) => workflow,
  transaction_id: transactionOf,
  context: (run, trees) => contextOf(run, trees(run)),
  execution: (run, trees) => executionOf(run, trees(run)),
  state: stateOf,
  created_at: ({ created }) => created,
  updated_at: ({ updated }) => updated,
  deleted_at: () => null,
  run_id: ({ id }) => id,
  retention_time: ({ pinned }) => pinned?.definition.settings?.retainForSeconds ?? null,
}

function selected(run: ListedRun, selection: Selection, trees: Trees): Selected {
  const fields = fieldsInOrder.filter((field) => selection.has(field))
  return { id: executionId(run.id), ...Object.fromEntries(fields.map((field) => [field, selection.of(field, tellings[field](run, trees))])) }
}

import type { OrderField, WorkflowField } from '@sluice/schema'
import type { Json } from '@sluice/schema'
import type { Workflow } from '../contract.ts'

/** `?ordering=-status,name`: by any field of a workflow, as Django has it. What names none is passed over. PURE. */

interface Sorting {
  field: keyof Workflow
  down: boolean
}

const fields: readonly (keyof Workflow)[] = [
  'id',
  'created_at',
  'updated_at',
  'name',
  'description',
  'category',
  'status',
  'last_run',
  'next_run',
  'runs_count',
  'tags',
  'created_by',
  'task_id',
]

export function orderingOf(text = ''): Sorting[] {
  return text.split(',').flatMap((term) => {
    const [, sign = '', name = ''] = /^\s*(-?)(\w+)\s*$/.exec(term) ?? []
    const field = fields.find((each) => each === name)
    return field ? [{ field, down: sign === '-' }] : []
  })
}

const native: Partial<Record<keyof Workflow, WorkflowField>> = { id: 'id', created_at: 'created', updated_at: 'updated', name: 'name', description: 'description' }

/** What the core can sort by is sorted there, so that of many workflows the right ones come; undefined: newest first. */
export function coreOrder(ordering: readonly Sorting[]): OrderField<WorkflowField>[] | undefined {
  const order = ordering.map(({ field, down }) => native[field] && (`${down ? '-' : ''}${native[field]}` as const))
  return order.length > 0 && order.length <= mostOrdered && order.every((field) => field !== undefined) ? order : undefined
}

const mostOrdered = 8

export function sorted(workflows: readonly Workflow[], ordering: readonly Sorting[]): Workflow[] {
  const isSorted = ordering.length === 0 || coreOrder(ordering) !== undefined
  return isSorted ? [...workflows] : workflows.toSorted((one, other) => compare(one, other, ordering))
}

function compare(one: Workflow, other: Workflow, ordering: readonly Sorting[]): number {
  for (const { field, down } of ordering) {
    const order = compareValues(one[field], other[field])
    if (order !== 0) return down ? -order : order
  }
  return 0
}

/** Null comes last, as PostgreSQL has it. */
function compareValues(one: Json, other: Json): number {
  if (one === null || other === null) return Number(one === null) - Number(other === null)
  if (typeof one === 'number' && typeof other === 'number') return one - other
  const [a, b] = [textOf(one), textOf(other)]
  return a < b ? -1 : a > b ? 1 : 0
}

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

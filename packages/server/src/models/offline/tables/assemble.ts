import type { AggregateAsked, ConditionAsked, Core, Draft, OrderAsked } from './draft.ts'
import { joiningOf } from './joins.ts'
import type { Joining } from './joins.ts'
import type { ColumnAt, ColumnNamed } from './names.ts'
import { stemOfFile } from './table.ts'
import type { Aggregate, Column, Condition, Query, Table } from './table.ts'

/** A query for what a sentence asks, as far as the tables have it. PURE. */
export type Assembled =
  | { query: Query; shape: Shape }
  /** `doubtful`: it can mean more than one thing, and no other reading of the sentence is to be tried. */
  | { reason: string; doubtful: boolean }

/** What its answer is told as. */
export type Shape = { is: 'numbers' } | { is: 'list' } | { is: 'extreme'; of: string | null; by: string; descending: boolean; limit: number | null }

class Unfit extends Error {
  readonly doubtful: boolean
  constructor(message: string, doubtful = false) {
    super(message)
    this.doubtful = doubtful
  }
}

/** Rows that are asked for where only the first are meant: those that are as good as the last are seen, too. */
const mostAlike = 20
const mostRows = 200

export function assemble(draft: Draft, tables: readonly Table[]): Assembled {
  try {
    const scopes = scopesOf(draft, tables)
    const tried = scopes.map((scope) => tryIn(draft, scope))
    const fitting = tried.filter((one) => 'query' in one)
    if (fitting.length === 1) return fitting[0]!
    if (fitting.length > 1) return { reason: `more than one file has that: ${scopes.map(({ left }) => left.name).join(', ')}`, doubtful: true }
    return tried.find((one) => 'reason' in one && one.doubtful) ?? tried[0] ?? { reason: 'no file, and no two that share a column, have all of that', doubtful: false }
  } catch (error) {
    if (error instanceof Unfit) return { reason: error.message, doubtful: error.doubtful }
    throw error
  }
}

function tryIn(draft: Draft, scope: Scope): Assembled {
  try {
    return queryIn(draft, scope)
  } catch (error) {
    if (error instanceof Unfit) return { reason: error.message, doubtful: error.doubtful }
    throw error
  }
}

// ── where it is asked ──────────────────────────────────────────────────────────────────────────────────────────────────

/** One table, or two that are joined. */
interface Scope {
  left: Table
  right: Table | null
  on: Joining | null
}

function scopesOf(draft: Draft, tables: readonly Table[]): Scope[] {
  const named = filesOf(draft)
  const mentions = mentionsOf(draft)
  const alone = (table: Table): boolean => mentions.every((mention) => mention.some((at) => at.table === table))
  if (named.length <= 1) {
    const single = (named.length === 1 ? named : tables).filter(alone)
    if (single.length > 0) return single.map((left) => ({ left, right: null, on: null }))
  }
  if (named.length > 2) throw new Unfit('a question to more than two files at once')
  const front = frontOf(draft)
  const pairs = tables.flatMap((left) => tables.filter((right) => right !== left).map((right) => ({ left, right })))
  return pairs
    .filter(({ left, right }) => front.every((mention) => mention.some((at) => at.table === left)) && named.every((table) => table === left || table === right))
    .filter(({ left }) => front.length > 0 || named.length === 0 || named[0] === left)
    .filter(
      ({ left, right }) =>
        mentions.every((mention) => mention.some((at) => at.table === left || at.table === right)) && mentions.some((mention) => mention.every((at) => at.table !== left)),
    )
    .flatMap(({ left, right }): Scope[] => {
      const on = joiningOf(left, right)
      return on ? [{ left, right, on }] : []
    })
}

function filesOf({ core, parts }: Draft): Table[] {
  const ofCore = core.is === 'aggregates' ? core.aggregates.map(({ file }) => file) : core.is === 'columns' ? [] : [core.file]
  const ofBy = core.is === 'extreme' && !isColumn(core.by) ? [core.by.file] : []
  return [...new Set([...ofCore, ...ofBy, ...parts.flatMap((part) => (part.is === 'files' ? part.files : []))])].filter((table) => table !== undefined)
}

const isColumn = (by: OrderAsked['by']): by is ColumnNamed => Array.isArray(by)

/** Every column and value that is named. */
function mentionsOf({ core, parts }: Draft): readonly (readonly ColumnAt[])[] {
  return [...mentionsOfCore(core), ...parts.flatMap(mentionsOfPart)]
}

const mentionOf = ({ column }: AggregateAsked): (readonly ColumnAt[])[] => (column ? [column] : [])

function mentionsOfCore(core: Core): readonly (readonly ColumnAt[])[] {
  if (core.is === 'aggregates') return core.aggregates.flatMap(mentionOf)
  if (core.is === 'columns') return core.columns
  if (core.is === 'rows') return []
  return [...(core.of ? [core.of] : []), ...(isColumn(core.by) ? [core.by] : mentionOf(core.by))]
}

function mentionsOfPart(part: Draft['parts'][number]): readonly (readonly ColumnAt[])[] {
  if (part.is === 'group') return part.columns
  if (part.is === 'where') return part.conditions.map((condition) => condition.column ?? (condition.value.is === 'known' ? condition.value.values : []))
  if (part.is === 'order' && part.order.by !== 'result') return isColumn(part.order.by) ? [part.order.by] : mentionOf(part.order.by)
  return []
}

/** What is counted or measured: its rows are those that the answer is made of. */
function frontOf({ core }: Draft): readonly (readonly ColumnAt[])[] {
  if (core.is === 'aggregates') return core.aggregates.flatMap(mentionOf)
  if (core.is === 'extreme') return isColumn(core.by) ? [core.by] : mentionOf(core.by)
  return core.is === 'columns' ? core.columns.slice(0, 1) : []
}

// ── what is asked there ────────────────────────────────────────────────────────────────────────────────────────────────

interface Found {
  /** As the query calls it. */
  name: string
  column: Column
  table: Table
}

function queryIn(draft: Draft, scope: Scope): Assembled {
  const { core, parts } = draft
  const groupParts = parts.flatMap((part) => (part.is === 'group' ? [part.columns] : []))
  const orderParts = parts.flatMap((part) => (part.is === 'order' ? [part.order] : []))
  const limits = parts.flatMap((part) => (part.is === 'limit' ? [part.limit] : []))
  if (groupParts.length > 1 || orderParts.length > 1 || limits.length > 1) throw new Unfit('two groupings, orders or limits in one question')
  const where = conditionsIn(
    scope,
    parts.flatMap((part) => (part.is === 'where' ? part.conditions : [])),
  )
  const base: Query = {
    file: scope.left.name,
    ...(scope.right &&
      scope.on && {
        join: { file: scope.right.name, on: scope.on.left.name === scope.on.right.name ? scope.on.left.name : { left: scope.on.left.name, right: scope.on.right.name } },
      }),
    ...(where.length > 0 && { where }),
  }
  const groupBy = (groupParts[0] ?? []).map((named) => columnIn(scope, named).name)
  if (new Set(groupBy).size < groupBy.length) throw new Unfit('a grouping by the same column twice')
  const made = coreIn(core, scope, groupBy)
  const order = orderParts[0] ? orderIn(orderParts[0], made, scope) : undefined
  if (order && made.shape.is === 'extreme') throw new Unfit('two orders in one question')
  const orderBy = order ?? made.orderBy
  const limit = limits[0] ?? made.limit
  return {
    query: {
      ...base,
      ...(made.groupBy.length > 0 && { groupBy: made.groupBy }),
      ...(made.aggregate.length > 0 && { aggregate: made.aggregate }),
      ...(made.select && { select: made.select }),
      ...(orderBy && { orderBy: [orderBy] }),
      ...(limit !== undefined && { limit }),
    },
    shape: made.shape,
  }
}

interface Made {
  groupBy: string[]
  aggregate: Aggregate[]
  select?: string[]
  orderBy?: NonNullable<Query['orderBy']>[number]
  limit?: number
  shape: Shape
}

function coreIn(core: Core, scope: Scope, groupBy: string[]): Made {
  switch (core.is) {
    case 'aggregates': {
      const aggregate = core.aggregates.map((asked) => aggregateIn(asked, scope))
      const names = aggregate.map(nameOf)
      if (new Set(names).size < names.length) throw new Unfit('the same twice')
      if (names.some((name) => groupBy.includes(name))) throw new Unfit(`a column that is called as its answer: ${names.join(', ')}`)
      return { groupBy, aggregate, ...(groupBy.length > 0 && { limit: mostRows }), shape: { is: 'numbers' } }
    }
    case 'extreme':
      return extremeIn(core, scope, groupBy)
    case 'rows':
      if (groupBy.length > 0) throw new Unfit('rows in groups')
      return { groupBy, aggregate: [], ...(core.limit !== null && { limit: core.limit }), shape: { is: 'list' } }
    case 'columns': {
      const found = core.columns.map((named) => columnIn(scope, named))
      if (groupBy.length > 0) throw new Unfit('which number of each group is wanted: sum, mean, smallest, largest')
      const names = found.map(({ name }) => name)
      if (new Set(names).size < names.length) throw new Unfit('the same twice')
      // Of a list of names each is told once; numbers are told as they stand.
      const once = core.different || found.every(({ column }) => column.type === 'text')
      return once
        ? { groupBy: names, aggregate: [], limit: mostRows, shape: { is: 'list' } }
        : { groupBy: [], aggregate: [], select: names, limit: mostRows, shape: { is: 'list' } }
    }
  }
}

function extremeIn(core: Extract<Core, { is: 'extreme' }>, scope: Scope, groupBy: string[]): Made {
  if (groupBy.length > 0) throw new Unfit('the most of each group')
  const { descending } = core
  const limit = core.limit ?? mostAlike
  const of = core.of && columnIn(scope, core.of)
  if (!isColumn(core.by)) {
    if (!of) throw new Unfit('a row with a sum of rows')
    const aggregate = aggregateIn(core.by, scope)
    const by = nameOf(aggregate)
    if (by === of.name) throw new Unfit(`a column that is called as its answer: ${by}`)
    return {
      groupBy: [of.name],
      aggregate: [aggregate],
      orderBy: { column: by, ...(descending && { descending }) },
      limit,
      shape: { is: 'extreme', of: of.name, by, descending, limit: core.limit },
    }
  }
  const by = columnIn(scope, core.by)
  if (by.column.type === 'text' || by.column.type === 'boolean') throw new Unfit(`the most of ${by.name}, which holds no numbers`)
  if (of?.name === by.name) throw new Unfit('a column by itself')
  const [each, rows] = [of?.column.values?.length, of?.table.rows]
  if (of && core.limit !== null && (each === undefined || each !== rows))
    throw new Unfit(
      `whether the rows with the most ${by.name} are meant, or each ${of.name} with all of its rows: say "rows by ${by.name}" or "${of.name} by the sum of ${by.name}"`,
      true,
    )
  return {
    groupBy: [],
    aggregate: [],
    ...(of && { select: [of.name, by.name] }),
    orderBy: { column: by.name, ...(descending && { descending }) },
    limit,
    shape: { is: 'extreme', of: of?.name ?? null, by: by.name, descending, limit: core.limit },
  }
}

/** As the answer calls it. */
export const nameOf = ({ of, column }: Aggregate): string => (column === undefined ? of : `${of}_${column}`)

function aggregateIn({ of, column: named }: AggregateAsked, scope: Scope): Aggregate {
  if (!named) return { of }
  const { name, column, table } = columnIn(scope, named)
  if (table !== scope.left) throw new Unfit(`a ${of} of ${name}, whose rows would count more than once`)
  const takes = of === 'count' || of === 'distinct' || column.type === 'number' || (column.type === 'date' && (of === 'min' || of === 'max'))
  if (!takes) throw new Unfit(`the ${of} of ${name}, which holds no numbers`)
  return { of, column: name }
}

function orderIn({ by, descending }: OrderAsked, made: Made, scope: Scope): NonNullable<Query['orderBy']>[number] {
  const down = descending && { descending }
  if (by === 'result') {
    const [only, another] = made.aggregate
    if (!only || another) throw new Unfit('an order, but not by what')
    return { column: nameOf(only), ...down }
  }
  if (isColumn(by)) {
    const { name } = columnIn(scope, by)
    const answered = made.aggregate.length === 0 && made.groupBy.length === 0 ? null : made.groupBy
    const measured = made.aggregate.filter(({ column }) => column === name)
    if (!answered || answered.includes(name)) return { column: name, ...down }
    if (measured.length === 1) return { column: nameOf(measured[0]!), ...down }
    throw new Unfit(`an order by ${name}, which is not in the answer`)
  }
  const name = nameOf(aggregateIn(by, scope))
  if (!made.aggregate.some((one) => nameOf(one) === name)) throw new Unfit(`an order by ${name}, which is not in the answer`)
  return { column: name, ...down }
}

function columnIn(scope: Scope, named: readonly ColumnAt[]): Found {
  const ofLeft = named.filter(({ table }) => table === scope.left)
  const ofRight = named.filter(({ table }) => table === scope.right)
  // The key is one column.
  const other = ofRight.filter(({ column }) => column !== scope.on?.right)
  const keyed = ofRight.length > other.length && !ofLeft.some(({ column }) => column === scope.on?.left) ? [{ table: scope.left, column: scope.on!.left }] : []
  const all = [...ofLeft, ...keyed, ...other]
  const [only, second] = all
  if (!only) throw new Unfit('a column that the file does not have')
  if (second) throw new Unfit(`which column is meant: ${all.map(({ column, table }) => `${column.name} of ${table.name}`).join(' or ')}`, true)
  return { ...only, name: nameIn(scope, only) }
}

/** A column of the right whose name the left has is called after its file. */
const nameIn = ({ left, right }: Scope, { table, column }: ColumnAt): string =>
  table === right && left.columns.some(({ name }) => name === column.name) ? `${stemOfFile(table.name)}.${column.name}` : column.name

// ── conditions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function conditionsIn(scope: Scope, asked: readonly ConditionAsked[]): Condition[] {
  const all = asked.map((condition) => conditionIn(scope, condition))
  const equal = all.filter(({ is }) => is === '=').map(({ column }) => column)
  if (new Set(equal).size < equal.length) throw new Unfit('a column with two values at once')
  return all
}

function conditionIn(scope: Scope, { column: named, is, value }: ConditionAsked): Condition {
  if (value.is === 'known') {
    const here = value.values.filter(
      ({ table, column }) => (table === scope.left || table === scope.right) && (named === null || named.some((one) => one.table === table && one.column === column)),
    )
    const columns = new Map(here.map((one) => [columnIn(scope, [one]).name, one]))
    if (columns.size > 1) throw new Unfit(`which column has to be ${here[0]!.value}: ${[...columns.keys()].join(' or ')}`, true)
    const [[name, one] = []] = columns
    if (!name || !one) throw new Unfit('a value that the file does not have')
    const values = new Set(here.map((each) => each.value))
    if (values.size > 1) throw new Unfit(`which value is meant: ${[...values].join(' or ')}`, true)
    if (is !== '=' && is !== '!=' && is !== 'contains') throw new Unfit(`whether ${name} is more or less than a text`)
    return { column: name, is, value: one.value }
  }
  const found = columnIn(scope, named ?? [])
  return { column: found.name, is, value: valueIn(found, is, value) }
}

function valueIn({ name, column }: Found, is: Condition['is'], value: Exclude<ConditionAsked['value'], { is: 'known' }>): Condition['value'] {
  const wrong = (): Unfit => new Unfit(`whether ${name}, which holds ${nouns[column.type]}, ${is} ${value.raw}`)
  if (value.is === 'text' && value.raw === '') return ''
  if (is === 'contains' && column.type !== 'text') throw wrong()
  switch (column.type) {
    case 'number': {
      const number = value.is === 'number' ? value.value : value.is === 'text' && /^-?\d{1,15}(\.\d{1,15})?$/.test(value.raw) ? Number(value.raw) : null
      if (number === null) throw wrong()
      return number
    }
    case 'date':
      if (!/^\d{4}(-\d\d(-\d\d)?)?$/.test(value.raw)) throw wrong()
      return value.raw
    case 'boolean': {
      const said = { true: true, yes: true, false: false, no: false }[value.raw.toLowerCase()]
      if (said === undefined || (is !== '=' && is !== '!=')) throw wrong()
      return said
    }
    case 'text':
      if (is !== '=' && is !== '!=' && is !== 'contains') throw wrong()
      return value.raw
  }
}

const nouns: Record<Column['type'], string> = { number: 'numbers', text: 'texts', date: 'dates', boolean: 'true or false' }

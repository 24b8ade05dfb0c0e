import { type Collection, instants } from '@sluice/schema'
import { endsOpen, foldAscii } from '../conditions/pattern.ts'
import type { Bind } from '../conditions/sql.ts'
import { firstAfter, firstFrom, instantText } from './instants.ts'
import { type Checked, type Compared, isMany, type Join, type Operand, type Order, patternOf, type Shift, stepsOf } from './query.ts'
import { type Column, goneRows, indexedSql, tableOf } from './tables.ts'

/** A row of the statement: what it is called, and of which collection. */
export interface Row {
  name: string
  collection: Collection
}

export interface Statement {
  bind: Bind
  /** What stands for the workspace. */
  workspace: string
  /** A name that no other row has. */
  name(): string
  /** The transaction that has deleted the record that is asked about, null where none has. What it referred to and went with it, or since, counts as there. */
  deletedBy?: string
}

/** The records of a collection in the workspace, as a source of rows. */
export function sourceOf(collection: Collection, row: string, statement: Statement): string {
  return `${tableOf(collection).rows(statement.bind)} ${row}`
}

type Places = ReadonlyMap<Join, string>

/** The condition about a row, as an expression. What leads elsewhere is asked about in a subquery, and what does not beside it: an index may serve. */
export function whereSql(checked: Checked, root: Row, statement: Statement): string {
  const [beside, elsewhere] = [[], []] as [Checked[], Checked[]]
  for (const each of conjuncts(checked)) (operandsOf(each).some((operand) => stepsOf(operand).length > 0) ? elsewhere : beside).push(each)
  const here = conditionSql({ is: 'and', of: beside }, root, new Map(), statement)
  if (elsewhere.length === 0) return here
  const there = rowsSql({ is: 'and', of: elsewhere }, root, statement)
  return beside.length === 0 ? there : `(${here} and ${there})`
}

const conjuncts = (checked: Checked): readonly Checked[] => (checked.is === 'and' ? checked.of.flatMap(conjuncts) : [checked])

function rowsSql(checked: Checked, root: Row, statement: Statement): string {
  const operands = operandsOf(checked)
  const joined = joinAll(operands, root, statement)
  return `exists (select from (values (1)) one ${joined.from} where ${conditionSql(checked, root, joined.places, statement)})`
}

function operandsOf(checked: Checked): Operand[] {
  return checked.is === 'compare' ? [checked.left, checked.right] : checked.of.flatMap(operandsOf)
}

function joinAll(operands: readonly Operand[], root: Row, statement: Statement): { from: string; places: Map<Join, string> } {
  const places = new Map<Join, string>()
  let from = ''
  for (const join of operands.flatMap(stepsOf)) {
    if (places.has(join)) continue
    const name = statement.name()
    places.set(join, name)
    from += ` left join lateral ${stepSql(join, name, rowOf(join.from, root, places), statement)} on true`
  }
  return { from, places }
}

const rowOf = (join: Join | null, root: Row, places: Places): Row => (join ? { name: places.get(join)!, collection: join.collection } : root)

function stepSql(join: Join, name: string, from: Row, statement: Statement): string {
  const { bind } = statement
  if (join.by === 'each') return `unnest(${itemsSql(from, join.field.name, bind)}) ${name} (item)`
  const row: Row = { name: statement.name(), collection: join.collection }
  const rule = join.rule ? ` and ${whereSql(join.rule, row, statement)}` : ''
  const source = `select ${row.name}.* from ${sourceOf(join.collection, row.name, statement)} where ${row.name}.workspace_id = ${statement.workspace} and ${leads(join, from, row, statement)}${rule}`
  const gone = goneSql(join, from, row, statement)
  return `(${source}${gone === null ? '' : ` union all select ${row.name}.* from ${gone} where true${rule}`}) ${name}`
}

/** Null: what a step leads to is not looked for among what has gone. */
function goneSql({ by, field, collection }: Join, from: Row, to: Row, { bind, workspace, deletedBy }: Statement): string | null {
  if (deletedBy === undefined || collection.system || (by !== 'field' && by !== 'items')) return null
  const ids = by === 'items' ? itemsSql(from, field.name, bind) : `array[${columnOf(from.collection, field.name).sql(from.name, bind)}]`
  return `${goneRows(collection, { ids, workspace, since: deletedBy }, bind)} ${to.name}`
}

/** That a row is where the step leads. */
function leads({ by, field, collection }: Join, from: Row, to: Row, { bind, workspace }: Statement): string {
  if (by === 'all') return 'true'
  if (by === 'field') return `${to.name}.id = ${columnOf(from.collection, field.name).sql(from.name, bind)}`
  if (by === 'items') return `${to.name}.id = any(${itemsSql(from, field.name, bind)})`
  if (collection.system) {
    return `${indexedSql(columnOf(collection, field.name), to.name, bind)} = ${from.name}.id`
  }
  return `${to.name}.id in (select l.id from record_links l where l.workspace_id = ${workspace} and l.collection = ${bind(collection.id)}::text and l.field = ${bind(field.name)}::text and l.target = ${from.name}.id)`
}

const columnOf = (collection: Collection, name: string): Column => tableOf(collection).fields.get(name)!

const itemsSql = (row: Row, field: string, bind: Bind): string => `array(select jsonb_array_elements_text(${columnOf(row.collection, field).sql(row.name, bind)}))`

function conditionSql(checked: Checked, root: Row, places: Places, statement: Statement): string {
  if (checked.is !== 'compare') {
    if (checked.of.length === 0) return checked.is === 'and' ? 'true' : 'false'
    return `(${checked.of.map((each) => conditionSql(each, root, places, statement)).join(` ${checked.is} `)})`
  }
  const some = comparedSql(checked, root, places, statement)
  const operands = [checked.left, checked.right]
  if (checked.any || !operands.flatMap(stepsOf).some(isMany)) return some
  const others = joinAll(operands, root, statement)
  return `(${some} and not exists (select from (values (1)) one ${others.from} where (${comparedSql(checked, root, others.places, statement)}) is not true))`
}

// ── values ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** An expression for a value that is a number, and one for a value that is a text. Where both are null there is nothing. */
interface Value {
  number?: string
  text?: string
  /** Which of the two a value of no type of its own is taken for beside it. */
  affinity: 'text' | 'number' | 'none'
  json: boolean
  literal?: Extract<Operand, { is: 'value' }>
}

function comparedSql(compared: Compared, root: Row, places: Places, statement: Statement): string {
  const { left, right, operator } = compared
  const quick = byColumn(compared, root, places, statement)
  if (quick !== null) return quick
  const a = valueSql(left, root, places, statement)
  const b = valueSql(right, root, places, statement)
  if (operator === '~' || operator === '!~') return likeSql(a, b, operator, statement)
  const [x, y] = typed(a, b, statement)
  if (operator === '=') return equalSql(x, y)
  if (operator === '!=') return `(${equalSql(x, y)}) is not true`
  return orderedSql(x, y, operator)
}

const turned = { '=': '=', '!=': '!=', '>': '<', '>=': '<=', '<': '>', '<=': '>=' } as const

/** A column as it stands against what is known: an index may serve. */
function byColumn({ left, right, operator }: Compared, root: Row, places: Places, statement: Statement): string | null {
  if (operator === '~' || operator === '!~') return null
  if (left.is === 'value') return right.is === 'field' ? columnSql(right, turned[operator], left, root, places, statement) : null
  return left.is === 'field' && right.is === 'value' ? columnSql(left, operator, right, root, places, statement) : null
}

type Plain = Exclude<Compared['operator'], '~' | '!~'>

function columnSql(at: Extract<Operand, { is: 'field' }>, operator: Plain, to: Extract<Operand, { is: 'value' }>, root: Row, places: Places, { bind }: Statement): string | null {
  if (at.path.length > 0 || at.modifier || to.json) return null
  const column = columnOf(at.collection, at.field.name)
  const row = rowOf(at.at, root, places).name
  if (column.kind === 'text' && operator === '=' && to.text !== '') return column.is?.(row, to.text, bind) ?? `${indexedSql(column, row, bind)} = ${bind(to.text)}::text`
  if (column.kind !== 'date' || to.value === null) return null
  const sql = `(${column.sql(row, bind)})`
  const present = at.at ? `${row}.id is not null and ` : ''
  const found = instantSql(sql, operator, to.text, bind, at.field.type !== 'autodate')
  // Nothing is empty, and comes neither before nor after.
  return `(${operator === '=' || operator === '!=' ? '' : present}${found})`
}

/** Instants compare as texts do: a text parts them at one instant. Nothing is the empty text. */
function instantSql(sql: string, operator: Plain, text: string, bind: Bind, isNullable: boolean): string {
  if (operator === '=' || operator === '!=') {
    const at = firstFrom(text)
    const equal = text === '' ? `${sql} is null` : at !== null && instantText(at) === text ? `${sql} = ${bind(new Date(at).toISOString())}::timestamptz` : 'false'
    return operator === '=' ? equal : `(${equal}) is not true`
  }
  const at = operator === '>=' || operator === '<' ? firstFrom(text) : firstAfter(text)
  const threshold = at === null ? `'infinity'::timestamptz` : `${bind(new Date(at).toISOString())}::timestamptz`
  if (operator === '>' || operator === '>=') return operator === '>=' && text === '' ? 'true' : `${sql} >= ${threshold}`
  return text === '' && operator === '<' ? 'false' : isNullable ? `(${sql} < ${threshold} or ${sql} is null)` : `${sql} < ${threshold}`
}

function valueSql(operand: Operand, root: Row, places: Places, statement: Statement): Value {
  const { bind } = statement
  switch (operand.is) {
    case 'value':
      return literalSql(operand, bind)
    case 'item':
      return { text: operand.lower ? `lower(${places.get(operand.at)!}.item collate "C")` : `${places.get(operand.at)!}.item`, affinity: 'none', json: false }
    case 'distance':
      return { number: distanceSql(operand.of.map((each) => valueSql(each, root, places, statement).number ?? 'null::float8')), affinity: 'none', json: true }
    case 'time':
      return { text: timeSql(operand, root, places, statement), affinity: 'none', json: false }
    case 'field':
      return fieldSql(operand, root, places, statement)
  }
}

function literalSql(operand: Extract<Operand, { is: 'value' }>, bind: Bind): Value {
  const { value, json } = operand
  if (value === null) return { affinity: 'none', json, literal: operand }
  return typeof value === 'number'
    ? { number: `${bind(value)}::float8`, affinity: 'none', json, literal: operand }
    : { text: `${bind(value)}::text`, affinity: 'none', json, literal: operand }
}

function fieldSql(operand: Extract<Operand, { is: 'field' }>, root: Row, places: Places, statement: Statement): Value {
  const { at, collection, field, path, modifier } = operand
  const { bind } = statement
  const row = rowOf(at, root, places).name
  const column = columnOf(collection, field.name)
  const sql = column.sql(row, bind)
  const there = (each: string): string => (at ? `(case when ${row}.id is not null then ${each} end)` : `(${each})`)
  if (modifier === 'length') return { number: there(`jsonb_array_length(${sql})::float8`), affinity: 'none', json: false }
  if (column.kind === 'json') return jsonSql(path.length === 0 ? sql : `((${sql}) #> ${bind(path)}::text[])`, collection.system ? 'json' : 'jsonb', modifier === 'lower')
  const value = plainSql(column.kind, sql, there)
  return modifier === 'lower' && value.text ? { ...value, text: `lower(${value.text} collate "C")`, affinity: 'none' } : value
}

function plainSql(kind: Column['kind'], sql: string, there: (each: string) => string): Value {
  if (kind === 'number') return { number: there(sql), affinity: 'number', json: false }
  if (kind === 'bool') return { number: there(`case when ${sql} then 1 else 0 end::float8`), affinity: 'number', json: false }
  if (kind === 'date') return { text: there(`coalesce(to_char((${sql}) at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS"Z"'), '')`), affinity: 'text', json: false }
  return { text: there(kind === 'several' ? compact(sql) : sql), affinity: 'text', json: false }
}

/** As JSON is written without blanks; those within texts stay. */
const compact = (sql: string): string => `regexp_replace((${sql})::text, '("(?:[^"\\\\]|\\\\.)*")|([,:]) ', '\\1\\2', 'g')`

function jsonSql(sql: string, type: 'json' | 'jsonb', lower: boolean): Value {
  const value = `(${sql})`
  const written = type === 'json' ? `${value}::text` : compact(value)
  const text = `(case ${type}_typeof(${value}) when 'string' then ${value} #>> '{}' when 'object' then ${written} when 'array' then ${written} end)`
  const number = `(case ${type}_typeof(${value}) when 'number' then (${value} #>> '{}')::float8 when 'boolean' then (case when ${value} #>> '{}' = 'true' then 1 else 0 end)::float8 end)`
  if (!lower) return { text, number, affinity: 'none', json: true }
  return { text: `lower(coalesce(${text}, ${number}::text) collate "C")`, affinity: 'none', json: true }
}

// ── comparing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const isNumeric = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/

/** A value without a type takes that of a column beside it. */
function typed(a: Value, b: Value, statement: Statement): [Value, Value] {
  return [beside(a, b, statement), beside(b, a, statement)]
}

function beside(value: Value, other: Value, { bind }: Statement): Value {
  if (value.affinity !== 'none' || other.affinity === 'none') return value
  const { literal } = value
  if (literal) {
    if (other.affinity === 'text' && typeof literal.value === 'number') return { affinity: 'none', json: value.json, literal, text: `${bind(literal.text)}::text` }
    if (other.affinity === 'number' && typeof literal.value === 'string' && isNumeric.test(literal.value))
      return { affinity: 'none', json: value.json, literal, number: `${bind(Number(literal.value))}::float8` }
    return value
  }
  if (other.affinity === 'text' && value.number) return { affinity: 'none', json: value.json, text: textOf(value) }
  if (other.affinity === 'number' && value.text) {
    // Of no more digits than a number has room for: what is beyond is an error to PostgreSQL.
    const looks = `${value.text} ~ '^\\s*[+-]?(\\d{1,200}[.]?\\d{0,200}|[.]\\d{1,200})([eE][+-]?\\d{1,2})?\\s*$'`
    const read = `case when ${looks} then (${value.text})::float8 end`
    return {
      affinity: 'none',
      json: value.json,
      number: value.number ? `coalesce(${value.number}, ${read})` : `(${read})`,
      text: `(case when not (${looks}) then ${value.text} end)`,
    }
  }
  return value
}

function textOf({ number, text }: Value): string {
  if (number === undefined) return text ?? 'null::text'
  return text === undefined ? `(${number})::text` : `coalesce(${text}, (${number})::text)`
}

const isEmptyLiteral = ({ literal }: Value): boolean => literal !== undefined && (literal.value === null || literal.value === '')

/** Never unknown where nothing is taken for the empty text, and nowhere in JSON. */
function equalSql(a: Value, b: Value): string {
  if (a.json || b.json) return sameSql(a, b)
  if (isEmptyLiteral(a)) return isEmptyLiteral(b) ? 'true' : emptySql(b)
  if (isEmptyLiteral(b)) return emptySql(a)
  if (a.literal || b.literal) return anyOf([a.number && b.number && `${a.number} = ${b.number}`, a.text && b.text && `${a.text} = ${b.text}`])
  return `(${sameSql(a, b)} or (${emptySql(a)} and ${emptySql(b)}))`
}

function emptySql({ number, text }: Value): string {
  return [number && `${number} is null`, text && `coalesce(${text}, '') = ''`].filter(Boolean).join(' and ') || 'true'
}

const nothingSql = ({ number, text }: Value): string => [number && `${number} is null`, text && `${text} is null`].filter(Boolean).join(' and ') || 'true'

function sameSql(a: Value, b: Value): string {
  return anyOf([a.number && b.number && `${a.number} = ${b.number}`, a.text && b.text && `${a.text} = ${b.text}`, `(${nothingSql(a)} and ${nothingSql(b)})`])
}

/** Numbers come before texts. */
function orderedSql(a: Value, b: Value, operator: '>' | '>=' | '<' | '<='): string {
  const [low, high] = operator.startsWith('<') ? [a, b] : [b, a]
  return anyOf([
    a.number && b.number && `${a.number} ${operator} ${b.number}`,
    a.text && b.text && `${a.text} collate "C" ${operator} ${b.text}`,
    low.number && high.text && `(${low.number} is not null and ${high.text} is not null)`,
  ])
}

const anyOf = (ways: readonly (string | undefined)[]): string => {
  const found = ways.filter((way) => way !== undefined && way !== '')
  return found.length === 0 ? 'false' : `(${found.join(' or ')})`
}

function likeSql(a: Value, b: Value, operator: '~' | '!~', { bind }: Statement): string {
  const pattern = patternSql(b, bind)
  if (pattern === null) return operator === '~' ? 'false' : `${textOf(a)} is not null`
  return `lower(${textOf(a)} collate "C") ${operator === '~' ? '' : 'not '}like ${pattern} escape '\\'`
}

/** Null: nothing fits. */
function patternSql(b: Value, bind: Bind): string | null {
  if (!b.literal) return `lower('%' || ${textOf(b)} || '%' collate "C")`
  if (b.literal.value === null) return 'null::text'
  const pattern = patternOf(b.literal.text)
  return endsOpen(pattern) ? null : `${bind(foldAscii(pattern))}::text`
}

// ── functions ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function distanceSql([lonA, latA, lonB, latB]: readonly string[]): string {
  const cosine = `cos(radians(${latA})) * cos(radians(${latB})) * cos(radians(${lonB}) - radians(${lonA})) + sin(radians(${latA})) * sin(radians(${latB}))`
  // "least" and "greatest" pass over what is null, and from no place to nowhere is no distance.
  return `(select 6371 * acos(case when c.cosine > 1 then 1 when c.cosine < -1 then -1 else c.cosine end) from (select ${cosine} as cosine offset 0) c)`
}

const signs: Readonly<Record<string, string>> = { Y: 'YYYY', m: 'MM', d: 'DD', H: 'HH24', M: 'MI', S: 'SS', f: 'SS.MS', j: 'DDD', F: 'YYYY-MM-DD', T: 'HH24:MI:SS', R: 'HH24:MI' }

function timeSql({ format, of, shifts }: Extract<Operand, { is: 'time' }>, root: Row, places: Places, { bind }: Statement): string {
  const row = rowOf(of.at, root, places).name
  const at = shifts.reduce((sql, shift) => shifted(sql, shift, bind), `((${columnOf(of.collection, of.field.name).sql(row, bind)}) at time zone 'UTC')`)
  const parts = format.match(/%[\s\S]|[^%]+/g) ?? []
  return `coalesce(${parts.map((part) => partSql(part, at, bind)).join(' || ') || `''`}, '')`
}

function shifted(sql: string, shift: Shift, bind: Bind): string {
  if (shift.is === 'start') return `date_trunc('${shift.of}', ${sql})`
  const ms = shift.seconds * 1_000
  const [from, to] = [Math.max(instants.first, instants.first - ms), Math.min(instants.last, instants.last - ms)]
  if (from > to) return 'null::timestamp'
  const bound = (at: number): string => `${bind(new Date(at).toISOString().slice(0, -1))}::timestamp`
  // "offset 0" keeps what is shifted from being written out twice, and that twice, for eight shifts.
  return `(select case when s.at between ${bound(from)} and ${bound(to)} then s.at + ${bind(shift.seconds)}::float8 * interval '1 second' end from (select ${sql} as at offset 0) s)`
}

function partSql(part: string, at: string, bind: Bind): string {
  const sign = part[1] ?? ''
  if (!part.startsWith('%')) return `${bind(part)}::text`
  if (sign === '%') return `'%'`
  if (sign === 'w') return `extract(dow from ${at})::text`
  if (sign === 's') return `floor(extract(epoch from ${at}))::bigint::text`
  return `to_char(${at}, '${signs[sign]!}')`
}

// ── order ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Ties are in the order of ids, in the direction of the last term: a page never depends on the plan. */
export function orderSql(order: Order, root: Row, statement: Statement): string {
  const keys = order.map((key) => (key.is === 'random' ? 'random()' : keySql(key.operand, key.descending, root, statement)))
  const last = order.findLast((key) => key.is === 'operand')
  return [...keys, `${root.name}.id${last?.is === 'operand' && last.descending ? ' desc' : ''}`].join()
}

function keySql(operand: Operand, descending: boolean, root: Row, statement: Statement): string {
  const { bind } = statement
  const way = descending ? ' desc' : ''
  if (operand.is === 'field' && !operand.at && operand.path.length === 0 && !operand.modifier) {
    const column = columnOf(operand.collection, operand.field.name)
    if (column.order) return `${column.order(root.name)}${way}`
    // What is always there has an index without a place for nulls.
    if (column.kind === 'date') return `${column.sql(root.name, bind)}${way}${operand.field.type === 'autodate' ? '' : descending ? ' nulls last' : ' nulls first'}`
  }
  const joined = joinAll([operand], root, statement)
  const value = valueSql(operand, root, joined.places, statement)
  const within = (sql: string): string => (joined.from === '' ? sql : `(select ${sql} from (values (1)) one ${joined.from} order by 1 limit 1)`)
  const nulls = descending ? ' nulls last' : ' nulls first'
  const keys = [value.number && `${within(value.number)}${way}${nulls}`, value.text && `${within(value.text)} collate "C"${way}${nulls}`].filter((key) => key !== undefined)
  // Nothing, numbers, texts.
  return value.number && value.text
    ? [`${within(`case when ${value.text} is not null then 2 when ${value.number} is not null then 1 else 0 end`)}${way}`, ...keys].join()
    : keys.join()
}

import type { z } from 'zod'
import { actionOf, callCore, type Dialect, type DialectRow, isGuarded, Other, type Said } from '../dialects/dialect.ts'
import { WireFault, type WireIssue } from '../rpc/faults.ts'
import { valuesOf } from './any-body.ts'
import type { Wire } from './ask.ts'
import { coerce, fieldsOf, unwrap } from './coerce.ts'
import { type Face, faceOf } from './face.ts'
import { headerTexts } from './header-texts.ts'
import { checkText } from './json.ts'
import { coerceNested, nestedQuery } from './nested-query.ts'
import { type Answer, answerOf, permitOf, type ReplyRow } from './rows.ts'

/** The rows of a dialect, below each of its mounts. */
export function rowsOfDialect(dialect: Dialect): ReplyRow[] {
  const face = faceOf(dialect)
  return dialect.mounts.flatMap((mount) => dialect.rows.map((row) => replyRow(row, mount, dialect, face)))
}

function replyRow(row: DialectRow, mount: string, dialect: Dialect, face: Face): ReplyRow {
  const { method, path, takes, gives = 'json', status = 200 } = row
  const loose = dialect.bodies === 'loose' && !takes && !row.takesAny
  const said = (wire: Wire): Said => read(row, loose ? { ...wire, body: wire.body ?? {} } : wire, dialect.query)
  const action = actionOf(row)
  const answered = (value: unknown): Answer => (value instanceof Other ? { status: value.status, body: value.body } : answerOf(status, value))
  return {
    is: 'reply',
    name: `dialects.${dialect.name}.${row.name}`,
    method,
    path: `${mount}${path}`,
    face,
    status,
    open: action === 'public',
    takes: takes ? [takes] : [],
    takesAny: row.takesAny ?? false,
    loose,
    room: row.room ?? 1,
    counted: row.counted ?? null,
    guarded: isGuarded(row),
    gives,
    permit: permitOf(action),
    ask: row.takesAny ? (wire) => readAny(row, wire, dialect.query) : said,
    call: (context, said, signal) => callCore(row, context, said as Said, signal),
    answer(value, setting, said) {
      const answer: Answer = { ...answered(row.answer(value, setting, said as Said)), ...(row.heads && { headers: row.heads(value) }) }
      return row.keeps && dialect.cookie !== undefined ? { ...answer, cookie: { name: dialect.cookie, kept: row.keeps(value) } } : answer
    },
    rescue(problem, setting, said) {
      const value = row.onFault(problem, setting, said as Said)
      return value === undefined ? undefined : answered(value)
    },
    ...(row.tells && { tells: told(row.tells) }),
  }
}

const told = ({ when, telling }: NonNullable<DialectRow['tells']>): NonNullable<ReplyRow['tells']> => ({
  when: (said) => when(said as Said),
  telling: (begun, setting, said) => telling(begun, setting, said as Said),
})

/** The same of a row that takes any body, and is told how it came. */
function readAny(row: DialectRow, wire: Wire, query: Dialect['query']): Said {
  const said = read(row, { ...wire, body: wire.body ?? null }, query)
  return { ...said, request: { method: row.method, headers: headerTexts(wire.headers), query: valuesOf(wire.query) } }
}

/** What came, as the schemas have it. Throws a `WireFault` that tells all that is wrong. */
export function read({ schemas }: { schemas: Omit<DialectRow['schemas'], 'reply' | 'body'> & { body?: z.ZodType | null } }, wire: Wire, keys: Dialect['query'] = 'flat'): Said {
  const issues: WireIssue[] = []
  const parse = (where: WireIssue['in'], schema: z.ZodType, value: unknown): unknown => {
    const { success, data, error } = schema.safeParse(value, { reportInput: true })
    if (!success) issues.push(...error.issues.map((issue) => ({ in: where, issue, whole: value })))
    return data
  }
  const path = parse('path', schemas.path, texts(schemas.path, new Map([...wire.path].map(([key, value]) => [key, [value]]))))
  const query = parse('query', schemas.query, keys === 'nested' ? coerceNested(schemas.query, nestedQuery(wire.query)) : texts(schemas.query, wire.query))
  const headers = schemas.headers && parse('headers', schemas.headers, sentAs(schemas.headers, wire.headers))
  const body = schemas.body ? parse('body', schemas.body, bodyOf(schemas.body, wire)) : undefined
  if (issues.length > 0) throw new WireFault(issues)
  return { path, query, body, ...(headers !== undefined && { headers }) }
}

/** The headers that are asked for. Throws `input_invalid` for one that is no text of ours. */
function sentAs(schema: z.ZodObject, headers: Wire['headers']): Record<string, string> {
  const sent = headerTexts(headers)
  return Object.fromEntries(
    Object.keys(schema.shape).flatMap((name): [string, string][] => {
      const text = sent[name]
      if (text === undefined) return []
      checkText(text)
      return [[name, text]]
    }),
  )
}

/** By the schemas of their fields; what no field is named after is dropped. Of a key that came twice where one is expected the last counts, as most servers have it. */
function texts(schema: z.ZodType, values: ReadonlyMap<string, readonly string[]>): Record<string, unknown> {
  const fields = fieldsOf(schema) ?? {}
  return Object.fromEntries(
    Object.entries(fields).flatMap(([key, field]): [string, unknown][] => {
      const given = values.get(key)
      return given ? [[key, coerce(field, isList(field) ? given : given.slice(-1))]] : []
    }),
  )
}

const isList = (field: z.core.$ZodType): boolean => unwrap(field)?._zod.def.type === 'array'

function bodyOf(schema: z.ZodType, { form, body }: Wire): unknown {
  return form ? { ...texts(schema, form.fields), ...Object.fromEntries(form.files) } : body
}

import { assemble } from './assemble.ts'
import type { Shape } from './assemble.ts'
import { draftsOf } from './sentence.ts'
import type { Query, Table } from './table.ts'

/** What a sentence asks of tables. PURE. */
export type TableQuestion =
  | { query: Query; shape: Shape }
  /** It is about them as far as can be seen, but no rule covers it: why. */
  | { reason: string }

/** Readings that strain a sentence alike are as good as each other. */
const alike = 0.004

/** A request is looked at in parts and as a whole, and again when it is told: of the same tables a sentence is read once. */
const before = new WeakMap<readonly Table[], Map<string, TableQuestion>>()
const mostKept = 300

export function tableQuestion(sentence: string, tables: readonly Table[]): TableQuestion {
  const known = before.get(tables) ?? new Map<string, TableQuestion>()
  before.set(tables, known)
  const answer = known.get(sentence) ?? read(sentence, tables)
  if (known.size < mostKept) known.set(sentence, answer)
  return answer
}

function read(sentence: string, tables: readonly Table[]): TableQuestion {
  const { reads, unread } = draftsOf(sentence, tables)
  if (reads.length === 0) return { reason: unread === '' ? 'it is no question that they cover' : `it does not know what to do with “${unread}”` }
  let first: { cost: number; made: { query: Query; shape: Shape }; key: string } | null = null
  let refusal: string | null = null
  for (const { value, cost } of reads) {
    if (first && cost > first.cost + alike) break
    const made = assemble(value, tables)
    if ('reason' in made) {
      refusal ??= made.reason
      if (made.doubtful && !first) return { reason: `it does not say ${made.reason}` }
      continue
    }
    const key = JSON.stringify([made.query, made.shape])
    if (first && first.key !== key) return { reason: 'it can mean more than one thing: put names of columns and values in quotation marks' }
    first = { cost, made, key }
  }
  return first ? first.made : { reason: `they do not cover ${refusal ?? 'it'}` }
}

import { aggregates } from './aggregates.ts'
import { conditions } from './conditions.ts'
import type { Core, Draft, Part } from './draft.ts'
import { groups } from './groups.ts'
import { languageOf } from './language.ts'
import { lists } from './lists.ts'
import { namesIn } from './names.ts'
import { extreme, limit, order } from './orders.ts'
import { after, before, both, listOf, many, map, maybe, oneOf, TooMuch } from './parsing.ts'
import type { Read, Rule } from './parsing.ts'
import type { Table } from './table.ts'
import { tokensIn } from './tokens.ts'

/** Longer ones are a text, and no question. */
const mostTokens = 80

/**
 * Every way in which a whole sentence can be read as a question to the tables, the least strained first. PURE. A word that no rule
 * knows is a sentence that cannot be read: `unread` is where that begins.
 */
export function draftsOf(sentence: string, tables: readonly Table[]): { reads: Read<Draft>[]; unread: string } {
  const tokens = tokensIn(sentence)
  if (tokens.length === 0 || tokens.length > mostTokens || tables.length === 0) return { reads: [], unread: '' }
  const language = languageOf(tokens, namesIn(tokens, tables))
  try {
    const reads = whole(language)(0)
    const rest = tokens.slice(language.effort.furthest)
    return {
      reads: reads.toSorted((a, b) => a.cost - b.cost),
      unread: rest
        .slice(0, 6)
        .map(({ raw }) => raw)
        .join(' '),
    }
  } catch (error) {
    if (error instanceof TooMuch) return { reads: [], unread: '' }
    throw error
  }
}

function whole(language: ReturnType<typeof languageOf>): Rule<Draft> {
  const { says, comma, end } = language
  const lead = many(
    says(
      'please',
      'and',
      'now',
      'next',
      'then',
      'also',
      'finally',
      'can you',
      'could you',
      'compute',
      'calculate',
      'determine',
      'find',
      'find out',
      'show',
      'show me',
      'give me',
      'tell me',
      'get',
      'report',
      'work out',
      'what is',
      'what are',
      'what was',
      'what were',
      'what s',
      'i want to know',
      'i want',
      'i need',
      'i would like to know',
    ),
  )
  const group = groups(language)
  const listing = map(lists(language), ({ core, part }) => ({ core, parts: [part] }))
  const cores: Rule<{ core: Core; parts: Part[] }> = oneOf(
    map(after(lead, aggregates(language).list), (all) => ({ core: { is: 'aggregates', aggregates: all }, parts: [] })),
    map(after(lead, extreme(language)), (core) => ({ core, parts: [] })),
    after(many(says('please', 'and', 'now', 'next', 'then', 'also', 'finally', 'can you', 'could you')), listing),
  )
  const clause = clauses(language)
  const leading = maybe(before(group, maybe(comma)))
  return map(before(both(leading, both(cores, many(after(maybe(comma), clause)))), end), ([first, [{ core, parts }, rest]]) => ({
    core,
    parts: [...(first ? [first] : []), ...parts, ...rest],
  }))
}

function clauses(language: ReturnType<typeof languageOf>): Rule<Part> {
  const { says, the, names, remember } = language
  const inFile = map(
    after(
      says('in', 'of', 'from', 'for', 'using', 'within', 'out of', 'there are in', 'are there in', 'are in'),
      listOf(after(the, after(maybe(says('file', 'table', 'sheet')), before(names.file, maybe(says('file', 'table', 'sheet'))))), says('and', 'and also', '&')),
    ),
    (files): Part => ({ is: 'files', files }),
  )
  const empty = map(
    oneOf(
      says('please', 'are there', 'is there', 'there are', 'do we have', 'are in it', 'does it have', 'thanks', 'are there in total', 'in total', 'altogether', 'overall'),
      says(
        'in the file',
        'in the data',
        'in the table',
        'in this file',
        'in this table',
        'in this data',
        'of the file',
        'of the table',
        'from the file',
        'from the table',
        'of the data',
      ),
    ),
    (): Part => ({ is: 'nothing' }),
  )
  return remember(oneOf(groups(language), conditions(language).clause, order(language), limit(language), inFile, empty))
}

import { rowNoun } from './aggregates.ts'
import { conditions } from './conditions.ts'
import type { Core, Part } from './draft.ts'
import type { Language } from './language.ts'
import { after, both, listOf, map, maybe, oneOf, pick, strained } from './parsing.ts'
import type { Rule } from './parsing.ts'

/** What asks for rows as they are, and conditions that stand in front of their noun. */
export interface Listing {
  core: Core
  part: Part
}

/** `list the rows`, `show the customers`, `the first 5 rows`: after a verb that asks for them. */
export function lists(language: Language): Rule<Listing> {
  const { says, the, column, and, token, remember } = language
  const { aboutRows } = conditions(language)
  const verb = says('list', 'list me', 'show', 'show me', 'give me', 'display', 'print', 'which', 'which are', 'what are', 'get', 'find', 'what is', 'select')
  const rows = map(aboutRows, ({ file, conditions: all }): Listing => ({
    core: { is: 'rows', limit: null, ...(file && { file }) },
    part: all.length > 0 ? { is: 'where', conditions: all } : { is: 'nothing' },
  }))
  const columns = map(both(maybe(says('different', 'distinct', 'unique')), listOf(column, and)), ([different, all]): Listing => ({
    core: { is: 'columns', columns: all, different: different !== null },
    part: { is: 'nothing' },
  }))
  const first = map(
    both(
      after(
        the,
        after(
          says('first'),
          pick(token(), (one) => (one.is === 'number' && Number.isInteger(one.value) && one.value > 0 && one.value <= 200 ? one.value : null)),
        ),
      ),
      rowNoun(language),
    ),
    ([limit, file]): Listing => ({ core: { is: 'rows', limit, ...(file && { file }) }, part: { is: 'nothing' } }),
  )
  // Whoever could mean a number is told the number.
  return remember(strained(oneOf(after(verb, after(the, oneOf(rows, columns))), after(maybe(verb), first)), 0.05))
}

import type { Part } from './draft.ts'
import type { Language } from './language.ts'
import { after, listOf, map, maybe, oneOf } from './parsing.ts'
import type { Rule } from './parsing.ts'

/** `by region and product`, `per region`, `for each region`. */
export function groups({ says, column, and }: Language): Rule<Part> {
  const by = oneOf(
    says('by', 'per', 'for each', 'for every', 'in each', 'in every', 'of each', 'of every', 'at each', 'within each', 'by each'),
    says('grouped by', 'group by', 'grouping by', 'broken down by', 'split by', 'for each of', 'for each of the', 'for all the different'),
  )
  return map(after(by, after(maybe(says('different', 'distinct')), listOf(column, and))), (columns): Part => ({ is: 'group', columns }))
}

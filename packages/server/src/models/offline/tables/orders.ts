import type { Core, OrderAsked, Part } from './draft.ts'
import { aggregates, rowNoun } from './aggregates.ts'
import type { Language } from './language.ts'
import { after, both, map, maybe, oneOf, pick, chain } from './parsing.ts'
import type { Rule } from './parsing.ts'

const extremes = {
  largest: true,
  highest: true,
  biggest: true,
  greatest: true,
  maximum: true,
  max: true,
  latest: true,
  'most recent': true,
  smallest: false,
  lowest: false,
  least: false,
  minimum: false,
  min: false,
  earliest: false,
}

/** `largest first`, `in descending order`: the direction of an order. */
const directions = {
  descending: true,
  desc: true,
  'in descending order': true,
  'largest first': true,
  'highest first': true,
  'biggest first': true,
  'from largest to smallest': true,
  'from highest to lowest': true,
  'from high to low': true,
  ascending: false,
  asc: false,
  'in ascending order': false,
  'smallest first': false,
  'lowest first': false,
  'from smallest to largest': false,
  'from lowest to highest': false,
  'from low to high': false,
}

/** `sorted by amount descending`, `largest first`. */
export function order(language: Language): Rule<Part> {
  const { says, means, column, comma } = language
  const { ofGroup } = aggregates(language)
  const direction = means(directions)
  const toPart = (by: OrderAsked['by'], descending: boolean): Part => ({ is: 'order', order: { by, descending } })
  return oneOf(
    map(direction, (descending) => toPart('result', descending)),
    map(
      both(
        after(says('sorted by', 'sort by', 'sort it by', 'sort them by', 'ordered by', 'order by', 'ranked by'), oneOf<OrderAsked['by']>(column, ofGroup)),
        maybe(after(maybe(comma), direction)),
      ),
      ([by, descending]) => toPart(by, descending ?? false),
    ),
  )
}

/** `at most 5 rows`. */
export const limit = ({ says, token }: Language): Rule<Part> => map(after(says('limit', 'limited to', 'limit to'), count(token())), (most): Part => ({ is: 'limit', limit: most }))

const mostLimit = 200
const count = (token: ReturnType<Language['token']>): Rule<number> =>
  pick(token, (one) =>
    one.is === 'number' && Number.isInteger(one.value) && one.value > 0 && one.value <= mostLimit ? one.value : one.is === 'word' ? (numerals.get(one.stem) ?? null) : null,
  )

const numerals = new Map(['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'].map((word, at) => [word, at + 1]))

type Extreme = Extract<Core, { is: 'extreme' }>
type Subject = Pick<Extreme, 'of' | 'file'>

const asked = ({ of, file }: Subject, how: Pick<Extreme, 'by' | 'descending' | 'limit'>): Core => ({ is: 'extreme', of, ...how, ...(file && { file }) })

/** `which region has the largest sum of amount`, `the row with the lowest price`, `the top 3 rows by amount`. */
export function extreme(language: Language): Rule<Core> {
  const { says, means, the, column, token, remember } = language
  const rows = rowNoun(language)
  const { ofGroup } = aggregates(language)
  const most = after(the, means(extremes))
  const measure = oneOf<Extreme['by']>(column, ofGroup)
  const having = says('has', 'have', 'had', 'with', 'is', 'of', 'whose', 'that has', 'which has', 'that have', 'is the one with', 'having')
  const subject = oneOf<Subject>(
    map(rows, (file) => ({ of: null, file })),
    map(column, (of) => ({ of })),
  )
  const which = maybe(says('which', 'what', 'the', 'in which', 'for which'))
  const single = after(
    which,
    map(both(subject, after(having, both(most, after(maybe(says('of')), measure)))), ([of, [descending, by]]) => asked(of, { by, descending, limit: null })),
  )
  // `which region has the most rows`
  const counted = after(
    which,
    map(both(column, after(having, both(after(the, means({ most: true, fewest: false })), rows))), ([of, [descending, file]]): Core => ({
      is: 'extreme',
      of,
      by: { of: 'count', column: null, ...(file && { file }) },
      descending,
      limit: null,
    })),
  )
  const number = count(token())
  const top = oneOf(
    map(after(the, after(says('top'), number)), (many) => ({ many, descending: true })),
    map(after(the, after(says('bottom'), number)), (many) => ({ many, descending: false })),
  )
  const ranked = chain(top, ({ many, descending }) =>
    map(both(subject, after(says('by', 'in', 'with the highest', 'with the largest', 'by their'), measure)), ([of, by]) => asked(of, { by, descending, limit: many })),
  )
  const withMost = after(
    the,
    chain(number, (many) =>
      map(both(subject, after(says('with', 'that have', 'having'), both(most, measure))), ([of, [descending, by]]) => asked(of, { by, descending, limit: many })),
    ),
  )
  return remember(oneOf(single, counted, ranked, withMost))
}

import type { AggregateAsked } from './draft.ts'
import type { Language } from './language.ts'
import { after, both, listOf, map, maybe, nothing, oneOf, strained, chain } from './parsing.ts'
import type { Rule } from './parsing.ts'
import type { AggregateName, Table } from './table.ts'

const named = {
  sum: 'sum',
  'sum total': 'sum',
  'total sum': 'sum',
  total: 'sum',
  'grand total': 'sum',
  mean: 'mean',
  average: 'mean',
  avg: 'mean',
  median: 'median',
  minimum: 'min',
  min: 'min',
  smallest: 'min',
  lowest: 'min',
  earliest: 'min',
  maximum: 'max',
  max: 'max',
  largest: 'max',
  highest: 'max',
  biggest: 'max',
  greatest: 'max',
  latest: 'max',
} satisfies Record<string, AggregateName>

const imperative = { 'sum up': 'sum', sum: 'sum', 'add up': 'sum', total: 'sum', average: 'mean' } satisfies Record<string, AggregateName>

/** `rows`, `records`, or `orders` of a file `orders.csv`. */
export function rowNoun({ says, names, the }: Language): Rule<Table | undefined> {
  return after(
    the,
    oneOf<Table | undefined>(
      map(says('rows', 'row', 'records', 'lines', 'entries', 'data rows', 'rows of data'), () => undefined),
      strained(names.rowsOf, 0.3),
    ),
  )
}

/** `the sum of amount and units`, `mean amount`, `the number of rows`, `how many different regions`. */
export function aggregates(language: Language): { item: Rule<AggregateAsked[]>; list: Rule<AggregateAsked[]>; ofGroup: Rule<AggregateAsked> } {
  const { says, means, the, column, and, remember } = language
  const of = maybe(says('of', 'for', 'in', 'value of', 'values of', 'of the values of'))
  const word = after(the, means<AggregateName>(named))
  const distinctWord = says('different', 'distinct', 'unique')
  const made =
    (name: AggregateName) =>
    (columns: readonly AggregateAsked['column'][]): AggregateAsked[] =>
      columns.map((one) => ({ of: name, column: one }))

  const plain = chain(word, (name) => map(after(of, column), (one) => made(name)([one])))
  // `the sum of amount and units`: the second has the word of the first.
  const shared = chain(word, (name) =>
    after(
      says('of', 'for'),
      map(both(column, both(after(and, column), maybe(after(and, column)))), ([one, [two, three]]) => made(name)(three ? [one, two, three] : [one, two])),
    ),
  )
  const several = chain(both(word, listOf(after(and, word), nothing)), ([first, more]) =>
    map(after(says('of', 'for'), column), (one) => [first, ...more].map((name) => ({ of: name, column: one }))),
  )
  const rows = rowNoun(language)
  const counted = map(
    oneOf(
      after(says('how many', 'number of', 'the number of', 'the count of', 'count of', 'total number of', 'the total number of', 'count', 'count the', 'count up'), rows),
      after(
        the,
        map(says('row count', 'count of rows', 'record count'), () => undefined),
      ),
    ),
    (file): AggregateAsked[] => [{ of: 'count', column: null, ...(file && { file }) }],
  )
  const bareCount = strained(
    map(after(the, says('count')), (): AggregateAsked[] => [{ of: 'count', column: null }]),
    1,
  )
  const distinct = map(
    after(
      oneOf(after(oneOf(says('how many'), after(the, says('number of', 'count of', 'count'))), after(the, distinctWord)), after(the, says('distinct count of', 'unique count of'))),
      column,
    ),
    (one): AggregateAsked[] => [{ of: 'distinct', column: one }],
  )
  const item = remember(oneOf(plain, shared, several, counted, bareCount, distinct))
  const verb = chain(means<AggregateName>(imperative), (name) => map(column, (one) => made(name)([one])))
  const list = remember(map(listOf(oneOf(item, verb), and), (all) => all.flat()))
  return { item, list, ofGroup: remember(map(oneOf(plain, counted, distinct), ([one]) => one!)) }
}

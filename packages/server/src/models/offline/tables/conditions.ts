import { rowNoun } from './aggregates.ts'
import type { ConditionAsked, Part, ValueAsked } from './draft.ts'
import type { Language } from './language.ts'
import type { ColumnNamed } from './names.ts'
import { after, both, listOf, map, maybe, nothing, oneOf, pick, strained, chain } from './parsing.ts'
import type { Rule } from './parsing.ts'
import type { Comparison, Table } from './table.ts'

const comparisons: Readonly<Record<string, Comparison>> = {
  is: '=',
  are: '=',
  was: '=',
  equals: '=',
  'equal to': '=',
  'is equal to': '=',
  'is exactly': '=',
  of: '=',
  '=': '=',
  '==': '=',
  'is not': '!=',
  'are not': '!=',
  "isn't": '!=',
  'is not equal to': '!=',
  'is other than': '!=',
  'different from': '!=',
  'is different from': '!=',
  not: '!=',
  '!=': '!=',
  '<>': '!=',
  '≠': '!=',
  over: '>',
  above: '>',
  'greater than': '>',
  'more than': '>',
  'larger than': '>',
  'bigger than': '>',
  'higher than': '>',
  exceeds: '>',
  exceeding: '>',
  after: '>',
  '>': '>',
  'at least': '>=',
  'no less than': '>=',
  'not less than': '>=',
  'greater than or equal to': '>=',
  '>=': '>=',
  '≥': '>=',
  below: '<',
  under: '<',
  'less than': '<',
  'smaller than': '<',
  'lower than': '<',
  'fewer than': '<',
  before: '<',
  '<': '<',
  'at most': '<=',
  'no more than': '<=',
  'not more than': '<=',
  'up to': '<=',
  'less than or equal to': '<=',
  '<=': '<=',
  '≤': '<=',
  contains: 'contains',
  contain: 'contains',
  containing: 'contains',
  includes: 'contains',
  'that contains': 'contains',
}

const ordered: ReadonlySet<Comparison> = new Set(['<', '<=', '>', '>='])

/** `where region is north and amount over 100`, `for north`, `excluding south`, `with a price between 3 and 5`. */
export function conditions(language: Language): { clause: Rule<Part>; aboutRows: Rule<{ file: Table | undefined; conditions: ConditionAsked[] }> } {
  const { says, means, column, comma, names, token, the, remember } = language
  const written: Rule<ValueAsked> = pick(token(), (one): ValueAsked | null => {
    if (one.is === 'number') return { is: 'number', value: one.value, raw: one.raw }
    if (one.is === 'date') return { is: 'date', raw: one.raw }
    return one.is === 'quoted' ? { is: 'text', raw: one.raw } : null
  })
  const truth = map(means<string>({ true: 'true', false: 'false', yes: 'yes', no: 'no' }), (raw): ValueAsked => ({ is: 'text', raw }))
  const known: Rule<ValueAsked> = map(names.value, (values): ValueAsked => ({ is: 'known', values }))
  const knownIn = (of: ColumnNamed): Rule<ValueAsked> =>
    pick(names.value, (values) => {
      const fitting = values.filter((value) => of.some((one) => one.table === value.table && one.column === value.column))
      return fitting.length > 0 ? { is: 'known', values: fitting } : null
    })
  // A value that the column is known to have is meant, whatever else the words could be.
  const valueOf = (of: ColumnNamed): Rule<ValueAsked> => oneOf(after(maybe(says('the', 'the value', 'value')), oneOf(knownIn(of), strained(truth, 0.05))), strained(written, 0.02))

  const be = maybe(says('is', 'are', 'was', 'were', 'of'))
  const comparison = oneOf(
    means(comparisons),
    after(
      be,
      pick(means(comparisons), (is) => (ordered.has(is) ? is : null)),
    ),
  )
  const empty: Rule<{ is: Comparison; value: ValueAsked }> = map(
    means<Comparison>({ 'is empty': '=', 'is missing': '=', 'is blank': '=', 'is not empty': '!=', 'is not missing': '!=', 'is not blank': '!=' }),
    (is) => ({ is, value: { is: 'text', raw: '' } }),
  )
  const compared = chain(column, (of) =>
    oneOf<ConditionAsked[]>(
      map(both(comparison, valueOf(of)), ([is, value]) => [{ column: of, is, value }]),
      map(valueOf(of), (value) => [{ column: of, is: '=', value }]),
      map(after(be, after(says('between', 'from'), both(written, after(says('and', 'to'), written)))), ([from, to]) => [
        { column: of, is: '>=', value: from },
        { column: of, is: '<=', value: to },
      ]),
      map(empty, (one) => [{ column: of, ...one }]),
    ),
  )
  /** `the north region`, `north`. */
  const mentioned = oneOf(
    after(
      the,
      chain(names.value, (values) =>
        pick(names.column, (of): ValueAsked | null => {
          const fitting = values.filter((value) => of.some((one) => one.table === value.table && one.column === value.column))
          return fitting.length > 0 ? { is: 'known', values: fitting } : null
        }),
      ),
    ),
    after(maybe(says('the')), known),
  )
  const toOne =
    (is: Comparison) =>
    (value: ValueAsked): ConditionAsked[] => [{ column: null, is, value }]
  const without = oneOf(
    map(after(says('excluding', 'except', 'except for', 'without', 'other than', 'not in', 'not from', 'but not', 'leaving out', 'not'), mentioned), toOne('!=')),
    chain(after(says('excluding', 'except for', 'except', 'leaving out'), column), (of) => map(valueOf(of), (value): ConditionAsked[] => [{ column: of, is: '!=', value }])),
  )
  const which = says(
    'where',
    'with',
    'with a',
    'with an',
    'whose',
    'that have',
    'that have a',
    'that has',
    'having',
    'have',
    'has',
    'have a',
    'for which',
    'for which the',
    'when',
    'if',
    'in which',
    'with the',
    'that',
    'which have',
    'and',
  )
  const isValue = oneOf(
    map(after(says('is', 'are', 'that are', 'which are', 'who are', 'were'), known), toOne('=')),
    map(after(says('is not', 'are not', 'that are not', 'which are not'), known), toOne('!=')),
  )
  const withColumn = after(maybe(which), compared)
  const forValue = map(
    after(says('for', 'are from', 'is from', 'come from', 'in', 'from', 'at', 'of', 'on', 'within', 'only', 'only for', 'only in', 'with', 'where'), mentioned),
    toOne('='),
  )
  const inColumn = after(
    says('for', 'in', 'of', 'from', 'at'),
    chain(column, (of) => map(valueOf(of), (value): ConditionAsked[] => [{ column: of, is: '=', value }])),
  )
  const one = remember(oneOf(withColumn, forValue, inColumn, without, isValue))
  // `and also by 3` begins nothing here: what comes behind an `and` has to be a condition again.
  const and = oneOf(after(comma, maybe(says('and', 'but'))), says('and', 'but'))
  const starting = remember(oneOf(after(which, compared), forValue, inColumn, without, isValue))
  const clause = map(both(starting, maybe(after(and, listOf(one, and)))), ([first, more]): Part => ({ is: 'where', conditions: [...first, ...(more ?? []).flat()] }))
  const rows = rowNoun(language)
  /** `paid orders`, `rows`. */
  const aboutRows = after(
    the,
    oneOf(
      map(rows, (file) => ({ file, conditions: [] as ConditionAsked[] })),
      map(both(listOf(known, nothing), rows), ([values, file]) => ({ file, conditions: values.flatMap(toOne('=')) })),
    ),
  )
  return { clause: remember(clause), aboutRows }
}

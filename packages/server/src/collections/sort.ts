import { Fault, recordLimits } from '@sluice/schema'
import type { SortTerm } from './filter/tree.ts'

/** An order as `-created,user.name,@random`. Throws a Fault `filter_invalid`. */
export function parseSort(text: string): readonly SortTerm[] {
  if (text === '') return []
  const terms = text.split(',')
  if (terms.length > recordLimits.sort) throw refused(`At most ${recordLimits.sort} fields`)
  return terms.map(termOf)
}

function termOf(text: string): SortTerm {
  const [, sign = '', name = ''] = /^([+-]?)([\s\S]*)$/.exec(text.trim())!
  if (name === '') throw refused('A field is missing between the commas')
  if (name.length > recordLimits.sortName) throw refused(`The name of a field has at most ${recordLimits.sortName} characters`)
  const descending = sign === '-'
  if (name === '@random') return { is: 'random' }
  return name === '@rowid' ? { is: 'rowid', descending } : { is: 'field', name, descending }
}

const refused = (message: string): Fault => new Fault('filter_invalid', { issues: [{ path: ['sort'], message }] })

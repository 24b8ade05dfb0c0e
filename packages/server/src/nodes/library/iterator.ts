import type { Json } from '@sluice/schema'
import { limits } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import type { Produced, ProducerState } from '../contract.ts'
import { AnyJson, isJsonObject } from '../values.ts'

export const iterator = defineNode({
  type: 'iterator',
  title: 'Iterator',
  description:
    'Gives what a list has in it, or a text between its separators, one after another. For each of them all runs that it leads to; by `done` it leads to what comes after the last.',
  category: 'structure',
  config: Schema.Struct({
    items: AnyJson.annotate({
      title: 'Items',
      description: 'A list, or one `{{ expression }}` that gives it; or a text, the parts of which are trimmed, and left out when nothing is left of them',
    }),
    separator: Schema.optionalKey(
      Schema.String.check(Schema.isMinLength(1)).annotate({ title: 'Separator', description: 'What stands between the parts of a text; the end of a line unless set' }),
    ),
  }),
  readings: { items: 'value', 'items.**': 'value', separator: 'raw' },
  handles: { fixed: ['done'] },
  entry: true,
  takesInput: false,
  behaviour: {
    is: 'producer',
    next({ items, separator = '\n' }, _, at) {
      if (typeof items === 'string') return nextPart(items, separator, at)
      if (!Array.isArray(items)) throw new StepFailure('items_not_a_list', 'What items gives is neither a list nor a text', { retry: false })
      if (items.length > limits.items) throw tooMany()
      return at.count < items.length ? { item: { value: items[at.count]!, index: at.count }, state: null } : { ended: true }
    },
  },
})

const tooMany = (): StepFailure => new StepFailure('limit_exceeded', `An iterator gives at most ${limits.items} items`, { retry: false })

/** The state is where the rest of the text begins: each part is looked for once, however many there are. */
function nextPart(text: string, separator: string, { state, count }: ProducerState): Produced {
  if (count === 0 && isMoreThan(limits.items, text, separator)) throw tooMany()
  const part = partFrom(text, separator, restOf(state))
  return part ? { item: { value: part.value, index: count }, state: { rest: part.rest } } : { ended: true }
}

const restOf = (state: Json): number => (isJsonObject(state) && typeof state['rest'] === 'number' ? state['rest'] : 0)

/** The first part at or after a place that is not blank. */
function partFrom(text: string, separator: string, start: number): { value: string; rest: number } | null {
  for (let from = start; from < text.length;) {
    const end = text.indexOf(separator, from)
    const value = text.slice(from, end < 0 ? text.length : end).trim()
    from = end < 0 ? text.length : end + separator.length
    if (value !== '') return { value, rest: from }
  }
  return null
}

function isMoreThan(most: number, text: string, separator: string): boolean {
  let found = 0
  for (let part = partFrom(text, separator, 0); part; part = partFrom(text, separator, part.rest)) if (++found > most) return true
  return false
}

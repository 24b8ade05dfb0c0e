import { limits } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import { Whole, wholeNumberOf } from '../values.ts'

export const counter = defineNode({
  type: 'counter',
  title: 'Counter',
  description:
    'Gives the numbers from one to another, one after another, both included. For each of them all runs that it leads to; by `done` it leads to what comes after the last.',
  category: 'structure',
  config: Schema.Struct({
    from: Whole.annotate({ title: 'From', description: 'The first number' }),
    to: Whole.annotate({ title: 'To', description: 'The last number, if the steps meet it' }),
    step: Schema.optionalKey(Whole.annotate({ title: 'Step', description: 'How far each number is from the one before, from 1; 1 unless set' })),
    direction: Schema.optionalKey(
      Schema.Literals(['up', 'down']).annotate({ title: 'Direction', description: 'The other way there is no number; from `from` towards `to` unless set' }),
    ),
  }),
  readings: { from: 'value', to: 'value', step: 'value', direction: 'raw' },
  handles: { fixed: ['done'] },
  entry: true,
  takesInput: false,
  behaviour: {
    is: 'producer',
    next(config, _, { count, state }) {
      const [from, to, step] = [wholeNumberOf(config.from, 'from'), wholeNumberOf(config.to, 'to'), wholeNumberOf(config.step ?? 1, 'step')]
      if (step < 1) throw new StepFailure('config_invalid', 'step is not a whole number from 1', { retry: false })
      const direction = config.direction ?? (from <= to ? 'up' : 'down')
      const way = direction === 'up' ? to - from : from - to
      if (Math.floor(way / step) >= limits.items) throw new StepFailure('limit_exceeded', `A counter gives at most ${limits.items} numbers`, { retry: false })
      if (count * step > way) return { ended: true }
      return { item: { value: direction === 'up' ? from + count * step : from - count * step, index: count, from, to, step, direction }, state }
    },
  },
})

import type { JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import { Milliseconds, millisecondsOf } from '../values.ts'

export const delay = defineNode({
  type: 'delay',
  title: 'Delay',
  description: 'Waits for a time, or until a moment.',
  category: 'flow',
  config: Schema.Struct({
    ms: Schema.optionalKey(Milliseconds.annotate({ title: 'Milliseconds', description: 'How long to wait' })),
    until: Schema.optionalKey(Schema.String.annotate({ title: 'Until', description: 'The moment to wait for, ISO 8601; a past one is now' })),
  }),
  readings: { ms: 'value', until: 'template' },
  check: (config: JsonObject) => ('ms' in config === 'until' in config ? [{ path: ['ms'], message: 'Give either ms or until' }] : []),
  takesInput: false,
  behaviour: {
    is: 'wait',
    wait({ ms, until }, { now }) {
      const at = ms === undefined ? momentOf(until ?? '') : new Date(now.getTime() + millisecondsOf(ms, 'ms'))
      return { for: 'timer', at: at < now ? now : at }
    },
  },
})

// A date alone, or with a time and its offset; without an offset it would mean another moment on another server.
const iso = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/

function momentOf(text: string): Date {
  const moment = new Date(iso.test(text.trim()) ? text.trim() : NaN)
  if (Number.isNaN(moment.getTime())) throw new StepFailure('config_invalid', 'until is not a moment as 2026-01-31T12:00:00Z', { retry: false })
  return moment
}

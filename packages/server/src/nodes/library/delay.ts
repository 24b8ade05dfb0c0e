import { createHash } from 'node:crypto'
import type { JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import type { StepContext } from '../contract.ts'
import { AnyJson, Milliseconds, millisecondsOf } from '../values.ts'

const Spread = Schema.Struct({
  totalMs: Milliseconds.annotate({ title: 'Total', description: 'Milliseconds that the delays of one round come to, exactly' }),
  over: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 })).annotate({ title: 'Over', description: 'How many delays a round has; then the next begins' }),
  jitter: Schema.optionalKey(
    Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })).annotate({
      title: 'Jitter',
      description: 'How much longer or shorter a delay may be than their average, as a part of it: with 0.3 by 30 %; 0 unless set',
    }),
  ),
})
type Spread = typeof Spread.Type

export const delay = defineNode({
  type: 'delay',
  title: 'Delay',
  description: 'Waits for a time, or until a moment, or each time it is come by for a part of a time.',
  category: 'flow',
  config: Schema.Struct({
    ms: Schema.optionalKey(Milliseconds.annotate({ title: 'Milliseconds', description: 'How long to wait' })),
    until: Schema.optionalKey(Schema.String.annotate({ title: 'Until', description: 'The moment to wait for, ISO 8601; a past one is now' })),
    spread: Schema.optionalKey(
      Spread.annotate({ title: 'Spread', description: 'A time that is divided among the steps of this node in a run: for those of items and iterations' }),
    ),
    output: Schema.optionalKey(AnyJson.annotate({ title: 'Output', description: 'What it gives then; the time, as `at`, unless set' })),
  }),
  readings: { ms: 'value', until: 'template', 'spread.totalMs': 'value', output: 'value', 'output.**': 'value' },
  check: (config: JsonObject) => (['ms', 'until', 'spread'].filter((key) => key in config).length === 1 ? [] : [{ path: ['ms'], message: 'Give one of ms, until and spread' }]),
  takesInput: false,
  behaviour: {
    is: 'wait',
    wait({ ms, until, spread, output }, context) {
      const { now } = context
      const inMs = spread ? partOf(spread, context) : ms === undefined ? null : millisecondsOf(ms, 'ms')
      const at = inMs === null ? momentOf(until ?? '') : new Date(now.getTime() + inMs)
      return { for: 'timer', at: at < now ? now : at, ...(output !== undefined && { output }) }
    },
  },
})

/**
 * The delay of one pass. The time of a round is cut at `over - 1` places, each of them off its even one by at most half of
 * what the jitter allows, so that no delay is off by more than that, and they come to the whole exactly. Where a cut is, only
 * run, node and number decide: whoever takes the run over waits as long.
 */
function partOf({ totalMs, over, jitter = 0 }: Spread, { runId, nodeId, pass }: StepContext): number {
  const total = millisecondsOf(totalMs, 'spread.totalMs')
  const [round, number] = [Math.floor(pass / over), pass % over]
  const cut = (at: number): number => {
    const off = at === 0 || at === over ? 0 : jitter * (chance(`${runId}/${nodeId}/${round}/${at}`) - 0.5)
    return Math.round((total * (at + off)) / over)
  }
  return cut(number + 1) - cut(number)
}

/** From 0 up to 1, always the same of the same text. */
const chance = (seed: string): number => createHash('sha256').update(seed).digest().readUInt32BE() / 2 ** 32

// A date alone, or with a time and its offset; without an offset it would mean another moment on another server.
const iso = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/

function momentOf(text: string): Date {
  const moment = new Date(iso.test(text.trim()) ? text.trim() : NaN)
  if (Number.isNaN(moment.getTime())) throw new StepFailure('config_invalid', 'until is not a moment as 2026-01-31T12:00:00Z', { retry: false })
  return moment
}

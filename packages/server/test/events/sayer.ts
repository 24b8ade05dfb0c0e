import { setTimeout as sleep } from 'node:timers/promises'
import * as Schema from 'effect/Schema'
import { type AnyNode, defineNode, StepFailure } from '../../src/nodes/contract.ts'

/**
 * A node that says a text in pieces, `everyMs` apart, and gives what it said. An attempt before `fails` runs out says its
 * pieces and fails; with `hang` it says them and does not end before it is told to.
 */
export const sayer: AnyNode = defineNode({
  type: 'sayer',
  title: 'Sayer',
  description: 'Says a text, piece by piece.',
  category: 'work',
  config: Schema.Struct({
    pieces: Schema.mutable(Schema.Array(Schema.String)),
    everyMs: Schema.optionalKey(Schema.Int),
    fails: Schema.optionalKey(Schema.Int),
    hang: Schema.optionalKey(Schema.Boolean),
  }),
  readings: { '**': 'raw' },
  takesInput: false,
  behaviour: {
    is: 'work',
    async run({ pieces, everyMs = 0, fails = 0, hang = false }, { abilities, attempt, signal }) {
      for (const piece of pieces) {
        signal.throwIfAborted()
        abilities.say(attempt > fails ? piece : piece.toUpperCase())
        if (everyMs > 0) await sleep(everyMs, undefined, { signal })
      }
      if (hang && attempt === 1) await sleep(2_147_483_647, undefined, { signal })
      if (attempt <= fails) throw new StepFailure('step_failed', 'It says no more')
      return { output: { text: pieces.join('') } }
    },
  },
})

import { setTimeout as sleep } from 'node:timers/promises'
import * as Schema from 'effect/Schema'
import { type AnyNode, defineNode } from '../../src/nodes/contract.ts'

/** A node that writes lines of nearly 2,000 characters, each of which begins with its head, its key and the number of the line, and gives a text. */
export const tome: AnyNode = defineNode({
  type: 'tome',
  title: 'Tome',
  description: 'Writes much.',
  category: 'work',
  config: Schema.Struct({ head: Schema.String, lines: Schema.Int, given: Schema.Int }),
  readings: { head: 'template' },
  takesInput: false,
  behaviour: {
    is: 'work',
    async run({ head, lines, given }, { abilities, key }) {
      for (let line = 0; line < lines; line++) abilities.log('info', `${head} ${key}/${line} ${'x'.repeat(1_900)}`)
      return { output: { text: 'x'.repeat(given) } }
    },
  },
})

/** A node that says numbered words, from `w<from>` on, so many a piece and `everyMs` between two pieces, after `afterMs`. */
export const orator: AnyNode = defineNode({
  type: 'orator',
  title: 'Orator',
  description: 'Says much.',
  category: 'work',
  config: Schema.Struct({ from: Schema.Int, words: Schema.Int, pieces: Schema.Int, everyMs: Schema.Int, afterMs: Schema.Int }),
  readings: { '**': 'raw' },
  takesInput: false,
  behaviour: {
    is: 'work',
    async run({ from, words, pieces, everyMs, afterMs }, { abilities, signal }) {
      await sleep(afterMs, undefined, { signal })
      for (let piece = 0; piece < pieces; piece++) {
        abilities.say(Array.from({ length: words }, (_, word) => `w${from + piece * words + word} `).join(''))
        await sleep(everyMs, undefined, { signal })
      }
      return { output: { text: 'said' } }
    },
  },
})

import type { Variant } from '../variant.ts'

const src = (path: string): string => `packages/server/src/${path}`
const race = { file: 'test/proof/decisions.test.ts', test: 'of eight different decisions on one approval' }

/** Of decisions that are taken at the same moment. */
export const variants: readonly Variant[] = [
  {
    name: 'pauses-as-read-before',
    promise: 'C6',
    breaks: 'takes how a pause stood when it was read for how it stands now: who comes a moment too late is told that they were heard',
    file: src('engine/answers.ts'),
    find: "pause.status === 'open' && state.pauses.has(pause.id) ? pause",
    replace: "pause.status === 'open' ? pause",
    caughtBy: race,
  },
  {
    name: 'winners-unnamed',
    promise: 'C6',
    breaks: 'refuses who comes second in the words of PySpur, and does not say who has decided what',
    file: src('dialects/pyspur/errors.ts'),
    find: 'pause_decided: decided,',
    replace: 'pause_decided: asItIs,',
    caughtBy: race,
  },
]

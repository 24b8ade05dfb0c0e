import type { Contestants } from '../contestant.ts'

/** A run that waits for a person: from the decision to the begin of the step behind it. */
export const contestants = {
  'approval-engine': {
    about: "Sluice's engine in process: `decide` on the pause of a run that waits and of which nothing is in memory, to the first line of the `work` node behind it",
    read: () => import('./engine.ts'),
  },
  'approval-dbos': {
    about: 'DBOS in process: `send` to a workflow that waits in `recv`, to the first line of the step behind it',
    read: () => import('./dbos.ts'),
  },
} satisfies Contestants

export type Name = keyof typeof contestants

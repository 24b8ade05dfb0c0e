import type { Contestants } from '../contestant.ts'

const engine = "Medusa's own engine (`@medusajs/workflow-engine-inmemory` with its table in PostgreSQL), behind its check of tokens and bodies and its route"

/** Its packages read how much to log while they are read themselves. */
function quietly<T>(read: () => Promise<T>): Promise<T> {
  process.env['LOG_LEVEL'] = 'error'
  return read()
}

/** The same request to both: with a JWT over kept connections, from a process of its own. */
export const runs = {
  'sluice-execute': {
    about: 'Sluice as Medusa: `POST /admin/workflows-executions/{id}/run` of three `work` nodes, each durable before the next begins; answered when the run has ended',
    read: () => import('./sluice-execute.ts'),
  },
  'medusa-execute': {
    about: `${engine}: three steps, stored at the end, as one row; answered when it has ended`,
    read: () => quietly(() => import('./medusa-execute.ts')),
  },
} satisfies Contestants

export const reads = {
  'sluice-execution': { about: 'Sluice as Medusa: `GET /admin/workflows-executions/{id}` of such a run', read: () => import('./sluice-execution.ts') },
  'medusa-execution-own': { about: `${engine}: the same`, read: () => quietly(() => import('./medusa-execution.ts')) },
} satisfies Contestants

export const contestants: Contestants = { ...runs, ...reads }

export type Run = keyof typeof runs
export type Read = keyof typeof reads

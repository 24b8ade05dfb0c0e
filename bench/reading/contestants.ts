import type { Contestants } from '../contestant.ts'

/** One run is read over HTTP again and again, with a JWT over kept connections; the requests come from a process of its own. */
export const contestants = {
  'read-run': {
    about: '`GET /v1/runs/{id}` of a completed run of three steps: authenticated, authorized, with its nodes and its pauses',
    read: () => import('./sluice.ts'),
  },
  'read-row': {
    about: 'a bare fastify route that reads the same row with `pg`, by a named statement, and sends it as JSON',
    read: () => import('./bare.ts'),
  },
} satisfies Contestants

export type Name = keyof typeof contestants

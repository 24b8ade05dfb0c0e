import type { Contestants } from '../contestant.ts'

/** Runs of three steps that do nothing, each durable before the next begins. A run has ended when its caller knows. */
export const contestants = {
  'group-commit': {
    about: 'what PostgreSQL allows: rows alone, written from Node in one multi-row statement a batch; no queue, no claims, no events, no recovery',
    read: () => import('../contestants/group-commit.ts'),
  },
  engine: {
    about: "Sluice's engine in process: start, and wait until finished, of three `work` nodes",
    read: () => import('../contestants/engine.ts'),
  },
  'engine-pure': {
    about: 'the same with three `pure` nodes, which the engine runs inline and writes together',
    read: () => import('../contestants/engine-pure.ts'),
  },
  http: {
    about: '`POST /v1/runs` that waits until finished, with a JWT over kept connections; three `work` nodes; the load comes from a process of its own',
    read: () => import('../contestants/http.ts'),
  },
  dbos: {
    about: 'a workflow of three steps in process (`@dbos-inc/dbos-sdk`), set up as it comes',
    read: () => import('../contestants/dbos.ts'),
  },
  'pg-boss': {
    about: 'a chain of three jobs with LISTEN, each completed in the transaction that inserts the next; ended when the third job was worked, before its completion is written',
    read: () => import('../contestants/pg-boss.ts'),
  },
} satisfies Contestants

export type Name = keyof typeof contestants

/** Runs that are kept in flight: whenever one ends, the next begins. */
export interface Load {
  /** The milliseconds of each run that ended since this was asked last. Throws what a run failed with. */
  take(): Promise<number[]>
  /** Begins no more, and answers when those in flight have ended. */
  stop(): Promise<void>
}

/** A contestant on its own database, ready. */
export interface Opened {
  load(inFlight: number): Promise<Load>
  close(): Promise<void>
}

export type Open = (databaseUrl: string) => Promise<Opened>

/**
 * Who runs the same as the others: runs of three steps that do nothing, each durable before the next begins. A run has
 * ended when its caller knows.
 */
export interface Contestant {
  /** One line for the page. */
  about: string
  /** Read by the process that runs it alone: nobody pays for the code of the others. */
  read(): Promise<{ open: Open }>
}

/** In the order of the tables. */
export const contestants = {
  'group-commit': {
    about: 'what PostgreSQL allows: rows alone, written from Node in one multi-row statement a batch; no queue, no claims, no events, no recovery',
    read: () => import('./contestants/group-commit.ts'),
  },
  engine: {
    about: "Sluice's engine in process: start, and wait until finished, of three `work` nodes",
    read: () => import('./contestants/engine.ts'),
  },
  'engine-pure': {
    about: 'the same with three `pure` nodes, which the engine runs inline and writes together',
    read: () => import('./contestants/engine-pure.ts'),
  },
  http: {
    about: '`POST /v1/runs` that waits until finished, with a JWT over kept connections; three `work` nodes; the load comes from a process of its own',
    read: () => import('./contestants/http.ts'),
  },
  dbos: {
    about: 'a workflow of three steps in process (`@dbos-inc/dbos-sdk`)',
    read: () => import('./contestants/dbos.ts'),
  },
  'pg-boss': {
    about: 'a chain of three jobs with LISTEN, each completed in the transaction that inserts the next; ended when the third job was worked, before its completion is written',
    read: () => import('./contestants/pg-boss.ts'),
  },
} satisfies Record<string, Contestant>

export type ContestantName = keyof typeof contestants

export const contestantNames = Object.keys(contestants) as ContestantName[]

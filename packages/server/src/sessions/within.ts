import type { Actor, Rounds } from '../engine/index.ts'
import type { Doorbell } from '../events/doorbell.ts'
import type { Files } from '../files/files.ts'
import type { Modes } from '../modes/modes.ts'
import type { Database, Tx } from '../store/index.ts'

/** On whose behalf. Admins act on all sessions of the workspace, others on their own. */
export interface Client extends Actor {
  seesAll: boolean
}

/** What a session asks of the files that it uses. */
export type FilesInUse = Pick<Files, 'attach' | 'detach' | 'release' | 'of'>

type Passed = Parameters<Rounds['passed']>[0]

/** A transaction in which something is done to sessions, and what is to be told once it is committed. */
export interface Within {
  tx: Tx
  rounds: Rounds
  modes: Modes
  files: FilesInUse
  after: {
    session(workspaceId: string, id: string): void
    begun(workspaceId: string, sessionId: string, runId: string): void
    passed(passed: Passed): void
  }
}

export interface Rooms {
  database: Database
  doorbell: Doorbell
  rounds: Rounds
  modes: Modes
  files: FilesInUse
}

/** Does it in a transaction of its own. */
export async function alone<T>({ database, doorbell, rounds, modes, files }: Rooms, work: (within: Within) => Promise<T>): Promise<T> {
  const tell: (() => void)[] = []
  const after: Within['after'] = {
    session: (workspaceId, id) => void tell.push(() => doorbell.ring({ workspaces: [workspaceId], sessions: [id] })),
    begun: (workspaceId, sessionId, id) => void tell.push(() => rounds.begun({ id, workspaceId, sessionId })),
    passed: (passed) => void tell.push(() => rounds.passed(passed)),
  }
  const result = await database.transaction((tx) => work({ tx, rounds, modes, files, after }))
  for (const each of tell) each()
  return result
}

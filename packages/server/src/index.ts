import type { RunningServer, ServerOptions } from './command/in-program.ts'

/**
 * The public face: workflows in TypeScript, and a server in a program of one's own. A module of workflows imports this, and
 * loads nothing of the server by it.
 */

export { done, isWritten, permanentFailure, PermanentFailure } from './code/written.ts'
export type { Done, StepAt, WrittenSchedule, WrittenWorkflow } from './code/written.ts'

export type { RunningServer, ServerOptions } from './command/in-program.ts'

/**
 * Starts a server in this program, with the embedded PostgreSQL unless a `databaseUrl` is given:
 * `await using server = await startServer({ workflows: [order], port: 0 })`. Throws an error named `StartRefused`, of one line, for
 * settings, workflows or a database that it cannot start with.
 */
export async function startServer(options?: ServerOptions): Promise<RunningServer> {
  const program = await import('./command/in-program.ts')
  return program.startServer(options)
}

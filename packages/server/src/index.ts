import type { RunningServer, ServerOptions } from './command/in-program.ts'

/**
 * The public face: workflows in TypeScript, and a server in a program of one's own. A module of workflows imports this, and
 * loads nothing of the server by it.
 */

export * from './code/index.ts'
// Named by the declarations of modules that export workflows.
export type { Defined } from './code/define.ts'
export type { Hook, TakeUp, TakeUps } from './code/hooks.ts'
export type { Pause, PauseInputs } from './code/pauses.ts'
export type { Result } from './code/result.ts'
export type { BranchValue, Reference } from './code/values.ts'
export { isWritten, type WrittenSchedule } from './code/written.ts'
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

import type { Settings } from '../config.ts'
import { type Embedded, startEmbedded } from '../embedded/index.ts'
import { embeddedUrl } from '../embedded/running.ts'
import type { Log } from '../telemetry.ts'
import { type Halt, haltOnSignals } from './halt.ts'

/** The database of the settings, or our own for as long as the work takes. */
export async function withDatabase(settings: Settings, log: Log, halt: Halt, work: (databaseUrl: string) => Promise<void>): Promise<void> {
  const postgres: Embedded | null = settings.databaseUrl === null ? await startEmbedded({ dataDir: settings.dataDir, address: addressOf(settings), log }) : null
  try {
    await work(settings.databaseUrl ?? postgres!.url)
  } finally {
    await postgres?.stop(halt.restMs())
  }
}

/** The same beside a server that runs, whose database it uses. Where no server ever was, none is made. */
export async function besideServer(settings: Settings, log: Log, work: (databaseUrl: string) => Promise<void>): Promise<void> {
  const running = settings.databaseUrl ?? embeddedUrl(settings.dataDir)
  if (running !== null) await work(running)
  else await withDatabase(settings, log, haltOnSignals(log), work)
}

export const addressOf = ({ host, port }: Settings): string => `http://${host.includes(':') ? `[${host}]` : host}:${port}`

import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Settings } from '../config.ts'
import { major, startEmbedded } from '../embedded/index.ts'
import { StartRefused } from '../store/refused.ts'
import type { Log } from '../telemetry.ts'
import { besideServer } from './database.ts'

/** The database that comes with Sluice, into a file and out of it. One's own PostgreSQL has its own programs for that. */
export function addBackup(program: Command, run: (work: (settings: Settings, log: Log) => Promise<void>) => Promise<void>): void {
  program
    .command('backup')
    .description('write the database of the data directory into a file; works while the server runs')
    .argument('<file>', 'where to; it must not be there yet')
    .action((file: string) => run((settings, log) => back(settings, log, resolve(file))))
  program
    .command('restore')
    .description('lay a backup into a data directory that has no database')
    .argument('<file>', 'what `backup` has written')
    .action((file: string) => run((settings, log) => restore(settings, log, resolve(file))))
}

async function back(settings: Settings, log: Log, file: string): Promise<void> {
  ours(settings, 'back up')
  const { dataDir } = settings
  const { backUp } = await import('../embedded/backup.ts')
  await besideServer(settings, log, async (databaseUrl) => {
    const { bytes, files } = await backUp({ dataDir: resolve(dataDir), databaseUrl, file })
    print(`Wrote ${file}: ${files} files, ${(bytes / 1024 / 1024).toFixed(1)} MiB`)
  })
  if (settings.secret !== null) print('SLUICE_SECRET is set, and is not part of it: without it, what it encrypts and signs is lost.')
}

async function restore(settings: Settings, log: Log, file: string): Promise<void> {
  ours(settings, 'restore')
  const dataDir = resolve(settings.dataDir)
  const { layOut } = await import('../embedded/backup.ts')
  const { madeAt } = await layOut({ dataDir, file, major })
  // That PostgreSQL makes it whole is part of a restore, and no surprise of the first start.
  const postgres = await startEmbedded({ dataDir, log })
  await postgres.stop()
  print(`Restored ${dataDir} from the backup of ${madeAt}. Start the server to go on.`)
}

function ours({ databaseUrl }: Settings, what: string): void {
  if (databaseUrl !== null) throw new StartRefused(`SLUICE_DATABASE_URL is set: ${what} that PostgreSQL with its own programs, such as pg_basebackup or pg_dump.`)
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)

import type { Command } from 'commander'
import type { Settings } from '../config.ts'
import { createLog } from '../telemetry.ts'
import { besideServer } from './database.ts'

/** What an operator asks a key for. */
export interface KeyWanted {
  name: string
  /** Of the user it acts as. */
  email: string
  /** Id or handle; the one its user lands in unless given. */
  workspace?: string
  /** All that its user may unless given. */
  scopes?: string[]
}

export interface KeyMade {
  secret: string
  /** What it is for, for a person. */
  about: string
}

export type MakeKey = (databaseUrl: string, wanted: KeyWanted) => Promise<KeyMade>

type Flags = Omit<KeyWanted, 'email' | 'scopes'> & { email?: string; scopes?: string }

/** Nothing but the secret on standard output, so that a shell can keep it: `KEY=$(sluice-server keys create --name ci)`. */
export function addKeys(program: Command, run: (work: (settings: Settings, make: () => Promise<MakeKey>) => Promise<void>) => Promise<void>): void {
  const keys = program.command('keys').description('look after API keys')
  keys
    .command('create')
    .description('make an API key and write its secret, once; works while the server runs')
    .requiredOption('--name <name>', 'what it is for')
    .option('--email <email>', 'of the user it acts as; the admin of SLUICE_ADMIN_EMAIL unless given')
    .option('--workspace <handle>', 'where it acts; where its user lands unless given')
    .option('--scopes <scopes>', 'what it may, such as runs.start,pauses; all that its user may unless given')
    .action((flags: Flags) => run((settings, make) => createKey(settings, make, flags)))
}

async function createKey(settings: Settings, make: () => Promise<MakeKey>, { scopes, email = settings.adminEmail, ...flags }: Flags): Promise<void> {
  const wanted: KeyWanted = { ...flags, email, ...(scopes !== undefined && { scopes: scopes.split(',').map((scope) => scope.trim()) }) }
  const log = createLog({ level: settings.logLevel, pretty: process.stderr.isTTY, write: (line) => void process.stderr.write(line) })
  await besideServer(settings, log, async (databaseUrl) => {
    const { secret, about } = await (await make())(databaseUrl, wanted)
    process.stderr.write(`${about}\n`)
    process.stdout.write(`${secret}\n`)
  })
}

import { resolve } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { Command } from 'commander'
import type { App } from '../app.ts'
import { type Config, type Settings, loadConfig, withSecret } from '../config.ts'
import { Outage } from '../store/index.ts'
import { migrate } from '../store/migrate.ts'
import { StartRefused } from '../store/refused.ts'
import { type Log, createLog } from '../telemetry.ts'
import { addBackup } from './backup.ts'
import { besideServer, withDatabase } from './database.ts'
import { haltOnSignals } from './halt.ts'
import { type MakeKey, addKeys } from './keys.ts'
import { giveBackAtRest } from './rest.ts'

/** What `app.ts` and `operator.ts` give; a test gives toys. */
export interface House {
  createApp(config: Config, parts: { databaseUrl: string; log: Log }): Promise<App>
  /** What else has a schema, brought up to date under the lock of ours. */
  migrateQueue(databaseUrl: string): Promise<void>
  /** A new password for the user, who is logged out everywhere; null when nobody has this email. */
  resetPassword(databaseUrl: string, email: string): Promise<string | null>
  createKey: MakeKey
}

/** Runs the command line to its end and leaves the process with its exit code. */
export async function main(argv: readonly string[], load: () => Promise<House>): Promise<void> {
  // Whoever read our output may have gone. That is no reason to end.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const run = (command: (settings: Settings, house: () => Promise<House>) => Promise<void>) => async () => {
    let settings: Settings | undefined
    try {
      settings = loadConfig(process.env)
      await command(settings, load)
      process.exit()
    } catch (error) {
      process.stderr.write(`${oneLine(error, settings)}\n`)
      process.exit(1)
    }
  }
  const program = new Command('sluice-server').description('Sluice: durable workflows over PostgreSQL')
  program
    .command('serve', { isDefault: true })
    .description('start the server')
    .option('--workflows <folder>', 'load the workflows that its modules export, in place of SLUICE_WORKFLOWS')
    .action(({ workflows: folder }: { workflows?: string }) => run((settings, house) => serve(folder ? { ...settings, workflows: resolve(folder) } : settings, house))())
  program.command('migrate').description('bring the database up to date, and end').action(run(migrateOnly))
  program
    .command('openapi')
    .description('write the OpenAPI documents of the APIs into a folder')
    .argument('[folder]', 'where to', 'openapi')
    .option('--check', 'write nothing; fail when a document in the folder is not up to date')
    .action((folder: string, { check = false }: { check?: boolean }) => run(() => describeApis(folder, check))())
  addKeys(program, (work) => run((settings, house) => work(settings, async () => (await house()).createKey))())
  addBackup(program, (work) => run((settings) => work(settings, logFor(settings)))())
  const users = program.command('users').description('look after users')
  users
    .command('reset-password')
    .description('give a user a new password and end their logins; works while the server runs')
    .requiredOption('--email <email>', 'of the user')
    .action(({ email }: { email: string }) => run((settings, house) => resetPassword(settings, house, email))())
  await program.parseAsync(argv)
}

async function serve(settings: Settings, load: () => Promise<House>): Promise<void> {
  const log = logFor(settings)
  const halt = haltOnSignals(log)
  const config = withSecret(settings)
  // To load it holds up everything else here. A turn later our PostgreSQL has been spawned, and starts meanwhile.
  const loading = turn().then(load)
  loading.catch(() => {})
  await withDatabase(config, log, halt, async (databaseUrl) => {
    // Nothing is asked before: its time would be up while a slow machine still loads.
    const house = await loading
    await migrate(databaseUrl, { log, also: () => house.migrateQueue(databaseUrl) })
    if (halt.asked) return
    const app = await house.createApp(config, { databaseUrl, log })
    announce(app, config)
    giveBackAtRest()
    await halt.whenAsked
    await app.drain().catch((error: unknown) => log.error({ err: error }, 'The server could not be drained'))
    await app.close().catch((error: unknown) => log.error({ err: error }, 'The server could not be closed'))
  })
}

async function migrateOnly(settings: Settings, load: () => Promise<House>): Promise<void> {
  const log = logFor(settings)
  await withDatabase(settings, log, haltOnSignals(log), async (databaseUrl) => {
    const house = await load()
    const { applied } = await migrate(databaseUrl, { log, also: () => house.migrateQueue(databaseUrl) })
    print(applied.length > 0 ? `Applied ${applied.join(', ')}` : 'The database is up to date')
  })
}

/** Asks for no database: what the server serves is told by its code. */
async function describeApis(folder: string, check: boolean): Promise<void> {
  const { staleDocuments, writeDocuments } = await import('../openapi/documents.ts')
  if (!check) return void (await writeDocuments(folder)).forEach((path) => print(`Wrote ${path}`))
  const stale = await staleDocuments(folder)
  if (stale.length > 0) throw new StartRefused(`Not up to date: ${stale.map(({ path }) => path).join(', ')}. Run sluice-server openapi ${folder}, and look at what changed.`)
}

async function resetPassword(settings: Settings, load: () => Promise<House>, email: string): Promise<void> {
  await besideServer(settings, logFor(settings), async (databaseUrl) => {
    const password = await (await load()).resetPassword(databaseUrl, email)
    if (password === null) throw new StartRefused(`No user has the email ${email}`)
    print(`New password: ${password} (shown only now; change it after the next login)`)
  })
}

const logFor = (settings: Settings): Log => createLog({ level: settings.logLevel, pretty: process.stdout.isTTY })

/** Plain lines, not the log: a password belongs on the screen once and into no archive. */
function announce(app: App, config: Config): void {
  print(`Sluice is ready at ${app.url}`)
  if (!app.firstAdmin) return
  print(`Admin email: ${app.firstAdmin.email}`)
  print(config.adminPassword === null ? `Admin password: ${app.firstAdmin.password} (shown only now)` : 'Admin password: the one of SLUICE_ADMIN_PASSWORD')
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)

/** Why it does not run and what to do, for the person who started it. */
function oneLine(error: unknown, settings: Settings | undefined): string {
  if (error instanceof StartRefused || !settings) return messageOf(error)
  const { host, port, databaseUrl } = settings
  const where = URL.parse(databaseUrl ?? '')
  if (error instanceof Outage) return `${messageOf(error)}. Check that it runs${where ? ` at ${where.host}${where.pathname}` : ''} and that SLUICE_DATABASE_URL is right.`
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return `Port ${port} on ${host} is taken. Stop what uses it, or set SLUICE_PORT to another port.`
  if (syscall === 'listen' && code === 'EACCES') return `Port ${port} needs more rights than this user has. Set SLUICE_PORT to a port above 1023.`
  if (code === 'EADDRNOTAVAIL' || syscall === 'getaddrinfo') return `${host} is not an address of this machine. Set SLUICE_HOST to 127.0.0.1, or to 0.0.0.0 for all of them.`
  return `Sluice could not start: ${messageOf(error)}`
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!

import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { BlockList, isIP } from 'node:net'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { allowListOf } from './outside/allow-list.ts'
import { defaultPeriods, periodsOf, periodsWanted } from './retention/periods.ts'
import { StartRefused } from './store/refused.ts'
import { type Tracing, tracingOf } from './telemetry/settings.ts'

const list = (text: string): string[] =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')

/** A text that one of our own readers takes or throws on, with what to write instead. */
const read = <T>(want: string, reader: (text: string) => T | undefined) =>
  z.string().transform((text, context): T => {
    try {
      const value = reader(text.trim())
      if (value !== undefined) return value
    } catch {
      // Says less than `want` does.
    }
    context.addIssue({ code: 'custom', message: want })
    return z.NEVER
  })

const whole = (want: string, least: number, most: number) =>
  read(want, (text) => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    return number >= least && number <= most ? number : undefined
  })

const address = (want: string, protocols: readonly string[], keep: (url: URL, text: string) => string | undefined) =>
  read(want, (text) => {
    const url = URL.parse(text)
    return url && protocols.includes(url.protocol) ? keep(url, text) : undefined
  })

const oneOf = <const T extends readonly string[]>(values: T) => z.enum(values, { error: `one of ${values.join(', ')}` })

const origin = (text: string): string | undefined => {
  const url = URL.parse(text)
  return url && /^https?:$/.test(url.protocol) && url.origin === text.replace(/\/$/, '') ? url.origin : undefined
}

const each =
  <T>(reader: (text: string) => T | undefined) =>
  (text: string) => {
    const values = list(text).map(reader)
    return values.every((value) => value !== undefined) ? (values as T[]) : undefined
  }

const network = (text: string): string | undefined => {
  const [ip = '', bits, ...more] = text.split('/')
  const most = { 4: 32, 6: 128 }[isIP(ip)]
  return most && more.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)) ? text : undefined
}

const passwordWanted = '8 to 1024 characters, or unset to have one made'

const trust = (text: string): boolean | number | string[] | undefined => {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^\d{1,2}$/.test(text) ? Number(text) : each(network)(text)
}

const rates = (text: string): RateLimits | null | undefined => {
  if (text === 'off') return null
  const limits: RateLimits = { api: 1_200, playground: 120 }
  for (const part of list(text)) {
    const [, name, count] = /^(api|playground)=([1-9]\d{0,8})$/.exec(part) ?? []
    if (!name) return undefined
    limits[name as keyof RateLimits] = Number(count)
  }
  return limits
}

/** Requests a minute and principal. */
export interface RateLimits {
  api: number
  playground: number
}

/** Every setting: what it becomes, what is asked for when it is wrong, and its default. `dataDir` is read from `SLUICE_DATA_DIR`. */
const schema = z.object({
  host: read('a host name or address to listen on, such as 127.0.0.1', (text) => (/^[\w.:%-]+$/.test(text) ? text : undefined)).default('127.0.0.1'),
  port: whole('a port from 0 to 65535', 0, 65_535).default(7_878),
  /** Absolute, once loaded. */
  dataDir: z.string().default('.sluice'),
  /** Null: the embedded PostgreSQL. */
  databaseUrl: address('an address such as postgresql://user:password@host:5432/database', ['postgresql:', 'postgres:'], (url, text) =>
    url.pathname.length > 1 ? text : undefined,
  )
    .nullable()
    .default(null),
  /** The folder of workflows in TypeScript; absolute, once loaded. Null: there are none. */
  workflows: z.string().nullable().default(null),
  /** The file of collections that are declared; absolute, once loaded. Null: those of the core alone. */
  collections: z.string().nullable().default(null),
  /** Null: made once and kept in the data directory. */
  secret: read('a text of at least 32 characters, or unset to have one made', (text) => (text.length >= 32 ? text : undefined))
    .nullable()
    .default(null),
  role: oneOf(['all', 'api', 'worker']).default('all'),
  adminEmail: read('an email address', (text) => (/^[^\s@]+@[^\s@]+$/.test(text) && text.length <= 320 ? text : undefined)).default('admin@sluice.local'),
  /** Null: made, and printed once. */
  adminPassword: z.string().min(8, passwordWanted).max(1024, passwordWanted).nullable().default(null),
  anonymousRole: oneOf(['editor', 'operator', 'viewer']).nullable().default(null),
  /** Entries for `outside/allow-list.ts`. */
  httpAllow: read('hosts or host:port, such as localhost:4000,10.0.0.7', (text) => allowListOf(list(text)) && list(text)).default([]),
  /** Before `/chat/completions`, without a slash at its end. Null: the offline model answers. */
  modelUrl: address('an http or https address such as https://api.openai.com/v1', ['http:', 'https:'], (url) =>
    url.username || url.password || url.search || url.hash ? undefined : url.href.replace(/\/+$/, ''),
  )
    .nullable()
    .default(null),
  /** Null: the endpoint asks for none. */
  modelKey: read('the key as it was given, without spaces', (text) => (/^[\x21-\x7e]{1,4096}$/.test(text) ? text : undefined))
    .nullable()
    .default(null),
  /** Its name at the endpoint. */
  model: read('the name of a model at the endpoint; offline is the built-in one', (text) => (text.length <= 200 && text !== 'offline' ? text : undefined))
    .nullable()
    .default(null),
  /** Null: pages of this machine alone. */
  corsOrigins: read('origins such as https://app.example.com', each(origin)).nullable().default(null),
  /** Without a slash at its end. */
  publicUrl: address('an http or https address', ['http:', 'https:'], (url) => url.href.replace(/\/$/, ''))
    .nullable()
    .default(null),
  /** As Fastify takes it: everybody, how many proxies, or which. */
  trustProxy: read('true, false, a number of proxies, or their addresses such as 10.0.0.0/8', trust).default(false),
  /** Null: none. */
  rateLimit: read('off, or limits a minute such as api=1200,playground=120', rates).nullable().default({ api: 1_200, playground: 120 }),
  /** What readers of /metrics show. Null: they are on this machine. */
  metricsToken: read('a text of at least 16 characters', (text) => (text.length >= 16 ? text : undefined))
    .nullable()
    .default(null),
  /** How long runs, events, keys, unused files and audit entries are kept. */
  retention: read(periodsWanted, periodsOf).default(defaultPeriods),
  logLevel: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** How long steps under way get to end after SIGTERM: of more than 5,000, 5,000. */
  drainMs: whole('milliseconds from 0 to 8000', 0, 8_000).default(8_000),
})

/** What the server is told from outside. */
export interface Settings extends z.infer<typeof schema> {
  /** From the variables of OpenTelemetry. Null: traces go nowhere. */
  tracing: Tracing | null
}

export interface Config extends Settings {
  secret: string
}

export type Environment = Readonly<Record<string, string | undefined>>

const variableOf = (key: string): string => `SLUICE_${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`

const keys = new Map(Object.keys(schema.shape).map((key) => [variableOf(key), key]))

/** Settings as a program writes them: a list for what is written with commas. */
export type GivenSettings = { [Key in keyof typeof schema.shape]?: string | number | boolean | readonly string[] }

/** The same as the environment has them. */
export const environmentOf = (given: GivenSettings): Environment =>
  Object.fromEntries(Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [[variableOf(key), Array.isArray(value) ? value.join(',') : String(value)]])))

/** Reads the settings. Throws StartRefused with one line that names each wrong variable and what it should be. */
export function loadConfig(env: Environment, workingDirectory = process.cwd()): Settings {
  // Set to nothing is not set: that is how compose files and shells leave a variable out.
  const given = Object.entries(env).filter(([name, value]) => name.startsWith('SLUICE_') && !foreign.test(name) && value?.trim())
  const parsed = schema.safeParse(Object.fromEntries(given.map(([name, value]) => [keys.get(name) ?? name, value])))
  const wrong = (parsed.error?.issues ?? []).map(({ path, message }) => `${nameOf(String(path[0]))} must be ${message}`)
  const problems = [...given.flatMap(([name]) => (keys.has(name) ? [] : [unknown(name)])), ...wrong]
  const tracing = otel(env, problems)
  if (!parsed.success || problems.length > 0) throw new StartRefused(problems.join('; '))
  const { dataDir, workflows, collections } = parsed.data
  const settings = {
    ...parsed.data,
    tracing,
    dataDir: resolve(workingDirectory, dataDir),
    workflows: workflows && resolve(workingDirectory, workflows),
    collections: collections && resolve(workingDirectory, collections),
  }
  if (settings.anonymousRole && !isLoopback(settings.host)) {
    throw new StartRefused(`SLUICE_ANONYMOUS_ROLE lets everybody in who reaches ${settings.host}: unset it, or set SLUICE_HOST to 127.0.0.1`)
  }
  const model = modelProblem(settings)
  if (model) throw new StartRefused(model)
  return settings
}

/** A model needs an address and a name; a key alone would go nowhere. */
function modelProblem({ modelUrl, modelKey, model }: Pick<Settings, 'modelUrl' | 'modelKey' | 'model'>): string | null {
  if (modelUrl) return model ? null : 'SLUICE_MODEL_URL is set without SLUICE_MODEL: name the model that is to be asked there, or unset both'
  const alone = [model && 'SLUICE_MODEL', modelKey && 'SLUICE_MODEL_KEY'].filter((each) => each).join(' and ')
  return alone ? `${alone} without SLUICE_MODEL_URL: set the address of the endpoint, such as https://api.openai.com/v1, or unset ${alone}` : null
}

function otel(env: Environment, problems: string[]): Tracing | null {
  try {
    return tracingOf(env)
  } catch (error) {
    problems.push((error as Error).message)
    return null
  }
}

/** Read by the client and by the tests; not ours, and not a mistake. */
const foreign = /^SLUICE_(KEY|URL|TEST_\w+)$/

/** All that `loadConfig` knows, as in docs/operations.md. */
export const settingNames: readonly string[] = [...keys.keys()]

const nameOf = (key: string): string | undefined => [...keys].find(([, each]) => each === key)?.[0]

/** Names the settings that an unknown one may have meant: a slip of the fingers away, or longer or shorter. */
function unknown(name: string): string {
  const near = [...keys.keys()].filter((known) => distance(name, known) <= 2 || known.startsWith(name) || name.startsWith(known))
  return `${name} is not a setting of Sluice: ${near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'unset it'}`
}

/** Letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

export const isLoopback = (host: string): boolean => host === 'localhost' || (isIP(host) !== 0 && loopback.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4'))

/** The settings with their secret: the one given, or the one of the data directory, made on first use and readable by this user alone. */
export function withSecret(settings: Settings): Config {
  return { ...settings, secret: settings.secret ?? secretOf(settings.dataDir) }
}

function secretOf(dataDir: string): string {
  const path = join(dataDir, 'secret')
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    return kept(path) ?? make(path)
  } catch (error) {
    throw new StartRefused(
      `The secret in ${path} cannot be read or made: ${(error as Error).message}. Set SLUICE_DATA_DIR to a directory that this user owns, or set SLUICE_SECRET.`,
      { cause: error },
    )
  }
}

function kept(path: string): string | null {
  try {
    const text = readFileSync(path, 'utf8').trim()
    if (text.length < 32) throw new Error('it is too short')
    return text
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** Two servers that start at once agree on one: the first to link its file into place. */
function make(path: string): string {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft, { force: true })
  }
  return readFileSync(path, 'utf8').trim()
}

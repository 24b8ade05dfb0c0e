import type { EntityManager } from '@mikro-orm/postgresql'
import type { Pool } from 'pg'
import { bounds, outage, sqlState } from './database.ts'
import { mapApiKey } from './entities/api-key.ts'
import { mapMember } from './entities/member.ts'
import { mapPasswordToken } from './entities/password-token.ts'
import { mapRefreshToken } from './entities/refresh-token.ts'
import { mapSecret } from './entities/secret.ts'
import { mapUser } from './entities/user.ts'
import { mapWorkspace } from './entities/workspace.ts'
import { type LinkWatch, watchLink } from './link.ts'

export type { EntityManager }

/** The identity tables through MikroORM. Every call is a unit of work of its own; nothing is shared between two. */
export interface Orm {
  /** Statements that stand alone. */
  unit<T>(work: (em: EntityManager) => Promise<T>): Promise<T>
  /** All of it, or nothing. */
  transaction<T>(work: (em: EntityManager) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** What PostgreSQL refused. Its own words are left behind: they quote the values of the row, password hashes among them. */
export class StatementRefused extends Error {
  override readonly name = 'StatementRefused'
  readonly code: string
  readonly constraint: string | undefined

  constructor(code: string, { table, constraint }: { table?: string; constraint?: string }) {
    super(`PostgreSQL refused a statement on ${table ?? 'the identity tables'}: SQLSTATE ${code}${constraint ? `, ${constraint}` : ''}`)
    this.code = code
    this.constraint = constraint
  }
}

/** Logins and keys are few and their lookups cached: four connections of the server's share are plenty. Bounded like the pool of `database.ts`. */
const pool = { ...bounds, max: 4, idleTimeoutMillis: 60_000, application_name: 'sluice identity' }

/**
 * The first unit of work connects, and loads MikroORM, which takes longer to load and more memory than the rest of the store;
 * a server that nobody logs in to does without. Fails then with an `Outage` when PostgreSQL is away.
 */
export function openOrm(url: string): Orm {
  let opened: Promise<Opened> | undefined
  const fork = async () => (await (opened ??= open(url))).fork()
  return {
    unit: (work) => guard(async () => work(await fork())),
    transaction: (work) => guard(async () => (await fork()).transactional(work)),
    close: async () => (await opened)?.close(),
  }
}

interface Opened {
  fork(): EntityManager
  close(): Promise<void>
}

async function open(url: string): Promise<Opened> {
  const mikro = await import('@mikro-orm/postgresql')
  const options = { ...pool, connectionString: url }
  let link: LinkWatch | undefined
  const orm = await mikro.MikroORM.init({
    clientUrl: url,
    entities: [mapApiKey, mapMember, mapPasswordToken, mapRefreshToken, mapSecret, mapUser, mapWorkspace].map((map) => map(mikro)),
    // The address as pg itself reads it, with all that a URL may say of sockets and TLS.
    driverOptions: { ...options, onPoolCreated: (made: Pool) => void (link = watchLink(made, options)) },
    migrations: { snapshot: false },
    // It would write statements with their values, hashes and ciphertexts, to standard output.
    debug: false,
    logger: () => {},
  })
  return {
    fork: () => orm.em.fork(),
    async close() {
      link?.stop()
      await orm.close(true)
    },
  }
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = sqlState(error)
    try {
      return outage(error)
    } catch (known) {
      if (known !== error || code === undefined) throw known
      throw new StatementRefused(code, error as { table?: string; constraint?: string })
    }
  }
}

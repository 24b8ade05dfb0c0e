import type * as Mikro from '@mikro-orm/postgresql'
import type { EntityManager } from '@mikro-orm/postgresql'

/** A person with an email and a password. */
export class UserRow {
  declare id: string
  /** In the spelling of `normalEmail`: it is compared as it stands. */
  declare email: string
  declare name: string
  /** Empty: none has been set yet. */
  declare passwordHash: string
  declare tokenEpoch: number
  declare defaultWorkspaceId: string | null
  declare createdAt: Date
  declare updatedAt: Date
}

export const mapUser = ({ defineEntity, p }: typeof Mikro) =>
  defineEntity({
    class: UserRow,
    tableName: 'users',
    properties: {
      id: p.string().primary(),
      email: p.string(),
      name: p.string(),
      passwordHash: p.string(),
      tokenEpoch: p.integer(),
      defaultWorkspaceId: p.string().strictNullable(),
      createdAt: p.datetime(3),
      updatedAt: p.datetime(3),
    },
  })

export const insertUser = (em: EntityManager, row: UserRow): Promise<string> => em.insert(UserRow, row)

export const userById = (em: EntityManager, id: string): Promise<UserRow | null> => em.findOne(UserRow, { id })

export const userByEmail = (em: EntityManager, email: string): Promise<UserRow | null> => em.findOne(UserRow, { email })

export const anyUser = async (em: EntityManager): Promise<boolean> => (await em.execute('select 1 from users limit 1')).length > 0

/** Ends every token of the user. In one statement, so that two at once raise it twice. */
export async function raiseEpoch(em: EntityManager, userId: string): Promise<void> {
  await em.execute('update users set token_epoch = token_epoch + 1, updated_at = now() where id = ?', [userId])
}

/** Answers false when another change came first: the hash is no longer the one that was verified. */
export const replacePassword = async (em: EntityManager, userId: string, from: string, to: string): Promise<boolean> =>
  (await em.nativeUpdate(UserRow, { id: userId, passwordHash: from }, { passwordHash: to, updatedAt: new Date() })) === 1

/** Waits for others that change the user, and reads what they made of them. */
export const lockUser = async (em: EntityManager, id: string): Promise<UserRow | null> => {
  await em.execute('select 1 from users where id = ? for update', [id])
  return em.findOne(UserRow, { id }, { refresh: true })
}

export interface UserChange {
  email?: string
  name?: string
  passwordHash?: string
  defaultWorkspaceId?: string | null
}

export async function updateUser(em: EntityManager, id: string, change: UserChange): Promise<void> {
  await em.nativeUpdate(UserRow, { id }, { ...change, updatedAt: new Date() })
}

/** Whether sessions of any workspace are the user's. */
export const hasSessions = async (em: EntityManager, id: string): Promise<boolean> => (await em.execute('select 1 from sessions where user_id = ? limit 1', [id])).length > 0

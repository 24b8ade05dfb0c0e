import type * as Mikro from '@mikro-orm/postgresql'
import type { EntityManager } from '@mikro-orm/postgresql'

/** A named credential for nodes, encrypted before it comes here. */
export class SecretRow {
  declare workspaceId: string
  declare name: string
  declare ciphertext: Buffer
  declare createdAt: Date
  declare updatedAt: Date
}

export const mapSecret = ({ defineEntity, p }: typeof Mikro) =>
  defineEntity({
    class: SecretRow,
    tableName: 'secrets',
    properties: {
      workspaceId: p.string().primary(),
      name: p.string().primary(),
      ciphertext: p.blob().$type<Buffer>(),
      createdAt: p.datetime(3),
      updatedAt: p.datetime(3),
    },
  })

/** Makes it or replaces its value; `createdAt` stays that of the first. */
export async function putSecret(em: EntityManager, row: SecretRow): Promise<void> {
  await em.upsert(SecretRow, row, { onConflictFields: ['workspaceId', 'name'], onConflictMergeFields: ['ciphertext', 'updatedAt'] })
}

export const secretOf = (em: EntityManager, workspaceId: string, name: string): Promise<SecretRow | null> => em.findOne(SecretRow, { workspaceId, name })

export const countSecrets = (em: EntityManager, workspaceId: string): Promise<number> => em.count(SecretRow, { workspaceId })

export const deleteSecret = async (em: EntityManager, workspaceId: string, name: string): Promise<boolean> => (await em.nativeDelete(SecretRow, { workspaceId, name })) === 1

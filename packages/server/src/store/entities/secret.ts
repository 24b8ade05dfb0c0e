import { defineEntity, p, type EntityManager } from '@mikro-orm/postgresql'

/** A named credential for nodes, encrypted before it comes here. */
export const Secret = defineEntity({
  name: 'Secret',
  tableName: 'secrets',
  properties: {
    workspaceId: p.string().primary(),
    name: p.string().primary(),
    ciphertext: p.blob().$type<Buffer>(),
    createdAt: p.datetime(3),
    updatedAt: p.datetime(3),
  },
})

export interface SecretRow {
  workspaceId: string
  name: string
  ciphertext: Buffer
  createdAt: Date
  updatedAt: Date
}

/** Makes it or replaces its value; `createdAt` stays that of the first. */
export async function putSecret(em: EntityManager, row: SecretRow): Promise<void> {
  await em.upsert(Secret, row, { onConflictFields: ['workspaceId', 'name'], onConflictMergeFields: ['ciphertext', 'updatedAt'] })
}

export const secretOf = (em: EntityManager, workspaceId: string, name: string): Promise<SecretRow | null> => em.findOne(Secret, { workspaceId, name })

export const countSecrets = (em: EntityManager, workspaceId: string): Promise<number> => em.count(Secret, { workspaceId })

export const deleteSecret = async (em: EntityManager, workspaceId: string, name: string): Promise<boolean> => (await em.nativeDelete(Secret, { workspaceId, name })) === 1

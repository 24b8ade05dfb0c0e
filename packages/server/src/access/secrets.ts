import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto'
import { Fault, type ListSecrets, type OneSecret, type Page, type Secret, type SetSecret } from '@sluice/schema'
import { countSecrets, deleteSecret, putSecret, secretOf } from '../store/entities/secret.ts'
import type { Orm } from '../store/orm.ts'
import type { Tx } from '../store/index.ts'
import { listSecrets } from '../store/views/identity.ts'
import { authorize } from './policy.ts'
import type { Principal } from './principal.ts'

/** Named credentials for nodes. Written and listed here; the value goes to a step at the moment of its call, and nowhere else. */
export interface Secrets {
  /** Makes or replaces. `value` is at most 64 KiB of UTF-8, `name` 1 to 100 characters of A-Z a-z 0-9 . _ - */
  set(principal: Principal, input: SetSecret): Promise<Secret>
  /** In order of name, without values. */
  list(principal: Principal, input?: Partial<ListSecrets>): Promise<Page<Secret>>
  /** Throws `secret_missing`. */
  delete(principal: Principal, input: OneSecret): Promise<void>
  /** The value, for the abilities of a node alone: no face of the server calls this. Throws `secret_missing`. */
  reveal(workspaceId: string, name: string): Promise<string>
}

const named = /^[A-Za-z0-9._-]{1,100}$/
const mostBytes = 64 * 1024
/** A workspace's. */
const most = 1_000

/** For secrets that other rooms keep, under a name that no secret here has. */
export interface Vault {
  seal(workspaceId: string, name: string, text: string): Buffer
  /** Throws when it was sealed under another secret of the server, or for another name. */
  open(workspaceId: string, name: string, sealed: Buffer): string
}

export const createVault = (key: KeyObject): Vault => ({
  seal: (workspaceId, name, text) => seal(key, workspaceId, name, text),
  open: (workspaceId, name, sealed) => open(key, workspaceId, name, sealed),
})

export function createSecrets(orm: Orm, database: Tx, key: KeyObject, now: () => number): Secrets {
  return {
    async set(principal, { name, value }) {
      authorize(principal, 'secrets.manage')
      check(name, value)
      const { workspaceId } = principal
      const at = new Date(now())
      const kept = await orm.unit(async (em) => {
        const old = await secretOf(em, workspaceId, name)
        if (!old && (await countSecrets(em, workspaceId)) >= most) throw new Fault('limit_exceeded', { message: `A workspace has at most ${most} secrets` })
        await putSecret(em, { workspaceId, name, ciphertext: seal(key, workspaceId, name, value), createdAt: at, updatedAt: at })
        return old
      })
      return { name, created: (kept?.createdAt ?? at).toISOString(), updated: at.toISOString() }
    },

    async list(principal, asked = {}) {
      authorize(principal, 'secrets.list')
      return listSecrets(database, principal.workspaceId, { limit: 100, ...asked })
    },

    async delete(principal, { name }) {
      authorize(principal, 'secrets.manage')
      if (!named.test(name) || !(await orm.unit((em) => deleteSecret(em, principal.workspaceId, name)))) throw new Fault('secret_missing')
    },

    async reveal(workspaceId, name) {
      const row = named.test(name) ? await orm.unit((em) => secretOf(em, workspaceId, name)) : null
      if (!row) throw new Fault('secret_missing', { message: 'There is no secret of this name' })
      return open(key, workspaceId, name, row.ciphertext)
    },
  }
}

function check(name: string, value: string): void {
  const issues = []
  if (!named.test(name)) issues.push({ path: ['name'], message: 'expected 1 to 100 characters of A-Z a-z 0-9 . _ -' })
  if (Buffer.byteLength(value) > mostBytes) issues.push({ path: ['value'], message: 'expected at most 64 KiB' })
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
}

// AES-256-GCM: form (1 byte), nonce (12), ciphertext, tag (16). Workspace and name are bound in, so that a row copied to
// another place does not open there. A nonce at random meets itself after some 2^48 writes: never.
const form = 1

const bound = (workspaceId: string, name: string): Buffer => Buffer.from(JSON.stringify([workspaceId, name]))

export function seal(key: KeyObject, workspaceId: string, name: string, value: string): Buffer {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(bound(workspaceId, name))
  const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()])
  return Buffer.concat([Buffer.of(form), nonce, body, cipher.getAuthTag()])
}

export function open(key: KeyObject, workspaceId: string, name: string, sealed: Buffer): string {
  try {
    if (sealed[0] !== form) throw new Error('another form')
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 13), { authTagLength: 16 })
    decipher.setAAD(bound(workspaceId, name)).setAuthTag(sealed.subarray(-16))
    return Buffer.concat([decipher.update(sealed.subarray(13, -16)), decipher.final()]).toString('utf8')
  } catch {
    throw new Fault('secret_missing', { message: `The secret ${name} cannot be read: it was kept under another SLUICE_SECRET; set it again` })
  }
}

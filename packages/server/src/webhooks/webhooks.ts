import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import {
  type AcceptedDelivery,
  type AddressedWebhook,
  type CreateWebhook,
  type Delivered,
  type Delivery,
  type DeliverWebhook,
  Fault,
  type Json,
  limits,
  type ListDeliveries,
  type ListWebhooks,
  type OneDelivery,
  type OneWebhook,
  type Page,
  type SetSignature,
  type UpdateWebhook,
  type Webhook,
} from '@sluice/schema'
import type { Actor } from '../engine/engine.ts'
import type { Doorbell } from '../events/doorbell.ts'
import { fingerprintOf } from '../store/fingerprint.ts'
import { newId } from '../store/ids.ts'
import type { Database, Tx } from '../store/index.ts'
import { redirectKey, takeKey } from '../store/rows/idempotency.ts'
import {
  contentOf,
  countReaders,
  deleteWebhook,
  type DeliveryKeys,
  findWebhook,
  insertDelivery,
  insertWebhook,
  lockWebhook,
  sameDelivery,
  type StoredContent,
  updateWebhook,
  webhookAt,
  webhookNamed,
  type WebhookRow,
  type WebhookWrite,
} from '../store/rows/webhooks.ts'
import { pinWorkflow } from '../store/rows/workflows.ts'
import { listDeliveries, listWebhooks, webhookFrom } from '../store/views/webhooks.ts'
import { type Came, keptOf } from './kept.ts'
import { toldOf, verify, type Vouched } from './signature.ts'

/** A request at the address of a webhook, before anything of it is believed. */
export interface Arrival extends Omit<Came, 'body'> {
  id: string
  secret: string
  raw: Uint8Array
  /** The body as JSON text; asked once it is known whose it is. Throws faults. */
  read(): string
}

/**
 * What others send. A delivery is committed before it is answered, and goes to the workflow that the webhook is a trigger of and
 * to every producer that waits for it, once each (`dispatch.ts`).
 */
export interface Webhooks {
  /** Its address is shown this once. Throws `name_taken`, `workflow_missing`, `limit_exceeded`. */
  create(actor: Actor, input: CreateWebhook): Promise<AddressedWebhook>
  list(actor: Actor, input: ListWebhooks): Promise<Page<Webhook>>
  get(actor: Actor, input: OneWebhook): Promise<Webhook>
  update(actor: Actor, input: UpdateWebhook): Promise<Webhook>
  /** A new address; the one before it is none from now on. */
  rotate(actor: Actor, input: OneWebhook): Promise<AddressedWebhook>
  /** With its deliveries: those that no run was started with yet start none. Runs go on; who waits for it waits for another of its name. */
  delete(actor: Actor, input: OneWebhook): Promise<void>
  deliveries(actor: Actor, input: ListDeliveries): Promise<Page<Delivery>>
  /** A new delivery with the content of one that came. Throws `delivery_missing`. */
  redeliver(actor: Actor, input: OneDelivery): Promise<Delivered>
  deliver(actor: Actor, input: DeliverWebhook): Promise<Delivered>
  /** By who knows the address. Throws `webhook_missing` for any other, and `signature_invalid`. */
  receive(arrival: Arrival): Promise<AcceptedDelivery>
}

/** Keeps what signatures are checked with. */
export interface Vault {
  seal(workspaceId: string, name: string, text: string): Buffer
  /** Throws for what was sealed by another server, or for something else. */
  open(workspaceId: string, name: string, sealed: Buffer): string
}

export interface WebhooksParts {
  database: Database
  doorbell: Doorbell
  vault: Vault
  now?: () => number
  /** An id that is made now. */
  makeId?: () => string
}

export function createWebhooks({ database, doorbell, vault, now = Date.now, makeId = newId }: WebhooksParts): Webhooks {
  const find = async (tx: Tx, { workspaceId }: Actor, ref: string): Promise<WebhookRow> => (await findWebhook(tx, workspaceId, ref)) ?? missing(ref)

  /** Under its lock. */
  const locked = async (tx: Tx, actor: Actor, ref: string) => (await lockWebhook(tx, (await find(tx, actor, ref)).id)) ?? missing(ref)

  async function make(tx: Tx, row: WebhookWrite): Promise<WebhookRow | undefined> {
    const made = await insertWebhook(tx, row, limits.webhooks)
    if (made === 'full') throw new Fault('limit_exceeded', { message: `A workspace has at most ${limits.webhooks} webhooks` })
    return made
  }

  const signing = ({ workspaceId }: Pick<Actor, 'workspaceId'>, id: string, given: SetSignature): Pick<WebhookWrite, 'signature' | 'signingSecret'> => ({
    signature: toldOf(given),
    signingSecret: vault.seal(workspaceId, sealedAs(id), given.secret),
  })

  /** One that is there, or else makes one without an address. */
  async function named(tx: Tx, { workspaceId }: Actor, name: string): Promise<string> {
    const there = await webhookNamed(tx, workspaceId, name)
    if (there) return there.id
    const made = await make(tx, { ...bare, id: newId(), workspaceId, name, at: new Date(now()) })
    return (made ?? (await webhookNamed(tx, workspaceId, name)))?.id ?? missing(name)
  }

  interface Incoming {
    content: StoredContent
    keys: DeliveryKeys
    redelivers: string | null
  }

  /** Takes it in, once. Undefined: there is no such webhook any more. */
  async function take(tx: Tx, webhookId: string, { content, keys, redelivers }: Incoming): Promise<Delivered | undefined> {
    const webhook = await lockWebhook(tx, webhookId)
    if (!webhook) return undefined
    const same = await sameDelivery(tx, webhook.id, keys)
    const id = same ?? (await insertDelivery(tx, webhook, { ...content, ...keys, redelivers, id: makeId(), at: new Date(now()) }))
    const readers = await countReaders(tx, webhook)
    return { id, webhookId: webhook.id, repeated: same !== null, subscribers: readers + (webhook.workflow_id === null ? 0 : 1) }
  }

  async function come(work: (tx: Tx) => Promise<Delivered | undefined>, ref: string): Promise<Delivered> {
    const delivered = (await database.transaction(work)) ?? missing(ref)
    if (!delivered.repeated) doorbell.ring({ sources: true })
    return delivered
  }

  return {
    async create(actor, { name, signature, idHeader, trigger }) {
      const id = newId()
      const secret = newSecret()
      const made = await database.transaction(async (tx) =>
        make(tx, {
          ...bare,
          ...(signature && signing(actor, id, signature)),
          ...(trigger && (await bound(tx, actor, trigger.workflow))),
          id,
          workspaceId: actor.workspaceId,
          name,
          secretHash: digest(secret),
          idHeader: idHeader?.toLowerCase() ?? null,
          at: new Date(now()),
        }),
      )
      if (!made) throw nameTaken(name)
      return addressed(made, secret)
    },

    list: (actor, input) => listWebhooks(database, actor.workspaceId, input),

    get: async (actor, { webhook }) => webhookFrom(await find(database, actor, webhook)),

    async update(actor, { webhook, name, signature, idHeader, trigger }) {
      const row = await database.transaction(async (tx) => {
        // Before the webhook, as its dispatcher does.
        const triggered = trigger ? await bound(tx, actor, trigger.workflow) : trigger === null ? unbound : {}
        const old = await locked(tx, actor, webhook)
        const signed = signature ? signing(actor, old.id, signature) : signature === null ? unsigned : {}
        const write = { ...writeOf(old), ...signed, ...triggered, ...(idHeader !== undefined && { idHeader: idHeader?.toLowerCase() ?? null }), at: new Date(now()) }
        if (!(await updateWebhook(tx, { ...write, name: name ?? old.name }))) throw nameTaken(name ?? old.name)
        return find(tx, actor, old.id)
      })
      return webhookFrom(row)
    },

    async rotate(actor, { webhook }) {
      const secret = newSecret()
      const row = await database.transaction(async (tx) => {
        const old = await locked(tx, actor, webhook)
        await updateWebhook(tx, { ...writeOf(old), secretHash: digest(secret), at: new Date(now()) })
        return find(tx, actor, old.id)
      })
      return addressed(row, secret)
    },

    async delete(actor, { webhook }) {
      await database.transaction(async (tx) => deleteWebhook(tx, (await locked(tx, actor, webhook)).id))
    },

    async deliveries(actor, input) {
      return listDeliveries(database, (await find(database, actor, input.webhook)).id, input)
    },

    async redeliver(actor, { webhook, id }) {
      const found = await find(database, actor, webhook)
      return come(async (tx) => {
        const content = await contentOf(tx, found.id, id)
        if (!content) throw new Fault('delivery_missing')
        return take(tx, found.id, { content, keys: unknown, redelivers: id })
      }, webhook)
    },

    async deliver(actor, { idempotencyKey, ...request }) {
      const { name, body = null, headers = {}, method = 'POST', query = {} } = request
      const content = keptOf({ method, headers, query, body: textOf(body) })
      const key =
        idempotencyKey === undefined ? null : { workspaceId: actor.workspaceId, actor: actor.principalId, key: `deliver:${idempotencyKey}`, fingerprint: fingerprintOf(request) }
      return come((tx) => once(tx, key, async () => take(tx, await named(tx, actor, name), { content, keys: unknown, redelivers: null })), name)
    },

    async receive({ id, secret, raw, read, ...came }) {
      const webhook = await webhookAt(database, id)
      // A webhook that is not there takes as long as a secret that is wrong.
      const isKnown = timingSafeEqual(digest(secret), webhook?.secret_hash ?? nobodys)
      if (!webhook || !isKnown) throw new Fault('webhook_missing')
      const vouched = webhook.signature && verify(webhook.signature, openSecret(vault, webhook), { headers: came.headers, raw }, now())
      const senderId = vouched?.id ? knownAs(vouched.id) : senderIdOf(came.headers, webhook.id_header)
      const keys = { senderId, signatureHash: vouched && signatureKey(webhook, vouched, senderId) }
      const signedBy = webhook.signature ? [webhook.signature.header] : []
      const content = keptOf({ ...came, body: read() }, signedBy)
      const delivered = await come((tx) => take(tx, webhook.id, { content, keys, redelivers: null }), id)
      return { delivery: delivered.id, repeated: delivered.repeated }
    },
  }
}

/** What was answered to the same request under this key, or what it is answered now. */
async function once(tx: Tx, key: Omit<Parameters<typeof takeKey>[1], 'reply'> | null, make: () => Promise<Delivered | undefined>): Promise<Delivered | undefined> {
  if (!key) return make()
  const kept = await takeKey(tx, { ...key, reply: 'null' })
  if (kept && kept.fingerprint !== key.fingerprint) throw new Fault('idempotency_conflict')
  if (kept) return { ...(kept.reply as Delivered), repeated: true }
  const made = await make()
  if (made) await redirectKey(tx, { ...key, reply: JSON.stringify(made) })
  return made
}

const sealedAs = (id: string): string => `webhook/${id}`

/** A server that cannot check a signature takes nothing in: senders try again. */
function openSecret(vault: Vault, { workspace_id, id, signing_secret }: WebhookRow): string {
  try {
    return vault.open(workspace_id, sealedAs(id), signing_secret!)
  } catch (error) {
    throw new Error(`The signing secret of the webhook ${id} cannot be read: set it again`, { cause: error })
  }
}

/**
 * A signature with a time is of this one delivery, whatever unsigned id stands beside it. One without is the same for each
 * delivery of the same content: of those that have an id the sender's id tells them apart.
 */
function signatureKey({ signature }: WebhookRow, { signature: right }: Vouched, senderId: string | null): Buffer | null {
  const isOfTheBody = signature?.timestampHeader === null && senderId !== null
  return right === null || isOfTheBody ? null : hash('sha256', right, 'buffer')
}

const idHeaders = ['webhook-id', 'idempotency-key']
const longestId = 200

/** What is longer than an id is known by its hash. */
const knownAs = (id: string): string => (id.length <= longestId ? id : hash('sha256', id, 'hex'))

/** What the sender calls it. */
function senderIdOf(headers: Came['headers'], own: string | null): string | null {
  const id = (own === null ? idHeaders : [own, ...idHeaders]).map((name) => headers[name]).find((value) => value !== undefined && value !== '')
  return id === undefined ? null : knownAs(id)
}

async function bound(tx: Tx, actor: Actor, workflow: string): Promise<Pick<WebhookWrite, 'workflowId' | 'boundBy'>> {
  const found = await pinWorkflow(tx, actor.workspaceId, workflow)
  if (!found) throw new Fault('workflow_missing', { details: { workflow } })
  return { workflowId: found.id, boundBy: actor.userId }
}

const unbound = { workflowId: null, boundBy: null }
const unsigned = { signature: null, signingSecret: null }
const bare = { ...unbound, ...unsigned, secretHash: null, idHeader: null }
const unknown: DeliveryKeys = { senderId: null, signatureHash: null }

const writeOf = (row: WebhookRow): Omit<WebhookWrite, 'at'> => ({
  id: row.id,
  workspaceId: row.workspace_id,
  name: row.name,
  secretHash: row.secret_hash,
  signature: row.signature,
  signingSecret: row.signing_secret,
  idHeader: row.id_header,
  workflowId: row.workflow_id,
  boundBy: row.bound_by,
})

/** 256 bits at random, as base64url. */
const newSecret = (): string => randomBytes(32).toString('base64url')
/** There is nothing to guess, so nothing to slow down. */
const digest = (secret: string): Buffer => hash('sha256', secret, 'buffer')
/** No secret has it. */
const nobodys = randomBytes(32)

const addressed = (row: WebhookRow, secret: string): AddressedWebhook => ({ ...webhookFrom(row), address: `/v1/hooks/${row.id}/${secret}` })

const textOf = (body: Json): string => JSON.stringify(body)

const nameTaken = (name: string) => new Fault('name_taken', { details: { name } })

function missing(webhook: string): never {
  throw new Fault('webhook_missing', { details: { webhook } })
}

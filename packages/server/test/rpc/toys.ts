import {
  Fault,
  type Account,
  type Event,
  type Member,
  type NodeFile,
  type Pause,
  type Queue,
  type Schedule,
  type QueueItem,
  type Record as CollectionRecord,
  type Run,
  type Session,
  type Step,
  type StoredFile,
  type Webhook,
  type Workflow,
  type WorkflowFile,
  workflowFormat,
  type Workspace,
} from '@sluice/schema'
import type { Deed } from '../../src/access/audit.ts'
import type { Credential, Principal } from '../../src/access/authenticate.ts'
import { createCollections } from '../../src/collections/collections.ts'
import type { Actor } from '../../src/engine/engine.ts'
import type { Batch, FeedItem } from '../../src/events/feed.ts'
import type { Incoming } from '../../src/files/blobs.ts'
import { ReceivedFile } from '../../src/files/received.ts'
import type { Parts } from '../../src/rpc/context.ts'
import { createLog, type Log } from '../../src/telemetry.ts'

/** Parts that remember what they were called with, and hold only what a test puts there. */
export interface Toys {
  parts: Parts
  /** Every call into a part: its name, and its arguments. */
  calls: { name: string; args: unknown[] }[]
  /** What the audit log was told. */
  deeds: Deed[]
  principals: Map<string, Principal>
  /** Principals whose credential has ended. */
  dead: Set<string>
  /** Thrown by the next call into a part. */
  failWith: { error?: Error | undefined }
  feed: ToyFeed
  log: Log
  logged: string[]
}

export const at = '2026-01-31T12:00:00.000Z'
export const ids = {
  run: '000000000000run',
  workflow: '00000workflow00',
  pause: '0000000000pause',
  session: '00000000session',
  user: '00000000000user',
  workspace: '000000workspace',
  key: '000000000000key',
  file: '00000000000file',
  webhook: '00000000webhook',
  nodeFile: '0000000nodefile',
}

export const file: StoredFile = { id: ids.file, name: 'notes.txt', contentType: 'text/plain', bytes: 0, sha256: 'e3b0', userId: ids.user, created: at, unusedSince: at }

export const nodeFile: NodeFile = { id: ids.nodeFile, workflowId: ids.workflow, nodeId: 'in', key: 'notes', file, created: at, updated: at }

export const run: Run = {
  id: ids.run,
  workflowId: ids.workflow,
  workflow: 'order',
  version: 1,
  status: 'running',
  waitingKind: null,
  progress: 0,
  reason: null,
  transactionId: null,
  lane: null,
  parentRunId: null,
  sessionId: null,
  trigger: 'manual',
  tags: [],
  created: at,
  startedAt: at,
  endedAt: null,
  updated: at,
  input: null,
  output: null,
  waitingOn: [],
  nodes: [],
  pauses: [],
}

const record: CollectionRecord = { collection: { id: 'pbc_3436149272', name: 'workflow_sessions' }, id: ids.session, values: { title: 'Talk', created: at }, instants: ['created'] }

const queue: Queue = { name: 'orders', trigger: null, created: at, updated: at }

const schedule: Schedule = {
  id: '0000000schedule',
  workflowId: ids.workflow,
  name: 'nightly',
  cron: '30 2 * * *',
  everyMs: null,
  timeZone: 'UTC',
  missed: 'once',
  overlap: 'skip',
  times: null,
  startsAt: null,
  endsAt: null,
  enabled: true,
  nextAt: at,
  lastAt: null,
  lastRunId: null,
  count: 0,
  skipped: 0,
  lastError: null,
  retryAt: null,
  origin: 'api',
  created: at,
  updated: at,
}

const queueItem: QueueItem = {
  id: ids.run,
  queue: 'orders',
  status: 'waiting',
  payload: 1,
  tries: 0,
  error: null,
  runId: null,
  pushedAt: at,
  retryAt: null,
  takenAt: null,
}

export const workflow: Workflow = {
  id: ids.workflow,
  handle: 'invoice',
  name: 'Invoice',
  description: '',
  origin: 'drawn',
  draft: { kind: 'workflow', nodes: [], links: [] },
  revision: 1,
  version: null,
  hash: null,
  extra: {},
  activity: { runs: 0, active: 0, current: null, lastRun: null },
  created: at,
  updated: at,
}

export const pause: Pause = {
  id: ids.pause,
  runId: ids.run,
  workflowId: ids.workflow,
  nodeId: 'approve',
  step: 'approve',
  iteration: '',
  kind: 'approval',
  status: 'open',
  message: 'Pay?',
  form: null,
  input: null,
  assignee: null,
  openedAt: at,
  dueAt: null,
  decision: null,
}

const step: Step = {
  key: `${ids.run}/a/`,
  runId: ids.run,
  nodeId: 'a',
  step: 'a',
  iteration: '',
  state: 'completed',
  attempts: 1,
  failures: 0,
  input: null,
  output: null,
  route: null,
  error: null,
  reported: false,
  waitingFor: null,
  skipReason: null,
  compensation: null,
  startedAt: at,
  lastAttemptAt: at,
  retryAt: null,
  timedOutAt: null,
  endedAt: at,
}

export const session: Session = {
  id: ids.session,
  title: 'Order',
  description: null,
  tags: [],
  metadata: {},
  mode: null,
  tools: null,
  user: ids.user,
  subject: null,
  workflowId: ids.workflow,
  status: 'running',
  currentStepId: null,
  steps: [],
  progress: 0,
  context: null,
  stoppedAt: null,
  externalId: null,
  created: at,
  updated: at,
}

const webhook: Webhook = { id: ids.webhook, name: 'orders', hasAddress: true, signature: null, idHeader: null, trigger: null, created: at, updated: at }
const delivered = { id: '0000000delivery', webhookId: ids.webhook, repeated: false, subscribers: 1 }

const version = { workflowId: ids.workflow, number: 1, hash: 'h', name: 'Invoice', description: '', definition: workflow.draft, created: at }
const workflowFile: WorkflowFile = { format: workflowFormat, handle: 'invoice', name: 'Invoice', description: '', extra: {}, draft: workflow.draft, versions: [] }
const user = { id: ids.user, email: 'ada@example.com', name: 'Ada', created: at }
const member: Member = { userId: ids.user, email: user.email, name: user.name, role: 'owner', pending: false, joined: at }
const account: Account = { ...user, role: 'owner' }
const workspace: Workspace = { id: ids.workspace, handle: 'default', name: 'Default', role: 'owner', isDefault: true, created: at }
const pair = { token: 'new-token', refreshToken: 'new-refresh', user }

export const principal = (over: Partial<Principal> = {}): Principal => ({
  id: ids.user,
  userId: ids.user,
  workspaceId: ids.workspace,
  role: 'owner',
  scopes: null,
  credential: 'token',
  email: user.email,
  name: user.name,
  ...over,
})

/** Run events of one run, kept by the test and pushed by it. */
export interface ToyFeed {
  events: FeedItem[]
  push(...items: FeedItem[]): void
  /** Subscriptions that have not ended. */
  open: number
  /** `after` of every subscription so far. */
  asked: (string | undefined)[]
}

export const event = (seq: number): Event => ({
  subject: { kind: 'run', id: ids.run },
  workflowId: ids.workflow,
  seq,
  cursor: `c${seq}`,
  at,
  type: 'run.resumed',
})
export const lastEvent = (seq: number): Event => ({
  subject: { kind: 'run', id: ids.run },
  workflowId: ids.workflow,
  seq,
  cursor: `c${seq}`,
  at,
  type: 'run.completed',
  output: 1,
  durationMs: 1,
})

function createFeed(): ToyFeed & { follow(after: string | undefined, signal: AbortSignal): AsyncGenerator<Batch> } {
  let wake = () => {}
  let woken = new Promise<void>((resolve) => (wake = resolve))
  const feed = {
    events: [] as FeedItem[],
    open: 0,
    asked: [] as (string | undefined)[],
    push(...items: FeedItem[]) {
      feed.events.push(...items)
      const before = wake
      woken = new Promise<void>((resolve) => (wake = resolve))
      before()
    },
    async *follow(after: string | undefined, signal: AbortSignal) {
      feed.asked.push(after)
      feed.open++
      try {
        let next = feed.events.findIndex(({ cursor }) => cursor === after) + 1
        while (!signal.aborted) {
          const item = feed.events[next]
          if (item) {
            next++
            yield [item]
            if (item.type === 'run.completed') return
          } else await Promise.race([woken, new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))])
        }
      } finally {
        feed.open--
      }
    },
  }
  return feed
}

/** Every method of a part answers with the value given for it, and is remembered. */
function toy<T extends object>(name: string, toys: Pick<Toys, 'calls' | 'failWith'>, answers: { [K in keyof T]: unknown }): T {
  const methods = Object.entries(answers).map(([method, answer]) => [
    method,
    async (...args: unknown[]) => {
      toys.calls.push({ name: `${name}.${method}`, args })
      const { error } = toys.failWith
      toys.failWith.error = undefined
      if (error !== undefined) throw error
      return typeof answer === 'function' ? (answer as (...args: unknown[]) => unknown)(...args) : answer
    },
  ])
  return Object.fromEntries(methods) as T
}

const page = (...items: unknown[]) => ({ items, nextCursor: null })

export function createToys(): Toys {
  const calls: Toys['calls'] = []
  const failWith: Toys['failWith'] = {}
  const principals = new Map<string, Principal>()
  const dead = new Set<string>()
  const tickets = new Map<string, Principal>()
  const feed = createFeed()
  const memory = { calls, failWith }
  const logged: string[] = []

  async function authenticate(credential: Credential | null): Promise<Principal | null> {
    if (!credential) return principals.get('') ?? null
    const value = credential.kind === 'basic' ? Buffer.from(credential.value, 'base64').toString().split(':')[0]! : credential.value
    const found = principals.get(value)
    if (!found) throw new Fault('credential_invalid')
    return { ...found, credential: credential.kind === 'cookie' ? 'cookie' : found.credential }
  }

  const deeds: Deed[] = []
  const parts: Parts = {
    audit: { record: (deed) => void deeds.push(deed), list: async () => ({ items: [], nextCursor: null }) },
    engine: toy<Parts['engine']>('engine', memory, {
      start: (_actor: Actor, input: { workflow: string }) => ({ ...run, tags: [input.workflow] }),
      startTaking: ids.run,
      wait: run,
      cancel: run,
      stop: run,
      hold: run,
      release: run,
      retryStep: run,
      fork: run,
      try: { runId: ids.run, status: 'completed', nodeId: 'a', type: 'template', config: {}, input: null, output: 1, ended: false, error: null, outputs: {}, durationMs: 1 },
      tryType: {
        runId: ids.run,
        status: 'completed',
        nodeId: 'template',
        type: 'template',
        config: {},
        input: null,
        output: 1,
        ended: false,
        error: null,
        outputs: {},
        durationMs: 1,
      },
      forgetTrials: { cleared: true },
      decide: pause,
      report: step,
      signal: { id: ids.run },
      deliver: true,
      deleteWorkflow: undefined,
    }),
    workflows: toy<Parts['workflows']>('workflows', memory, {
      list: page(workflow),
      get: workflow,
      create: workflow,
      update: workflow,
      reset: workflow,
      duplicate: workflow,
      export: workflowFile,
      import: workflow,
      publish: version,
      versions: page(version),
      version,
      outputs: [],
      edit: workflow,
      node: { node: { id: 'a', type: 'input' }, sample: null },
    }),
    queues: toy<Parts['queues']>('queues', memory, { put: queue, push: { ids: [ids.run] }, retry: { count: 1 }, delete: undefined }),
    schedules: toy<Parts['schedules']>('schedules', memory, {
      create: schedule,
      update: schedule,
      pause: schedule,
      resume: schedule,
      start: run,
      delete: undefined,
      preview: { moments: [at] },
    }),
    webhooks: toy<Parts['webhooks']>('webhooks', memory, {
      create: { ...webhook, address: `/v1/hooks/${ids.webhook}/secret` },
      list: page(webhook),
      get: webhook,
      update: webhook,
      rotate: { ...webhook, address: `/v1/hooks/${ids.webhook}/secret` },
      delete: undefined,
      deliveries: page(),
      redeliver: delivered,
      deliver: delivered,
      receive: { delivery: delivered.id, repeated: false },
    }),
    sessions: toy<Parts['sessions']>('sessions', memory, {
      get: session,
      create: session,
      put: session,
      update: session,
      delete: undefined,
      send: {
        session,
        message: { kind: 'message', id: ids.run, sessionId: ids.session, number: 1, at, runId: null, role: 'user', text: 'Hello', metadata: {}, files: [] },
        runId: null,
        pauseId: null,
      },
      ask: {
        session,
        message: null,
        runId: null,
        state: 'answered',
        answer: null,
        calls: [],
        pauseId: null,
        asked: null,
        reason: null,
        usage: { promptTokens: 0, completionTokens: 0 },
      },
      stop: session,
      deleteMessage: undefined,
      detachFile: undefined,
      check: undefined,
    }),
    nodeTypes: { list: () => [], get: () => undefined, options: () => null },
    views: toy<Parts['views']>('views', memory, {
      getRun: run,
      listRuns: page(run),
      findRun: run,
      currentRun: run,
      listSteps: page(step),
      listEvents: page(),
      getPause: pause,
      listPauses: page(pause),
      listQueues: page(queue),
      getQueueState: { ...queue, waiting: 1, taken: 0, dead: 0, oldest: at },
      listQueueItems: page(queueItem),
      getQueueItem: queueItem,
      listSchedules: page(schedule),
      getSchedule: schedule,
      listSessions: page(session),
      listLines: page(),
      listSessionEvents: page(),
      listChatbots: page(),
    }),
    files: toy<Parts['files']>('files', memory, {
      receive: async ({ name, contentType = '' }: Incoming, source: AsyncIterable<Uint8Array>) => {
        let bytes = 0
        for await (const piece of source) bytes += piece.byteLength
        return new ReceivedFile({ id: ids.file, name, contentType, bytes, sha256: '' })
      },
      discard: undefined,
      keep: { files: [file] },
      get: file,
      content: { file, async *read() {} },
      list: page(file),
      delete: undefined,
    }),
    nodeFiles: toy<Parts['nodeFiles']>('nodeFiles', memory, { list: page(nodeFile), get: nodeFile, add: nodeFile, change: nodeFile, delete: undefined }),
    runDeletion: toy<Parts['runDeletion']>('runDeletion', memory, { deleteRun: undefined }),
    database: { query: async () => [] },
    feed: {
      async run(of, signal) {
        if (of.runId !== ids.run) throw new Fault('run_missing')
        return feed.follow(of.after, signal)
      },
      workflow: async (of, signal) => feed.follow(of.after, signal),
      current: async (_of, signal) => feed.follow(undefined, signal),
      session: async (of, signal) => feed.follow(of.after, signal),
      workspace: async (of, signal) => feed.follow(of.after, signal),
      transaction: async (of, signal) => feed.follow(of.after, signal),
      pages: () => ({ next: async () => 'over', leave: () => {}, end: async () => ({ xid: 0n, position: 0 }) }),
    },
    accounts: { of: async (batch) => batch.map(() => null) },
    collections: createCollections(),
    records: toy<Parts['records']>('records', memory, {
      list: page(),
      get: record,
      create: record,
      update: record,
      delete: undefined,
      batch: { records: [record, null] },
      login: { token: 'token', record },
      renew: { token: 'token', record },
    }),
    connections: toy<Parts['connections']>('connections', memory, { open: undefined, subscribe: undefined, toldSoFar: undefined, close: undefined }),
    changes: { of: async () => [] },
    access: {
      ...toy<Omit<Parts['access'], 'keys' | 'secrets' | 'model' | 'members' | 'users' | 'workspaces'>>('access', memory, {
        authenticate,
        stillValid: ({ id }: Principal) => !dead.has(id),
        deciderOf: ({ userId }: Principal) => userId,
        login: ({ password }: { password: string }) => {
          if (password !== 'right') throw new Fault('login_failed')
          return pair
        },
        refresh: pair,
        renew: { token: 'renewed.by.toys', expiresAt: at, user },
        leave: undefined,
        logout: undefined,
        switch: pair,
        changePassword: pair,
        setPassword: ({ token }: { token: string }) => {
          if (token !== 'right') throw new Fault('credential_invalid')
          return user
        },
        me: { user, workspace: { id: ids.workspace, handle: 'default', name: 'Default' }, role: 'owner', credential: 'token', scopes: null },
        ticket: (who: Principal) => {
          const ticket = `ticket-${tickets.size}`
          tickets.set(ticket, who)
          return { ticket, expiresAt: at }
        },
        redeem: (ticket: string) => {
          const found = tickets.get(ticket)
          tickets.delete(ticket)
          if (!found) throw new Fault('credential_invalid')
          return found
        },
      }),
      keys: toy<Parts['access']['keys']>('keys', memory, {
        list: page(),
        create: { id: ids.key, name: 'k', prefix: 'sk_1', scopes: null, userId: ids.user, created: at, lastUsedAt: null, revokedAt: null, secret: 'sk_1234' },
        revoke: undefined,
      }),
      secrets: toy<Parts['access']['secrets']>('secrets', memory, { list: page(), set: { name: 's', created: at, updated: at }, delete: undefined }),
      model: toy<Parts['access']['model']>('model', memory, {
        get: { from: 'offline', url: null, model: 'offline', hasKey: false, updated: null },
        set: { from: 'workspace', url: 'https://api.example.com/v1', model: 'm', hasKey: true, updated: at },
        remove: undefined,
      }),
      members: toy<Parts['access']['members']>('members', memory, {
        list: page(member),
        invite: { ...member, created: true, setPassword: { token: 'set-it', expiresAt: at } },
        setRole: undefined,
        remove: undefined,
      }),
      users: toy<Parts['access']['users']>('users', memory, {
        list: page(account),
        get: account,
        update: account,
        delete: undefined,
        resetPassword: { token: 'set-it', expiresAt: at },
      }),
      workspaces: toy<Parts['access']['workspaces']>('workspaces', memory, { list: page(workspace), get: workspace, create: workspace, update: workspace, delete: undefined }),
    },
  }
  principals.set('owner-token', principal())
  principals.set('viewer-token', principal({ id: '000000000viewer', userId: '000000000viewer', role: 'viewer' }))
  principals.set('sk_owner', principal({ id: ids.key, credential: 'key' }))
  return { parts, calls, deeds, principals, dead, failWith, feed, log: createLog({ level: 'info', write: (line) => void logged.push(line) }), logged }
}

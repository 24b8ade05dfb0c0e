import type { JsonObject, NodeType, NodeTypeDialect, NodeTypeOption } from '@sluice/schema'
import type { Audit } from '../access/audit.ts'
import type { Access, Principal } from '../access/authenticate.ts'
import type { Engine } from '../engine/engine.ts'
import type { Accounts } from '../events/accounts.ts'
import type { Collections } from '../collections/collections.ts'
import type { Feed } from '../events/feed.ts'
import type { Files } from '../files/files.ts'
import type { NodeFiles } from '../files/node-files.ts'
import type { Queues } from '../queues/queues.ts'
import type { Changes } from '../records/changes.ts'
import type { Connections } from '../records/connections.ts'
import type { Records } from '../records/records.ts'
import type { RunDeletion } from '../retention/delete-run.ts'
import type { Tx } from '../store/index.ts'
import type * as pauseViews from '../store/views/pauses.ts'
import type * as queueViews from '../store/views/queues.ts'
import type * as scheduleViews from '../store/views/schedules.ts'
import type * as runViews from '../store/views/runs.ts'
import type * as chatbotViews from '../store/views/chatbots.ts'
import type * as sessionViews from '../store/views/sessions.ts'
import type { Sessions, Spoken } from '../sessions/sessions.ts'
import type { Schedules } from '../schedules/schedules.ts'
import type { Webhooks } from '../webhooks/webhooks.ts'
import type { Workflows } from '../workflows/workflows.ts'

/** `access`, as far as callers reach it: no face ever sees the value of a secret. */
export interface AccessPart extends Pick<
  Access,
  'authenticate' | 'stillValid' | 'deciderOf' | 'login' | 'refresh' | 'renew' | 'leave' | 'logout' | 'switch' | 'changePassword' | 'setPassword' | 'me' | 'ticket' | 'redeem'
> {
  keys: Access['keys']
  secrets: Pick<Access['secrets'], 'set' | 'list' | 'delete'>
  model: Pick<Access['model'], 'get' | 'set' | 'remove'>
  members: Pick<Access['members'], 'list' | 'invite' | 'setRole' | 'remove'>
  users: Access['users']
  workspaces: Access['workspaces']
}

/** `workflows`, as far as callers reach it; what the engine does in its own transactions is not for them. */
export type WorkflowsPart = Pick<
  Workflows,
  'list' | 'get' | 'create' | 'update' | 'reset' | 'duplicate' | 'export' | 'import' | 'publish' | 'versions' | 'version' | 'outputs' | 'edit' | 'node'
>

/** `files`, as far as callers reach it; what uses them is written by the rooms whose subjects use them. */
export type FilesPart = Pick<Files, 'receive' | 'discard' | 'keep' | 'get' | 'content' | 'list' | 'delete'>
export type { FileContent } from '../files/files.ts'
export type { Passage } from '../events/accounts.ts'
export type { Spoken } from '../sessions/sessions.ts'
export type { Change, Watched } from '../records/changes.ts'
export type { Connection, Subscribed, SubscribedTopic } from '../records/connections.ts'
export type { ReceivedFile } from '../files/received.ts'

export interface NodeTypesPart {
  /** Of a dialect its names for them. */
  list(dialect?: NodeTypeDialect): NodeType[]
  /** Given a dialect, only if it is a name of it. */
  get(type: string, dialect?: NodeTypeDialect): NodeType | undefined
  /** What a field of its config can be. Undefined: there is no such field. Null: there is no such type. */
  options(type: string, dialect: NodeTypeDialect | undefined, field: string, values: JsonObject): NodeTypeOption[] | undefined | null
}

/** What callers may read: functions of `store/views/`. */
export type ViewsPart = Pick<typeof runViews, 'getRun' | 'listRuns' | 'findRun' | 'currentRun' | 'listSteps' | 'listEvents'> &
  Pick<typeof pauseViews, 'getPause' | 'listPauses'> &
  Pick<typeof queueViews, 'listQueues' | 'getQueueState' | 'listQueueItems' | 'getQueueItem'> &
  Pick<typeof scheduleViews, 'getSchedule' | 'listSchedules'> &
  Pick<typeof chatbotViews, 'listChatbots'> &
  Pick<typeof sessionViews, 'listSessions' | 'listLines' | 'listSessionEvents'>

/** The rooms below, assembled by `app`. A test hands in toys. */
export interface Parts {
  engine: Engine
  sessions: Sessions
  queues: Queues
  /** What code says comes with the code. */
  schedules: Omit<Schedules, 'syncWritten'>
  webhooks: Webhooks
  workflows: WorkflowsPart
  nodeTypes: NodeTypesPart
  views: ViewsPart
  database: Tx
  feed: Feed
  accounts: Accounts
  collections: Collections
  records: Records
  connections: Connections
  changes: Changes
  access: AccessPart
  audit: Pick<Audit, 'record' | 'list'>
  files: FilesPart
  nodeFiles: NodeFiles
  runDeletion: RunDeletion
}

/** What a procedure is called with, whatever the face it came through. */
export interface Context {
  parts: Parts
  principal: Principal | null
  /** Why there is no principal, when a credential was sent. */
  refusal?: Error
  requestId: string
  /** Of the client, as far as proxies are trusted. */
  ip: string
  /** The trace context of the request, for the runs it starts. */
  traceparent?: string | null
  /** Counts a login under a name, and answers with how to take that back. Throws `rate_limited`. */
  attempt(name: string): Promise<() => void>
  /** Counts calls of the principal beyond the one that the request is: it holds several. Throws `rate_limited`. */
  count?(calls: number): Promise<void>
  /** Asked before each call where calls come without a request of their own (a WebSocket); gives back its place. */
  enter?(): Promise<() => void>
  /** Resolves when the consumer of a stream can take more, or is gone. */
  flow?(): Promise<void>
  /** Told what is said on the way to an answer, where the caller is told of it as it comes. */
  tell?(said: Spoken): void
}

import type {
  CreateWorkflow,
  DuplicateWorkflow,
  EditWorkflow,
  Event,
  ListEvents,
  ListPauses,
  ListRuns,
  ListSteps,
  ListVersions,
  ListWorkflows,
  NodeType,
  OneNode,
  OneVersion,
  OneWorkflow,
  Page,
  Pause,
  PublishWorkflow,
  ResyncEvent,
  Run,
  RunEvent,
  RunSummary,
  SnapshotEvent,
  Step,
  UpdateWorkflow,
  Version,
  Workflow,
  WorkflowNode,
  WorkflowOutput,
  WorkflowSummary,
} from '@sluice/schema'
import type { Access, Principal } from '../access/authenticate.ts'
import type { Engine } from '../engine/engine.ts'
import type { Tx } from '../store/index.ts'

/** Whose workspace, and which user: what a room below needs to know of the principal. */
export interface Who {
  workspaceId: string
  userId: string
}

/** `access`, as far as callers reach it: no face ever sees the value of a secret. */
export interface AccessPart extends Pick<Access, 'authenticate' | 'stillValid' | 'login' | 'refresh' | 'logout' | 'switch' | 'me' | 'ticket' | 'redeem'> {
  keys: Access['keys']
  secrets: Pick<Access['secrets'], 'set' | 'list' | 'delete'>
}

export interface WorkflowsPart {
  list(who: Who, input: ListWorkflows): Promise<Page<WorkflowSummary>>
  get(who: Who, input: OneWorkflow): Promise<Workflow>
  create(who: Who, input: CreateWorkflow): Promise<Workflow>
  update(who: Who, input: UpdateWorkflow): Promise<Workflow>
  duplicate(who: Who, input: DuplicateWorkflow): Promise<Workflow>
  publish(who: Who, input: PublishWorkflow): Promise<Version>
  versions(who: Who, input: ListVersions): Promise<Page<Version>>
  version(who: Who, input: OneVersion): Promise<Version>
  outputs(who: Who, input: OneWorkflow): Promise<WorkflowOutput[]>
  edit(who: Who, input: EditWorkflow): Promise<Workflow>
  node(who: Who, input: OneNode): Promise<WorkflowNode>
}

export interface NodeTypesPart {
  list(): NodeType[]
  get(type: string): NodeType | undefined
}

/** What callers may read of runs: the functions of `store/views/`, each one statement or a few in one snapshot. */
export interface ViewsPart {
  getRun(tx: Tx, workspaceId: string, id: string): Promise<Run>
  listRuns(tx: Tx, workspaceId: string, input: ListRuns): Promise<Page<RunSummary>>
  findRun(tx: Tx, workspaceId: string, input: { workflow: string; transactionId: string }): Promise<Run>
  currentRun(tx: Tx, workspaceId: string, workflow: string): Promise<Run>
  listSteps(tx: Tx, workspaceId: string, runId: string, input: Omit<ListSteps, 'id'>): Promise<Page<Step>>
  listEvents(tx: Tx, workspaceId: string, runId: string, input: Omit<ListEvents, 'id'>): Promise<Page<RunEvent>>
  getPause(tx: Tx, workspaceId: string, id: string): Promise<Pause>
  listPauses(tx: Tx, workspaceId: string, input: ListPauses): Promise<Page<Pause>>
}

export type FeedItem = Event | SnapshotEvent | ResyncEvent
type Feeding = AsyncIterable<FeedItem> | Promise<AsyncIterable<FeedItem>>

/**
 * What is known, then what comes, each item with its `cursor`; ends when the signal is aborted. Given as a promise it may
 * say first that there is no such run or workflow, while the reply can still be a 404.
 */
export interface FeedPart {
  /** Ends after the run's terminal event. */
  run(of: { workspaceId: string; runId: string; after?: string }, signal: AbortSignal): Feeding
  workflow(of: { workspaceId: string; workflow: string; after?: string }, signal: AbortSignal): Feeding
  workspace(of: { workspaceId: string; after?: string }, signal: AbortSignal): Feeding
}

/** The rooms below, assembled by `app`. A test hands in toys. */
export interface Parts {
  engine: Engine
  workflows: WorkflowsPart
  nodeTypes: NodeTypesPart
  views: ViewsPart
  database: Tx
  feed: FeedPart
  access: AccessPart
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
  /** Counts a login under a name, and answers with how to take that back. Throws `rate_limited`. */
  attempt(name: string): Promise<() => void>
  /** Asked before each call where calls come without a request of their own (a WebSocket); gives back its place. */
  enter?(): Promise<() => void>
  /** Resolves when the consumer of a stream can take more, or is gone. */
  flow?(): Promise<void>
}


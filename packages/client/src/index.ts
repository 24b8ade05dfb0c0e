export { createClient, type SignedIn, type Sluice } from './client.ts'
export {
  ConflictError,
  type ErrorCode,
  type ErrorKind,
  ForbiddenError,
  InternalError,
  InvalidError,
  LimitExceededError,
  NetworkError,
  NotFoundError,
  RateLimitedError,
  RoundFailedError,
  RunFailedError,
  SluiceError,
  TimeoutError,
  UnauthenticatedError,
  UnavailableError,
  VersionSkewError,
} from './errors.ts'
export type { Input } from './input.ts'
export type { Listing } from './listing.ts'
export type { Audit } from './nouns/audit.ts'
export type { Auth } from './nouns/auth.ts'
export type { Collections } from './nouns/collections.ts'
export type { Connections } from './nouns/connections.ts'
export type { Records } from './nouns/records.ts'
export type { Events, FeedItem } from './nouns/events.ts'
export type { ContentOptions, Files, FileSource, UploadOptions } from './nouns/files.ts'
export type { Keys } from './nouns/keys.ts'
export type { Members } from './nouns/members.ts'
export type { Model } from './nouns/model.ts'
export type { NodeTypes } from './nouns/node-types.ts'
export type { DecisionInput, Pauses } from './nouns/pauses.ts'
export type { Queues } from './nouns/queues.ts'
export type { Schedules } from './nouns/schedules.ts'
export type { Runs } from './nouns/runs.ts'
export type { Secrets } from './nouns/secrets.ts'
export type { Sessions } from './nouns/sessions.ts'
export type { Signals } from './nouns/signals.ts'
export type { Steps } from './nouns/steps.ts'
export type { Users } from './nouns/users.ts'
export type { Workflows } from './nouns/workflows.ts'
export type { Workspaces } from './nouns/workspaces.ts'
export type { CallOptions, ClientOptions, Versions } from './options.ts'
export type { ResultOptions, RunEventsOptions, RunHandle } from './run-handle.ts'
export type { MadeSession, MessageOptions, SessionEventsOptions, SessionFeedItem, SessionHandle, SpokenSessions } from './session-handle.ts'
export type { Turn } from './turn.ts'
export type { Answer, InputOf, OutputOf, PauseAt, PausesOf, TypedWorkflow, WorkflowName, WorkflowTypes } from './typing.ts'
export type { StartOptions, WorkflowHandle } from './workflow-handle.ts'
export type { Json, JsonObject } from '@sluice/schema'

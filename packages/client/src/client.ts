import type { TokenPair } from '@sluice/schema'
import { type Calls, createCalls } from './calls.ts'
import { type Credentials, createSession, nobody, withKey } from './credentials.ts'
import { type Audit, auditOf } from './nouns/audit.ts'
import { type Auth, authOf } from './nouns/auth.ts'
import { type Collections, collectionsOf } from './nouns/collections.ts'
import { type Connections, connectionsOf } from './nouns/connections.ts'
import { type Events, eventsOf } from './nouns/events.ts'
import { type Files, filesOf } from './nouns/files.ts'
import { type Keys, keysOf } from './nouns/keys.ts'
import { type Model, modelOf } from './nouns/model.ts'
import { type Members, membersOf } from './nouns/members.ts'
import { type NodeFiles, nodeFilesOf } from './nouns/node-files.ts'
import { type NodeTypes, nodeTypesOf } from './nouns/node-types.ts'
import { type Pauses, pausesOf } from './nouns/pauses.ts'
import { type Queues, queuesOf } from './nouns/queues.ts'
import { type Records, recordsOf } from './nouns/records.ts'
import { type Schedules, schedulesOf } from './nouns/schedules.ts'
import { type Runs, runsOf } from './nouns/runs.ts'
import { type Secrets, secretsOf } from './nouns/secrets.ts'
import { sessionsOf } from './nouns/sessions.ts'
import { type Signals, signalsOf } from './nouns/signals.ts'
import { type Steps, stepsOf } from './nouns/steps.ts'
import { type Users, usersOf } from './nouns/users.ts'
import { type Webhooks, webhooksOf } from './nouns/webhooks.ts'
import { type Workflows, workflowsOf } from './nouns/workflows.ts'
import { type Workspaces, workspacesOf } from './nouns/workspaces.ts'
import type { CallOptions, ClientOptions, Versions } from './options.ts'
import { type RunHandle, runHandle } from './run-handle.ts'
import { type SessionHandle, sessionHandle, spokenSessions, type SpokenSessions } from './session-handle.ts'
import { createTransport } from './transport.ts'
import type { InputOf, OutputOf, PausesOf, TypedWorkflow, WorkflowName } from './typing.ts'
import { type WorkflowHandle, workflowHandle } from './workflow-handle.ts'

/** A server, as one caller sees it: a noun for each of its routers, and handles for what is held on to. */
export interface Sluice {
  readonly workflows: Workflows
  readonly nodeTypes: NodeTypes
  readonly runs: Runs
  readonly steps: Steps
  readonly pauses: Pauses
  readonly signals: Signals
  readonly queues: Queues
  readonly schedules: Schedules
  readonly sessions: SpokenSessions
  readonly webhooks: Webhooks
  readonly events: Events
  readonly collections: Collections
  readonly records: Records
  readonly connections: Connections
  readonly auth: Auth<SignedIn>
  readonly files: Files
  readonly nodeFiles: NodeFiles
  readonly keys: Keys
  readonly secrets: Secrets
  readonly model: Model
  readonly workspaces: Workspaces
  readonly users: Users
  readonly members: Members
  readonly audit: Audit
  /** A workflow by its id or handle. Nothing is asked for yet. */
  workflow<Name extends WorkflowName>(name: Name): WorkflowHandle<InputOf<Name>, OutputOf<Name>, PausesOf<Name>>
  /** One that is written in TypeScript, by its type alone: `sluice.workflow<typeof order>('order')`. */
  workflow<Written extends TypedWorkflow>(name: string): WorkflowHandle<InputOf<Written>, OutputOf<Written>, PausesOf<Written>>
  /** A run that was started elsewhere, to hold on to. Throws `NotFoundError` (`run_missing`). */
  run(id: string, options?: CallOptions): Promise<RunHandle>
  /** A session, to talk in. Nothing is asked for yet. */
  session(id: string): SessionHandle
}

/** A client that has logged in. */
export interface SignedIn extends Sluice {
  /** As they are now: they change when they are renewed. */
  readonly tokens: TokenPair
}

const mostBackoffMs = 10_000

/**
 * A client of the server at `url`. It opens nothing and keeps nothing open: what runs is a call or a stream, and ends with it.
 * Throws `TypeError` for an address that is none, and for more than one credential.
 */
export function createClient(options: ClientOptions): Sluice {
  const { apiKey, token, login, url, fetch: given } = options
  if ([apiKey, token, login].filter((each) => each !== undefined).length > 1) throw new TypeError('Give one of apiKey, token and login')
  // Not bound to it here: what replaces the global one later is used.
  const send: typeof fetch = given ?? ((...request) => fetch(...request))
  const callsAs = (credentials: Credentials): Calls =>
    createCalls(createTransport({ url, credentials, fetch: send }), {
      timeoutMs: options.timeoutMs ?? 30_000,
      // 6 to 13 s in all: a server that is started anew is back by then.
      retries: options.retries ?? 6,
      backoff: { firstMs: options.backoffMs ?? 200, mostMs: mostBackoffMs },
      signal: options.signal,
    })
  const anonymous = callsAs(nobody)
  const credentials = credentialsOf(options, anonymous)
  return nounsOf(callsAs(credentials), anonymous, { signIn: (tokens) => signedIn(options, tokens), adopt: credentials.adopt, versions: options.versions ?? {} })
}

function credentialsOf({ apiKey, token, login, onTokens = () => {} }: ClientOptions, anonymous: Calls): Credentials {
  if (apiKey !== undefined) return withKey(apiKey)
  if (token === undefined && login === undefined) return nobody
  return createSession({
    tokens: typeof token === 'string' ? { token } : (token ?? null),
    login: login ?? null,
    auth: {
      login: (input) => anonymous.repeat('auth.login', input),
      refresh: (input) => anonymous.repeat('auth.refresh', input),
    },
    onTokens,
  })
}

function signedIn(options: ClientOptions, first: TokenPair): SignedIn {
  let tokens = first
  const onTokens = (renewed: TokenPair): void => {
    tokens = renewed
    options.onTokens?.(renewed)
  }
  options.onTokens?.(first)
  const client = createClient({ ...options, apiKey: undefined, login: undefined, token: first, onTokens })
  return Object.defineProperty(client, 'tokens', { get: () => tokens, enumerable: false }) as SignedIn
}

interface Told {
  signIn: (tokens: TokenPair) => SignedIn
  adopt: (tokens: TokenPair) => void
  versions: Versions
}

function nounsOf(calls: Calls, anonymous: Calls, { signIn, adopt, versions }: Told): Sluice {
  const runs = runsOf(calls, versions)
  const pauses = pausesOf(calls)
  const workflows = workflowsOf(calls)
  const sessions = sessionsOf(calls)
  const session = (id: string): SessionHandle => sessionHandle(id, { sessions, runs }, calls)
  return {
    workflows,
    nodeTypes: nodeTypesOf(calls),
    runs,
    steps: stepsOf(calls),
    pauses,
    signals: signalsOf(calls),
    queues: queuesOf(calls),
    schedules: schedulesOf(calls),
    sessions: spokenSessions(sessions, session),
    webhooks: webhooksOf(calls),
    events: eventsOf(calls),
    collections: collectionsOf(calls),
    records: recordsOf(calls),
    connections: connectionsOf(calls),
    auth: authOf(calls, anonymous, signIn),
    files: filesOf(calls),
    nodeFiles: nodeFilesOf(calls),
    keys: keysOf(calls),
    secrets: secretsOf(calls),
    model: modelOf(calls),
    workspaces: workspacesOf(calls),
    members: membersOf(calls),
    users: usersOf(calls, adopt),
    audit: auditOf(calls),
    workflow: <Name extends string>(name: Name) => workflowHandle<InputOf<Name>, OutputOf<Name>, PausesOf<Name>>(name, { workflows, runs, pauses }, calls),
    run: async (id, options) => runHandle(await runs.get({ id }, options), { runs, pauses }, calls),
    session,
  }
}

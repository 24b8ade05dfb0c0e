import type { Config } from './config.ts'
import { createAudit } from './access/audit.ts'
import { createAccess } from './access/authenticate.ts'
import { type Loaded, loadWorkflows, once } from './code/load.ts'
import { createRegistry } from './code/registry.ts'
import type { WrittenWorkflow } from './code/written.ts'
import type { MoreClaims } from './access/tokens.ts'
import type { Dialect } from './dialects/dialect.ts'
import { medusa } from './dialects/medusa/index.ts'
import { orchestrator } from './dialects/orchestrator/index.ts'
import { openai } from './dialects/openai/index.ts'
import { playground } from './dialects/playground/index.ts'
import { pocketbase } from './dialects/pocketbase/index.ts'
import { orchestratorNodes } from './dialects/orchestrator/nodes.ts'
import { pyspurNodes } from './dialects/pyspur/nodes.ts'
import { createCollections } from './collections/collections.ts'
import { type Declared, loadCollections } from './collections/declare.ts'
import { createDocuments } from './documents/documents.ts'
import { createEngine, createQueue } from './engine/index.ts'
import { pyspur, sayable } from './dialects/pyspur/index.ts'
import { createDoorbell } from './events/doorbell.ts'
import { createAccounts } from './events/accounts.ts'
import { createFeed } from './events/feed.ts'
import { createTokens } from './events/tokens.ts'
import { createFiles } from './files/files.ts'
import { createNodeFiles } from './files/node-files.ts'
import { createWrites } from './files/written.ts'
import { createHttp } from './http/server.ts'
import { createModels } from './models/models.ts'
import { createModes } from './modes/modes.ts'
import { createCatalogue } from './nodes/catalogue.ts'
import type { AnyNode } from './nodes/contract.ts'
import { createDiscovery } from './nodes/discovery.ts'
import { hostAndPort } from './outside/allow-list.ts'
import { createOutside } from './outside/outside.ts'
import { createSandbox } from './sandbox/sandbox.ts'
import { createChanges } from './records/changes.ts'
import { createConnections } from './records/connections.ts'
import { judge } from './records/judge.ts'
import { createRecords } from './records/records.ts'
import { createSights } from './records/sight.ts'
import { languageOf, refuseRules, stock } from './records/stock.ts'
import { userWriter } from './records/users.ts'
import { createRunDeletion } from './retention/delete-run.ts'
import { createSweeper } from './retention/sweeper.ts'
import { createDispatcher as createQueueDispatcher } from './queues/dispatch.ts'
import { createQueues } from './queues/queues.ts'
import { createDispatcher as createScheduleDispatcher } from './schedules/dispatch.ts'
import { createSchedules, type Schedules } from './schedules/schedules.ts'
import { createSessions } from './sessions/sessions.ts'
import { type Database, byKey, openDatabase, Outage } from './store/database.ts'
import { openOrm } from './store/orm.ts'
import { tokenChannel } from './store/rows/events.ts'
import { defaultWorkspace } from './store/rows/identity.ts'
import * as pauseViews from './store/views/pauses.ts'
import * as queueViews from './store/views/queues.ts'
import * as scheduleViews from './store/views/schedules.ts'
import * as runViews from './store/views/runs.ts'
import { listChatbots } from './store/views/chatbots.ts'
import * as sessionViews from './store/views/sessions.ts'
import { type Time, processTime } from './store/time.ts'
import type { Log } from './telemetry.ts'
import { exportTraces } from './telemetry/export.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createPlans } from './workflows/plans.ts'
import { createDispatcher as createWebhookDispatcher } from './webhooks/dispatch.ts'
import { createWebhooks } from './webhooks/webhooks.ts'
import { createWorkflows, type Workflows } from './workflows/workflows.ts'
import { createToolbox } from './tools/toolbox.ts'
import { refuseWritten } from './workflows/written.ts'

/** The running server, as the command line knows it. */
export interface App {
  /** Where it listens. */
  url: string
  /** Made by this start, with the password that was made for it; null ever after. */
  firstAdmin: { email: string; password: string } | null
  /** Takes no new work, hands claims over and ends streams, within `drainMs`. */
  drain(): Promise<void>
  close(): Promise<void>
}

/** For who moves its time. */
export interface AppInHand extends App {
  /** Does what is due at this moment, as far as it is known here. */
  catchUp(): Promise<void>
  /** The attempts under way here; null while anything else goes on with a run. */
  underWay(): number | null
}

/** Connections of a server: its pool, what listens, and those of the identity tables stay below PostgreSQL's usual 100. */
const poolSize = 12
/** For what asks of single runs, and changes them. */
const movers = 12
/** Two batches each of starts and of turns at a time, and beside each what does not fit into one statement. */
const writers = 8

/** Signs of life are written job by job in the order of their ids, as the engine ends them: by a bitmap it would be the order of the table. */
const inOrder = { enable_seqscan: 'off', enable_bitmapscan: 'off' }

const connectionsOf = (pools: readonly Database[]): ReturnType<Database['connections']> =>
  pools.map((pool) => pool.connections()).reduce((all, one) => ({ busy: all.busy + one.busy, idle: all.idle + one.idle, waiting: all.waiting + one.waiting }))

/** Brings the job queue's own tables up to date; called under the lock that guards ours. */
export async function migrateQueue(databaseUrl: string): Promise<void> {
  const database = openDatabase({ url: databaseUrl, max: 2 })
  try {
    await createQueue(database, { supervise: false, onError: () => {} }).install()
  } finally {
    await database.close()
  }
}

export interface AppParts {
  databaseUrl: string
  log: Log
  /** Node types beside the library's. */
  nodes?: readonly AnyNode[]
  /** Workflows written in this program, beside those of the folder that the settings name. */
  workflows?: readonly WrittenWorkflow[]
  /** Unset: the process's. */
  time?: Time
  /** Milliseconds that the reader of a stream may take to make room; unset: 20,000. */
  stallMs?: number
}

const dialects: readonly Dialect[] = [pyspur, orchestrator, medusa, pocketbase, playground, openai]

/** One token tells the clients of every dialect what they look for. */
const claimsOf: MoreClaims = (of) => Object.fromEntries(dialects.flatMap(({ claims }) => Object.entries(claims?.(of) ?? {})))

/** The only place where parts meet. */
export async function createApp(config: Config, { databaseUrl, log, nodes = [], workflows: given = [], time = processTime, stallMs }: AppParts): Promise<AppInHand> {
  const runs = config.role !== 'api'
  // Before anything is opened: what it refuses leaves nothing behind.
  const written = await writtenIn(config.workflows, given, log)
  const { collections, language } = await collectionsIn(config.collections, log)
  const database = openDatabase({ url: databaseUrl, max: poolSize, onError: (error) => log.debug({ err: error }, 'a connection to PostgreSQL was lost') })
  const orm = openOrm(databaseUrl)
  const access = createAccess({
    orm,
    database,
    secret: config.secret,
    claims: claimsOf,
    operatorsModel: config.model,
    now: time.now,
    ...(config.anonymousRole && { anonymousRole: config.anonymousRole }),
  })
  const audit = createAudit({ database, now: time.now, onError: (error) => log.warn({ err: error }, 'the audit log could not be written') })
  const tokens = createTokens(database)
  const doorbell = createDoorbell(database, config.role === 'worker' ? {} : { [tokenChannel]: tokens.heard })
  // Signs of life must not wait behind requests: a server that is only busy would be taken for dead.
  const pulse = openDatabase({ url: databaseUrl, max: 3, settings: inOrder, onError: (error) => log.debug({ err: error }, 'a connection to PostgreSQL was lost') })
  // What moves runs finds them by their keys, and does not wait behind lists; what it writes in batches waits behind nothing.
  const moving = openDatabase({ url: databaseUrl, max: movers, settings: byKey, onError: (error) => log.debug({ err: error }, 'a connection to PostgreSQL was lost') })
  const writer = openDatabase({ url: databaseUrl, max: writers, settings: byKey, onError: (error) => log.debug({ err: error }, 'a connection to PostgreSQL was lost') })
  const queue = createQueue(pulse, { supervise: runs, onError: (error) => log[error instanceof Outage ? 'debug' : 'error']({ err: error }, 'the job queue met an error') })
  const metrics = createMetrics()
  const traces = await exportTraces(config.tracing, { metrics, log })
  const outside = createOutside({ allow: config.httpAllow, watchers: { metrics, traces } })
  const sandbox = createSandbox()
  // On a way out of its own: the operator's model may be asked by llm steps, and by no other that names its address.
  const toModel = createOutside({ allow: config.modelUrl === null ? [] : [hostAndPort(config.modelUrl)], watchers: { metrics, traces } })
  const models = createModels({
    configured: config.modelUrl === null || config.model === null ? null : { url: config.modelUrl, key: config.modelKey, model: config.model },
    outside: toModel,
    // A workspace names any address: it gets there as its steps do.
    own: { endpointOf: (workspaceId) => access.model.endpointOf(workspaceId), outside },
  })
  const code = createRegistry()
  const catalogue = createCatalogue({ outside, sandbox, models, code }, nodes, [...pyspurNodes, ...orchestratorNodes])
  const workflows = createWorkflows({ database, catalogue, fits: { [pyspur.name]: sayable } })
  const modes = createModes({ workflows })
  const plans = createPlans(catalogue)
  const feed = createFeed({ database, doorbell, tokens })
  const connections = createConnections({ database, doorbell, log })
  const files = createFiles({ database })
  const documents = createDocuments()
  const sweeper = createSweeper({ database, periods: config.retention, log })
  const { engine, rounds, worker, clock } = createEngine({
    database: moving,
    writer,
    queue,
    doorbell,
    catalogue,
    plans,
    workflows,
    serves: (name) => catalogue.get(name) !== undefined || code.knows(name),
    secret: (workspaceId, name) => access.secrets.reveal(workspaceId, name),
    writeFile: createWrites({ database }),
    toolbox: createToolbox({ database, catalogue, documents, files }),
    voices: tokens,
    metrics,
    traces,
    time,
    log,
  })
  // Brings what came from outside to who waits for it.
  const scheduler = createScheduleDispatcher({ database, engine, metrics, log, now: time.now })
  const schedules = createSchedules({ database, engine, changed: () => scheduler.wake(), now: time.now })
  const carriers = [createQueueDispatcher({ database, doorbell, engine, metrics, log, now: time.now }), createWebhookDispatcher({ database, doorbell, engine, log, now: time.now })]
  const dispatchers = [...carriers, scheduler]
  metrics.watch({ isNodeType: (type) => catalogue.get(type) !== undefined, jobsHeld: () => worker.held, connections: () => connectionsOf([database, moving, writer]) })
  const room = stock({ collections, language, database, writers: { users: userWriter(access) } })
  const http = await createHttp({
    parts: {
      engine,
      queues: createQueues({ database, doorbell }),
      schedules,
      webhooks: createWebhooks({ database, doorbell, vault: access.vault, now: time.now, makeId: time.newId }),
      sessions: createSessions({ database, doorbell, rounds, modes, files, feed, engine }),
      workflows,
      nodeTypes: createDiscovery(catalogue),
      views: { ...runViews, ...pauseViews, ...queueViews, ...scheduleViews, ...sessionViews, listChatbots },
      database,
      feed,
      accounts: createAccounts(database),
      collections,
      records: createRecords({ room, access, database, doorbell, rounds, modes, files, now: time.now }),
      connections,
      changes: createChanges({ database, collections, ...createSights({ room, judge, now: Date.now }) }),
      access,
      audit,
      files,
      nodeFiles: createNodeFiles({ database }),
      runDeletion: createRunDeletion({ database }),
    },
    config,
    log,
    metrics,
    traces,
    ready: async () => void (await database.query('select 1')),
    counters: database,
    dialects,
    ...(stallMs !== undefined && { stream: { stallMs }, socket: { stallMs } }),
    serves: config.role !== 'worker',
    documents: async () => (await import('./openapi/documents.ts')).pagesFor(config.publicUrl),
  })

  const drain = async (): Promise<void> => {
    http.drain()
    await Promise.all([worker.drain(Math.min(config.drainMs, 5_000)), clock.stop(), sweeper.stop(), ...dispatchers.map((dispatcher) => dispatcher.stop())])
    await http.close(1_000)
    await traces.flush(1_500)
  }
  const close = async (): Promise<void> => {
    await http.close(0)
    await connections.close()
    await audit.close()
    await queue.stop()
    await doorbell.close()
    await tokens.close()
    await Promise.all([documents.close(), sandbox.close(), outside.close(), toModel.close(), traces.close()])
    await orm.close()
    await Promise.all([pulse.close(), writer.close(), moving.close(), database.close()])
  }

  try {
    const [made] = await Promise.all([
      access.members.bootstrap({ adminEmail: config.adminEmail, ...(config.adminPassword !== null && { adminPassword: config.adminPassword }) }),
      queue.start(),
    ])
    const home = await defaultWorkspace(database)
    await publishWritten({ database, workflows, schedules, log }, home, written)
    // Those that are current first: of two functions of one name theirs is called.
    for (const superseded of [false, true]) for (const { workflow } of written) if (workflow.superseded === superseded) code.add(home, workflow)
    if (runs) {
      worker.start()
      clock.start()
      // What is made in a time of its own is neither old nor young.
      if (time === processTime) sweeper.start()
      for (const dispatcher of dispatchers) dispatcher.start()
    }
    const url = await http.listen()
    return {
      url,
      firstAdmin: made && { email: made.email, password: made.password },
      drain,
      close,
      async catchUp() {
        await Promise.all([clock.look(), ...dispatchers.map((dispatcher) => dispatcher.lookNow())])
      },
      underWay: () => worker.underWay(),
    }
  } catch (error) {
    await drain()
      .then(close)
      .catch((failure: unknown) => log.debug({ err: failure }, 'what a failed start had opened could not be closed'))
    throw error
  }
}

/** Of modules and of this program. Throws StartRefused, before anything is published. */
async function writtenIn(folder: string | null, given: readonly WrittenWorkflow[], log: Log): Promise<Loaded[]> {
  const loaded = folder === null ? [] : await loadWorkflows(folder)
  if (folder !== null && loaded.length === 0) log.warn({ folder }, 'No module of the folder of workflows exports one')
  return once([...loaded, ...given.map((workflow) => ({ file: 'this program', workflow }))])
}

/** Throws StartRefused with all that is wrong with the file. */
async function collectionsIn(file: string | null, log: Log) {
  const declared: Declared = file === null ? { collections: [], warnings: [] } : await loadCollections(file)
  for (const warning of declared.warnings) log.warn({ file }, warning)
  const collections = createCollections(declared.collections)
  const language = languageOf(collections)
  if (file !== null) refuseRules(file, language, declared)
  return { collections, language }
}

interface PublishingParts {
  database: Database
  workflows: Workflows
  schedules: Schedules
  log: Log
}

/** All or nothing. What was written by an older one stays there for the runs that are in flight; its functions alone are wanted. */
async function publishWritten({ database, workflows, schedules, log }: PublishingParts, workspaceId: string, written: readonly Loaded[]): Promise<void> {
  const current = written.filter(({ workflow }) => !workflow.superseded)
  if (current.length === 0) return
  const definitions = current.map(({ file, workflow: { name: handle, title: name, description, definition } }) => ({ file, handle, name, description, definition }))
  const published = await database.transaction(async (tx) => {
    const found = await workflows.publishWritten(tx, { workspaceId, userId: '' }, definitions)
    for (const [at, { id }] of found.entries()) {
      const { file, workflow } = current[at]!
      await schedules.syncWritten(workspaceId, id, workflow.schedules, tx).catch((error: unknown) => refuseWritten(file, workflow.name, error))
    }
    return found
  })
  for (const { handle, version, was } of published) log.info({ workflow: handle, version }, `Workflow written in code: ${was}`)
}

import { type DecidedPause, Fault, type ReportedStep, type Run, type RunInclude } from '@sluice/schema'
import type { Doorbell } from '../events/doorbell.ts'
import { silence, type Voices } from '../events/tokens.ts'
import { type Abilities, type Catalogue, StepFailure, type Toolbox, type ToolUser } from '../nodes/contract.ts'
import type { Database } from '../store/database.ts'
import { type Time, processTime, refereed } from '../store/time.ts'
import { changeSessions } from '../events/sessions.ts'
import { unbindQueues } from '../store/rows/queues.ts'
import { liveRunsOf, type RunRow } from '../store/rows/runs.ts'
import { lockSessionsOf } from '../store/rows/sessions.ts'
import { getPause } from '../store/views/pauses.ts'
import { currentRunId, getRun, getStep } from '../store/views/runs.ts'
import type { Log } from '../telemetry.ts'
import { type Metrics, createMetrics } from '../telemetry/metrics.ts'
import { type Traces, untraced } from '../telemetry/traces.ts'
import type { Plans } from '../workflows/plans.ts'
import type { Workflows } from '../workflows/workflows.ts'
import { createAfterlife } from './afterlife.ts'
import { createAnswers } from './answers.ts'
import { type Clock, createClock } from './clock.ts'
import { createBeginner } from './begin.ts'
import { createCommitter } from './commit.ts'
import { type Passed, createDoor } from './door.ts'
import type { Actor, Engine } from './engine.ts'
import { forkRun } from './forks.ts'
import { createObserver } from './observe.ts'
import { createOperations } from './operate.ts'
import type { Queue } from './queue.ts'
import { type Rounds, createRounds } from './rounds.ts'
import { createStarter } from './start.ts'
import { forgetTrials, tryNode, tryNodeType } from './trials.ts'
import { createWaiting } from './waiting.ts'
import { type Worker, createWorker } from './worker.ts'

export type { Actor, Engine } from './engine.ts'
export type { Rounds } from './rounds.ts'
export { endOf } from './telling.ts'
export { createQueue, type Queue } from './queue.ts'

export interface EngineParts {
  database: Database
  /** For what is written in batches: sessions with the settings `byKey`. */
  writer: Database
  queue: Queue
  doorbell: Doorbell
  catalogue: Catalogue
  plans: Plans
  workflows: Workflows
  /** Whether this server has what a version names that not every server has, as `waitingOn.missing` names it: a node type unless set. */
  serves?(name: string): boolean
  /** The value of a workspace's named secret, at the moment of a step's call. Throws a Fault `secret_missing`. */
  secret(workspaceId: string, name: string): Promise<string>
  /** Writes into a file of a node, once a step. Throws a Fault. */
  writeFile(
    writer: { workspaceId: string; userId: string; workflowId: string; nodeId: string; runId: string; step: string },
    writing: Parameters<Abilities['writeFile']>[0],
  ): ReturnType<Abilities['writeFile']>
  /** Tells what steps say, live. Unset: nobody hears of it. */
  voices?: Voices
  /** What models may call. Unset: nothing. */
  toolbox?: Toolbox
  /** Unset: nobody looks. */
  metrics?: Metrics
  traces?: Traces
  /** Unset: the process's. */
  time?: Time
  log: Log
}

/** The engine's doors, and the machinery that a process with the role of a worker runs behind them. */
export interface Engines {
  engine: Engine
  /** For the room of the sessions. */
  rounds: Rounds
  worker: Worker
  clock: Clock
}

export function createEngine(parts: EngineParts): Engines {
  const {
    database,
    writer,
    queue,
    doorbell,
    plans,
    workflows,
    catalogue,
    metrics = createMetrics(),
    traces = untraced,
    time: given = processTime,
    toolbox = noTools,
    voices = silence,
    log,
  } = parts
  const observer = createObserver({ metrics, traces })
  const judged = refereed()
  // One that is moved on, in tests, is moved together with that of its database.
  const time = given === processTime ? judged.time : given
  const timed = (dueAt: number): void => clock.expect(dueAt)
  const committer = createCommitter({ database: writer, doorbell, timed, observer })
  const door = createDoor({ database, queue, doorbell, plans, time, timed, takeOver: (row, state, plan) => worker.takeOver(row, state, plan), committer, observer })
  const clock = createClock({ database: writer, door, queue, doorbell, time, heard: judged.heard, log, serves: parts.serves ?? ((name) => catalogue.get(name) !== undefined) })
  const beginner = createBeginner({ database: writer, doorbell, handOver: (run, input, plan) => worker.begin(run, input, plan), timed })
  const starter = createStarter({ database, doorbell, door, catalogue, workflows, plans, beginner, time, observer })
  const operations = createOperations({ database, door })
  const answers = createAnswers({ database, door, workflows, catalogue })
  const { waitFor, note } = createWaiting({ database, doorbell, holds: (runId) => worker.holds(runId) })
  const afterlife = createAfterlife({ database, queue, doorbell, door, startsChildren: (type) => catalogue.get(type)?.behaviour.is === 'child' })
  const trialParts = { database, catalogue, plans, workflows, starter, operations, waitFor, time }

  const read = (actor: Actor, id: string, include?: readonly RunInclude[]): Promise<Run> => getRun(database, actor.workspaceId, id, include)

  const engine: Engine = {
    async start(actor, input) {
      const { id, ended, named } = await starter.start(actor, input)
      // Asked for anew, and not the same request once more.
      if (named && input.idempotencyKey === undefined) await operations.retryAsked(actor, id)
      if (input.wait && !ended) await waitFor(id, input.wait.until, input.wait.ms)
      return read(actor, id, input.include)
    },
    startTaking: (actor, input, take) => starter.startTaking(actor, input, take),
    async wait(actor, { id, until, ms, include }) {
      await read(actor, id)
      await waitFor(id, until, ms)
      return read(actor, id, include)
    },
    async cancel(actor, { id, workflow, compensate, include }) {
      const found = id ?? (await currentRunId(database, actor.workspaceId, { workflow: workflow! }))
      await operations.cancel(actor, found, compensate ?? false)
      return read(actor, found, include)
    },
    async stop(actor, { workflow, run, compensate, include }) {
      const id = await currentRunId(database, actor.workspaceId, { workflow, run })
      await operations.stop(actor, id, compensate ?? false)
      return read(actor, id, include)
    },
    async hold(actor, { id }) {
      await operations.hold(actor, id)
      return read(actor, id)
    },
    async release(actor, { id }) {
      await operations.release(actor, id)
      return read(actor, id)
    },
    async retryStep(actor, input) {
      await operations.retryStep(actor, input)
      return read(actor, input.id)
    },
    async fork(actor, input) {
      const id = await forkRun(trialParts, actor, input)
      if (input.wait) await waitFor(id, input.wait.until, input.wait.ms)
      return read(actor, id)
    },
    try: (actor, input) => tryNode(trialParts, actor, input),
    tryType: (actor, input) => tryNodeType(trialParts, actor, input),
    forgetTrials: (actor, input) => forgetTrials(trialParts, actor, input),
    async decide(actor, input): Promise<DecidedPause> {
      const pause = await getPause(database, actor.workspaceId, await answers.decide(actor, input))
      const { include = [] } = input
      if (!include.includes('run')) return pause
      const ofRun = include.filter((each) => each !== 'run')
      return { ...pause, run: await read(actor, pause.runId, ofRun) }
    },
    async report(actor, input): Promise<ReportedStep> {
      const { wait, include = [] } = input
      const about = await answers.report(actor, input)
      if (wait) await waitFor(about.runId, wait.until, wait.ms)
      const step = await getStep(database, actor.workspaceId, about)
      if (!include.includes('run')) return step
      const ofRun = include.filter((each) => each !== 'run')
      return { ...step, run: await read(actor, about.runId, ofRun) }
    },
    signal: (actor, input) => answers.signal(actor, input),
    deliver: (to, payload, take) => door.deliver(to, payload, take),
    async deleteWorkflow(actor, { workflow }) {
      const passed: Passed[] = []
      const unbound = await database.transaction(async (tx) => {
        const found = await workflows.hide(tx, actor, workflow)
        const runs = await liveRunsOf(tx, found.id)
        // Before the first run is cancelled: what is written of a round must not wait while runs wait for it.
        await lockSessionsOf(tx, found.id)
        for (const { id } of runs) passed.push(await door.pass(id, actor.workspaceId, () => [{ is: 'cancelled', undo: false }], tx))
        const rows = await lockSessionsOf(tx, found.id)
        await changeSessions(tx, rows, (sessions) => sessions.forEach((session) => session.set({ workflow_id: null })))
        await unbindQueues(tx, found.id)
        return rows.map((row) => row.id)
      })
      for (const each of passed) door.passed(each)
      doorbell.ring({ sessions: unbound, workspaces: [actor.workspaceId] })
    },
  }

  const worker = createWorker({
    database,
    queue,
    doorbell,
    plans,
    committer,
    door,
    afterlife,
    startChild: (parent, start, failures) => starter.startChild(parent, start, failures),
    abilities: (row, { nodeId, iteration, phase }) => ({
      secret: (name) => orFailure(() => parts.secret(row.workspace_id, name)),
      writeFile(writing) {
        const step = `${nodeId}/${iteration}${phase === 'compensate' ? '/undo' : ''}`
        const writer = { workspaceId: row.workspace_id, userId: row.started_by ?? row.workspace_id, workflowId: row.workflow_id, nodeId, runId: row.id, step }
        return orFailure(() => parts.writeFile(writer, writing))
      },
      tools: () => toolbox.offered(toolUserOf(row)),
      documents: () => toolbox.documents(toolUserOf(row)),
      callTool: (call, context) => orFailure(() => toolbox.call(toolUserOf(row), call, context)),
    }),
    voices,
    observer,
    note,
    time,
    log,
  })

  return { engine, rounds: createRounds({ door, starter }), worker, clock }
}

const noTools: Toolbox = {
  offered: async () => [],
  documents: async () => [],
  call: async (_of, { name }) => {
    throw new StepFailure('tool_missing', `There is no function ${name}`, { retry: false })
  },
}

const toolUserOf = (row: RunRow): ToolUser => ({ workspaceId: row.workspace_id, runId: row.id, sessionId: row.session_id, userId: row.started_by })

/** What the server refuses a step, as a secret that is not there, is the step's failure. */
async function orFailure<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw error instanceof Fault ? new StepFailure(error.code, error.message, { retry: false }) : error
  }
}

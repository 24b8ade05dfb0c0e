import { type Definition, Fault, type Issue, type Json, type JsonObject, type Lane, type Node, type StartRun, limits, stepNames } from '@sluice/schema'
import type { Doorbell } from '../events/doorbell.ts'
import { type OpenSession, addSession, changeSession } from '../events/sessions.ts'
import { type Catalogue, StepFailure } from '../nodes/contract.ts'
import { fingerprintOf } from '../store/fingerprint.ts'
import type { Database, Tx } from '../store/database.ts'
import { newId, timeOf } from '../store/ids.ts'
import { laneOfWorkflow, workflowLanes } from '../store/lanes.ts'
import { redirectKey, takeKey } from '../store/rows/idempotency.ts'
import {
  type NewRun,
  type RunRow,
  type TrialRow,
  childOf,
  insertRun,
  lanePeers,
  lockLane,
  lockTransaction,
  runOfTransaction,
  runToJoin,
  sessionsWithRounds,
  shareHeld,
} from '../store/rows/runs.ts'
import { type SessionRow, lockSession } from '../store/rows/sessions.ts'
import { seedSteps } from '../store/rows/steps.ts'
import type { Time } from '../store/time.ts'
import { inputNodesOf, schemaOfInput } from '../workflows/input-nodes.ts'
import { checkValue } from '../workflows/json-schema.ts'
import { createKnownWorkflows } from '../workflows/known.ts'
import type { Plans } from '../workflows/plans.ts'
import type { Startable } from '../workflows/publish.ts'
import type { Workflows } from '../workflows/workflows.ts'
import type { ChildStart } from './attempt.ts'
import { type Beginner, queuedText } from './begin.ts'
import type { Door } from './door.ts'
import type { Actor } from './engine.ts'
import type { Observer } from './observe.ts'
import { type RoundMessage, received, remembering } from './history.ts'
import { type Payload, payloadOf } from './payload.ts'
import type { Seed } from './seeds.ts'

/** A round to start: a run in the lane of its session. */
export interface NewRound {
  sessionId: string
  workflow: string
  /** The session, where it is to be made. */
  make?: Omit<SessionRow, 'workflow_id'>
  /** Nobody can have known its id: before the commit none but this round is in its lane. */
  isDrawn?: boolean
  /** What is done to it first: a message's history holds what is said here. */
  before?(session: OpenSession): void
  /** The session is bound to the workflow from now on, where it is bound to this one, or to none, until now. */
  rebinds?: { from: string | null }
  /** What is thrown when it is bound to another one by now; a Fault unless set. */
  moved?(): Error
  /** Whether it comes after the live ones, or is not started beside any. */
  whenLive: 'queue' | 'leave'
  /** Asked under the session's lock: what the round is started with, and what else becomes of the session. */
  plan(session: SessionRow): ({ input: Json } | { message: RoundMessage }) & { change(session: OpenSession, runId: string): void }
}

export interface Started {
  id: string
  /** Whether it is known to have ended with its start. */
  ended: boolean
  /** Whether it was there already, and is what its transaction id names. */
  named: boolean
}

/** Takes what a run is started with, in the transaction that starts it. False: it cannot be taken any more. */
export type Take = (tx: Tx, runId: string) => Promise<boolean>

/** Without a workflow: a trial of a node that stands in none. */
export type Seeded = Omit<NewRun, 'id' | 'createdAt' | 'inputHash' | 'sessionId' | 'workflowId'> & { workflowId: string | null }

export interface Starter {
  /** Commits run, first event and job in one transaction. */
  start(actor: Actor, input: StartRun): Promise<Started>
  /** The same, with what `take` takes. Null: it could not, and nothing has happened. */
  startTaking(actor: Actor, input: StartRun, take: Take): Promise<string | null>
  startChild(parent: RunRow, start: ChildStart, failures: number): Promise<string>
  /** In the caller's transaction, who tells of it after its commit (`begun`). Gives the run's id; null when a live round keeps it from starting. */
  startRound(tx: Tx, actor: Actor, round: NewRound): Promise<string | null>
  begun(run: { id: string; workspaceId: string; sessionId: string }): void
  /** Inserts a run with results it brings along: a fork, a trial. What its producers go on from is taken in the same transaction. */
  startSeeded(run: Seeded, seeds: readonly Seed[], take?: (tx: Tx, runId: string) => Promise<TrialRow['producers']>): Promise<string>
}

const plain = {
  trial: null,
  inputHash: null,
  transactionId: null,
  lane: null,
  sessionId: null,
  parentRunId: null,
  parentStep: null,
  rootRunId: null,
  depth: 0,
  deadlineAt: null,
  keyedInput: false,
}

/** Rolls a start back. */
class NotTaken extends Error {
  override readonly name = 'NotTaken'
}

function notTaken(error: unknown): null {
  if (error instanceof NotTaken) return null
  throw error
}

export interface StarterParts {
  database: Database
  doorbell: Doorbell
  door: Door
  catalogue: Catalogue
  workflows: Workflows
  plans: Plans
  beginner: Beginner
  time: Time
  observer: Pick<Observer, 'started'>
}

export function createStarter(parts: StarterParts): Starter {
  const { database, doorbell, door, catalogue, workflows, plans, beginner, time, observer } = parts
  const known = createKnownWorkflows()
  /** Who is finding out about which workflow. */
  const finding = new Map<string, Promise<unknown>>()

  async function enqueue(tx: Tx, run: NewRun, seeds: readonly Seed[] = []): Promise<boolean> {
    if (!(await insertRun(tx, run, queuedText(run)))) return false
    if (seeds.length > 0) await seedSteps(tx, run.id, seeds)
    return true
  }

  const ring = (workspaceId: string, runId: string, sessionId?: string): void =>
    doorbell.ring({ runs: [runId], workspaces: [workspaceId], ...(sessionId !== undefined && { sessions: [sessionId] }), jobs: true })

  async function startRound(tx: Tx, actor: Actor, { sessionId, workflow, make, isDrawn = false, before, rebinds, moved, whenLive, plan }: NewRound): Promise<string | null> {
    const { workspaceId } = actor
    const found = await workflows.publishForStart(tx, actor, workflow)
    if (!isDrawn) await laneHolder(tx, workspaceId, laneOf(sessionId))
    const made = make && { ...make, workflow_id: found.workflow.id }
    const added = made && (await addSession(tx, made, isDrawn))
    if (made && !added) throw new Fault('id_taken')
    const entered = isDrawn && added ? { session: added, others: false } : await enter(tx, workspaceId, sessionId, rebinds ? rebinds.from : found.workflow.id, moved)
    const { others } = entered
    if (others && whenLive === 'leave') return null
    if (before) await changeSession(tx, entered.session, before)
    const session = before ? (await lockSession(tx, sessionId))! : entered.session
    const id = isDrawn ? time.newId() : await nextId(tx, time, workspaceId, sessionId)
    const { change, ...planned } = plan(session)
    const given =
      'message' in planned ? await givenMessage(tx, found.definition, catalogue, planned.message) : givenInput(found.definition, catalogue, { workflow, input: planned.input })
    await enqueue(tx, {
      ...plain,
      ...named(id),
      workspaceId,
      workflowId: found.workflow.id,
      version: found.version,
      ...stored(given),
      lane: laneOf(sessionId).key,
      sessionId,
      trigger: 'session',
      tags: [],
      startedBy: actor.userId,
      traceparent: actor.traceparent ?? null,
    })
    await changeSession(tx, session, (opened) => {
      if (rebinds) opened.set({ workflow_id: found.workflow.id })
      change(opened, id)
      if (!others) opened.set(queued)
    })
    return id
  }

  /**
   * Most starts: nothing is to be looked at before the run is stored but its workflow, and that was known a moment ago, and
   * whether its lane is free. Null where it is not so: then the long way finds out, and says what is wrong, too.
   */
  async function startKnown(actor: Actor, input: StartRun): Promise<Started | null> {
    const { idempotencyKey, wait: _wait, include: _include, expectHash, ...request } = input
    if (!needsNothingElse(input) || laneIssue(input)) return null
    const found = known.get(actor, input.workflow)
    if (!found || (expectHash !== undefined && expectHash !== found.hash)) return null
    const given = givenInput(found.definition, catalogue, input, () => null)
    if (!given) return null
    const run: NewRun = {
      ...plain,
      ...common(actor, input),
      ...named(time.newId()),
      ...stored(given),
      workflowId: found.workflowId,
      version: found.version,
      lane: laneIn(found.workflowId, input)?.key ?? null,
    }
    const key = idempotencyKey === undefined ? null : { actor: actor.principalId, key: `start:${idempotencyKey}`, fingerprint: fingerprintOf(request) }
    const begun = await beginner.begin({
      run,
      plan: found.plan,
      input: given.payload,
      pin: { ref: input.workflow, revision: found.revision },
      key,
      retainSeconds: found.definition.settings?.retainForSeconds ?? null,
    })
    if (begun !== null) return { id: run.id, ended: begun.ended, named: false }
    // Of a lane it may be another run that keeps it from starting.
    if (run.lane === null) known.forget(actor, input.workflow)
    return null
  }

  /** What the next start of the workflow need not ask for again. */
  async function keep(actor: Actor, input: StartRun, { workflow, version, hash, definition }: Startable): Promise<void> {
    if (input.version !== undefined) return
    const plan = await plans.of(database, { workflow_id: workflow.id, version, trial: null })
    known.keep(actor, input.workflow, { workflow, version, hash, definition }, plan)
  }

  async function startOne(actor: Actor, input: StartRun): Promise<Started> {
    const quickly = await startKnown(actor, input)
    const { id, made, named = false } = quickly ? { id: quickly.id, made: null } : await database.transaction((tx) => startIn(tx, actor, input))
    if (made) {
      ring(actor.workspaceId, id, input.sessionId)
      await keep(actor, input, made)
    }
    if (made || quickly) observer.started(false)
    return quickly ?? { id, ended: false, named }
  }

  async function startIn(tx: Tx, actor: Actor, input: StartRun): Promise<{ id: string; made: Startable | null; named?: boolean }> {
    const { workspaceId } = actor
    let id = time.newId()
    // What the answer is to wait for and to tell, and what the caller takes the workflow for, do not make it another run.
    const { idempotencyKey, wait: _wait, include: _include, expectHash: _hash, ...request } = input
    if (idempotencyKey !== undefined) {
      const fingerprint = fingerprintOf(request)
      const kept = await takeKey(tx, { workspaceId, actor: actor.principalId, key: `start:${idempotencyKey}`, fingerprint, reply: JSON.stringify({ id }) })
      if (kept && kept.fingerprint !== fingerprint) throw new Fault('idempotency_conflict')
      if (kept) return { id: (kept.reply as { id: string }).id, made: null }
    }
    const { sessionId, message, historyAs } = input
    const issue = laneIssue(input)
    if (issue) refuse([issue])
    const found = await workflows.publishForStart(tx, actor, input.workflow, input.version, input.expectHash)
    const lane = laneIn(found.workflow.id, input)
    // What is yet to be filled in is checked when it has been.
    const whole = historyAs === undefined && !isSilent(input) ? givenInput(found.definition, catalogue, input) : null
    const inputHash = input.transactionId === undefined ? null : hashOf(input)
    const same = await sameTransaction(tx, found, input.transactionId, isSilent(input) ? null : inputHash)
    const peer = same ?? (lane ? await laneHolder(tx, workspaceId, lane) : null)
    if (peer) {
      if (idempotencyKey !== undefined) await redirectKey(tx, { workspaceId, actor: actor.principalId, key: `start:${idempotencyKey}`, reply: JSON.stringify({ id: peer }) })
      return { id: peer, made: null, named: same !== null }
    }
    const entered = sessionId === undefined ? null : await enter(tx, workspaceId, sessionId, found.workflow.id)
    if (entered) {
      id = await nextId(tx, time, workspaceId, entered.session.id)
      if (idempotencyKey !== undefined) await redirectKey(tx, { workspaceId, actor: actor.principalId, key: `start:${idempotencyKey}`, reply: JSON.stringify({ id }) })
    }
    const given = whole ?? givenInput<never>(found.definition, catalogue, await remembering(tx, input))
    const run: NewRun = {
      ...plain,
      ...common(actor, input),
      ...named(id),
      workflowId: found.workflow.id,
      version: found.version,
      ...stored(given),
      inputHash,
      transactionId: input.transactionId ?? null,
      lane: lane?.key ?? null,
      sessionId: sessionId ?? null,
    }
    await enqueue(tx, run)
    if (entered)
      await changeSession(tx, entered.session, (session) => {
        if (message) session.say({ kind: 'message', role: 'user', text: message.text, metadata: message.metadata ?? {}, files: [] }, { runId: id })
        if (!entered.others) session.set(queued)
      })
    return { id, made: found }
  }

  return {
    async start(actor, input) {
      const name = `${actor.workspaceId}\n${input.workflow}`
      const isNews = needsNothingElse(input) && !known.get(actor, input.workflow)
      const other = isNews ? finding.get(name) : undefined
      // Of ten thousand who come at once one finds out about the workflow. What is wrong with it is told to each of them.
      if (other)
        return other.then(
          () => startOne(actor, input),
          () => startOne(actor, input),
        )
      const started = startOne(actor, input)
      if (isNews) {
        finding.set(name, started)
        const end = (): void => void finding.delete(name)
        started.then(end, end)
      }
      return started
    },
    async startTaking(actor, input, take) {
      const started = database.transaction(async (tx) => {
        const started = await startIn(tx, actor, input)
        if (!(await take(tx, started.id))) throw new NotTaken()
        return started
      })
      const { id, made } = (await started.catch(notTaken)) ?? {}
      if (id === undefined) return null
      if (made) {
        ring(actor.workspaceId, id, input.sessionId)
        await keep(actor, input, made)
        observer.started(false)
      }
      return id
    },
    startRound,
    begun({ id, workspaceId, sessionId }) {
      ring(workspaceId, id, sessionId)
      observer.started(false)
    },
    async startChild(parent, start, failures) {
      if (parent.depth + 1 > limits.childDepth) throw new StepFailure('limit_exceeded', `Runs nest at most ${limits.childDepth} levels deep`, { retry: false })
      const parentStep = `${start.ref.nodeId}\n${start.ref.iteration}\n${failures}`
      const actor = { workspaceId: parent.workspace_id, userId: parent.started_by ?? '', principalId: 'engine' }
      let made = false
      const child = await database.transaction(async (tx) => {
        const known = await childOf(tx, parent.id, parentStep)
        if (known) return known
        // Under the parent's row lock: a hold comes before, and covers this child too, or after, and finds it.
        const isHeld = await shareHeld(tx, parent.id)
        const found = await workflows.publishForStart(tx, actor, start.request.workflow, start.request.version ?? undefined).catch(asStepFailure)
        const run: NewRun = {
          ...plain,
          ...named(time.newId()),
          workspaceId: parent.workspace_id,
          workflowId: found.workflow.id,
          version: found.version,
          // What a trial starts is part of it: listed and counted nowhere either.
          trial: parent.trial && { definition: found.definition, nodeId: '' },
          input: payloadOf(start.request.input).text,
          transactionId: await transactionOfChild(tx, parent, found, start, failures),
          parentRunId: parent.id,
          parentStep,
          rootRunId: parent.root_run_id ?? parent.id,
          depth: parent.depth + 1,
          trigger: 'parent',
          tags: [],
          startedBy: actor.userId,
          traceparent: start.traceparent,
        }
        if (!(await enqueue(tx, run))) return (await childOf(tx, parent.id, parentStep))!
        made = true
        if (isHeld) await door.pass(run.id, null, () => [{ is: 'held' }], tx)
        return run.id
      })
      ring(parent.workspace_id, child)
      if (made) observer.started(parent.trial !== null)
      return child
    },
    async startSeeded(run, seeds, take) {
      const own = named(time.newId())
      const made: NewRun = { ...run, ...own, workflowId: run.workflowId ?? own.id, sessionId: null, inputHash: null }
      await database.transaction(async (tx) => {
        const producers = await take?.(tx, made.id)
        if (!(await enqueue(tx, producers ? { ...made, trial: { ...made.trial!, producers } } : made, seeds))) throw new Fault('workflow_missing')
      })
      ring(made.workspaceId, made.id)
      observer.started(made.trial !== null)
      return made.id
    },
  }
}

/** The lane of a session's rounds: one message, one round. */
export const laneOf = (sessionId: string): Lane => ({ key: `${sessionLanes}${sessionId}`, whenBusy: 'queue' })

const sessionLanes = 'session:'

/** A round goes into the lane of its session, and nothing else does; only a round has what a session says and hears. */
function laneIssue({ lane, sessionId, message: said, historyAs }: StartRun): Issue | null {
  if (sessionId === undefined && said) return { path: ['message'], message: 'Only a session keeps a message: give its id as sessionId' }
  if (sessionId === undefined && historyAs !== undefined) return { path: ['historyAs'], message: 'Only a session has messages: give its id as sessionId' }
  if (sessionId !== undefined && lane) return { path: ['lane'], message: 'The rounds of a session have a lane of their own' }
  if (lane?.of === 'workflow') return null
  if (lane?.key.startsWith(sessionLanes)) return { path: ['lane', 'key'], message: 'This lane is for the rounds of a session: give its id as sessionId' }
  if (lane?.key.startsWith(workflowLanes)) return { path: ['lane', 'key'], message: "This lane is of a workflow: say so as `of: 'workflow'`, with the key behind its id" }
  return null
}

/** Under one key for the whole workspace: what is of a session, or of a workflow, is named by it, and nothing else begins so. */
function laneIn(workflowId: string, { lane, sessionId }: StartRun): Lane | undefined {
  if (sessionId !== undefined) return laneOf(sessionId)
  return lane?.of === 'workflow' ? { ...lane, key: laneOfWorkflow(workflowId, lane.key) } : lane
}

/** What a session without a live round becomes when one is started. */
const queued = { status: 'running', stopped_at: null, progress: 0 } as const

/** Later than those of the rounds before it, whatever the clocks of the servers say that took them: their order is that of their ids. */
async function nextId(tx: Tx, time: Time, workspaceId: string, sessionId: string): Promise<string> {
  const peers = await lanePeers(tx, workspaceId, laneOf(sessionId).key)
  const last = peers.reduce((latest, { id }) => (id > latest ? id : latest), '')
  const id = time.newId()
  return id > last ? id : newId(timeOf(last) + 1)
}

const notBound = (): Error => new Fault('input_invalid', { issues: [{ path: ['sessionId'], message: 'The session is not bound to this workflow' }] })

/** The session of a round under its lock, in the lane of its rounds; and whether another one is live. `bound`: the workflow that it has to be bound to; null: none. */
async function enter(tx: Tx, workspaceId: string, sessionId: string, bound: string | null, moved = notBound): Promise<{ session: SessionRow; others: boolean }> {
  const session = await lockSession(tx, sessionId)
  if (session?.workspace_id !== workspaceId) throw new Fault('session_missing')
  if (session.workflow_id !== bound) throw moved()
  return { session, others: (await sessionsWithRounds(tx, [sessionId])).has(sessionId) }
}

/** A child's workflow that is not there, or not valid, is the step's failure. */
function asStepFailure(error: unknown): never {
  if (error instanceof Fault) throw new StepFailure(error.code, error.message, { retry: false, details: { issues: error.issues as unknown as Json } })
  throw error
}

const stored = ({ payload, keyedInput }: { payload: Payload; keyedInput: boolean }) => ({ input: payload.text, keyedInput })

/** Whether nothing is to be looked at before the run is stored but its workflow and its lane. */
const needsNothingElse = ({ sessionId, transactionId, version, message, historyAs }: StartRun): boolean =>
  [sessionId, transactionId, version, message, historyAs].every((each) => each === undefined)

/** A run was made when its id was. */
const named = (id: string) => ({ id, createdAt: new Date(timeOf(id)) })

/** What a start says of its run, whatever its workflow is. */
const common = (actor: Actor, input: StartRun) => ({
  workspaceId: actor.workspaceId,
  trigger: input.trigger ?? 'manual',
  tags: [...new Set(input.tags ?? [])],
  startedBy: actor.userId,
  traceparent: actor.traceparent ?? null,
})

const refuse = (issues: Issue[]): never => {
  throw new Fault('input_invalid', { issues })
}

export interface Given {
  payload: Payload
  /** Whether it is values by input node. */
  keyedInput: boolean
}

/** The run's input, checked against the schemas of the input nodes. */
export function givenInput<R = never>(definition: Definition, catalogue: Catalogue, input: StartRun, otherwise: (issues: Issue[]) => R = refuse) {
  if (input.inputs !== undefined && input.input !== undefined) return otherwise([{ path: ['inputs'], message: 'Give input or inputs, not both' }])
  const inputs = input.inputs && input.otherInputs === 'ignore' ? namedInputs(definition, catalogue, input.inputs) : input.inputs
  const issues = inputs !== undefined ? keyedIssues(definition, catalogue, inputs, input.otherInputs) : inputIssues(definition, catalogue, input.input ?? null)
  if (issues.length > 0) return otherwise(issues)
  return inputs === undefined ? { payload: payloadOf(input.input ?? null), keyedInput: false } : keyed(inputNodesOf(definition, catalogue), inputs)
}

/** To the only input node its value is the run's input, by whatever name it came: expressions that read `input` read the same. */
function keyed(nodes: readonly Node[], inputs: JsonObject): Given {
  const [value = null, another] = Object.values(inputs)
  return nodes.length === 1 && another === undefined ? { payload: payloadOf(value), keyedInput: false } : { payload: payloadOf(inputs), keyedInput: true }
}

/** What a message gives to a round, checked in the same way. */
async function givenMessage(tx: Tx, definition: Definition, catalogue: Catalogue, message: RoundMessage) {
  const got = await received(tx, definition, catalogue, message)
  if ('input' in got) return givenInput(definition, catalogue, { workflow: '', input: got.input })
  const nodes = inputNodesOf(definition, catalogue)
  const issues = nodes.flatMap((node) => schemaIssues(node, catalogue, got.byNode.get(node.id) ?? null, ['input']))
  return issues.length > 0 ? refuse(issues) : keyed(nodes, Object.fromEntries(got.byNode))
}

/** What is wrong with one value for every input node. */
export const inputIssues = (definition: Definition, catalogue: Catalogue, value: Json): Issue[] =>
  inputNodesOf(definition, catalogue).flatMap((node) => schemaIssues(node, catalogue, value, ['input']))

/** The ids and the titles of input nodes; a title that others bear too names none. */
function inputNames(definition: Definition, catalogue: Catalogue): Set<string> {
  const names = stepNames(definition)
  return new Set(inputNodesOf(definition, catalogue).flatMap(({ id }) => [id, names.get(id)!]))
}

function namedInputs(definition: Definition, catalogue: Catalogue, inputs: JsonObject): JsonObject {
  const known = inputNames(definition, catalogue)
  return Object.fromEntries(Object.entries(inputs).filter(([key]) => known.has(key)))
}

/** What is wrong with values by the id or the title of their input node. */
function keyedIssues(definition: Definition, catalogue: Catalogue, inputs: JsonObject, others: StartRun['otherInputs']): Issue[] {
  const names = stepNames(definition)
  const nodes = inputNodesOf(definition, catalogue)
  // Who means input nodes by what others name otherwise must not start a run with nothing.
  if (others === 'ignore' && Object.keys(inputs).length === 0)
    return nodes.map((node) => ({ nodeId: node.id, path: ['inputs', node.id], message: 'There is no value for this input node' }))
  const known = inputNames(definition, catalogue)
  const issues: Issue[] = Object.keys(inputs).flatMap((key) => (known.has(key) ? [] : [{ path: ['inputs', key], message: 'There is no input node of this id or title' }]))
  for (const node of nodes) {
    const [key = node.id, twice] = [...new Set([node.id, names.get(node.id)!])].filter((name) => Object.hasOwn(inputs, name))
    if (twice !== undefined) issues.push({ nodeId: node.id, path: ['inputs', twice], message: `The value of this node is given under ${key} already` })
    issues.push(...schemaIssues(node, catalogue, Object.hasOwn(inputs, key) ? inputs[key]! : null, ['inputs', key]))
  }
  return issues
}

function schemaIssues(node: Node, catalogue: Catalogue, value: Json, at: string[]): Issue[] {
  const schema = schemaOfInput(node, catalogue)
  if (!schema) return []
  return checkValue(schema, value).map((issue) => ({ ...issue, nodeId: node.id, path: [...at, ...(issue.path ?? [])] }))
}

/** Names a run, and says nothing of what it is started with: whatever that was, is meant. */
const isSilent = ({ transactionId, input, inputs, message }: StartRun): boolean => transactionId !== undefined && [input, inputs, message].every((each) => each === undefined)

/** By what it is told whether another start of a transaction id means the same. */
const hashOf = ({ input = null, inputs, message }: StartRun): string => fingerprintOf(message === undefined ? (inputs ?? input) : { given: inputs ?? input, message })

/** The run that a transaction id names already: the live one, or, of an idempotent definition, the ended one. */
async function sameTransaction(
  tx: Tx,
  found: { workflow: { id: string }; definition: Definition },
  transactionId: string | undefined,
  inputHash: string | null,
): Promise<string | null> {
  if (transactionId === undefined) return null
  await lockTransaction(tx, found.workflow.id, transactionId)
  const known = await knownAs(tx, found.workflow.id, transactionId)
  if (!known || (!known.live && !found.definition.settings?.idempotent)) return null
  if (known.live && inputHash !== null && known.input_hash !== inputHash) throw new Fault('transaction_conflict', { details: { runId: known.id } })
  return known.id
}

/** A run without a transaction id goes by its own: who was told that one may start by it again. */
async function knownAs(tx: Tx, workflowId: string, transactionId: string): Promise<{ id: string; live: boolean; input_hash: string | null } | undefined> {
  const named = await runOfTransaction(tx, workflowId, transactionId)
  if (named?.live) return named
  const itself = await runToJoin(tx, workflowId, transactionId)
  if (!itself || (named && !itself.live)) return named
  return { id: itself.id, live: itself.live, input_hash: fingerprintOf(itself.input) }
}

/**
 * A child goes by its step and its parent, so that who waits for it outside can name it: what is reported of it comes to it.
 * Where somebody has a live run of that name already, it has none.
 */
async function transactionOfChild(tx: Tx, parent: RunRow, { workflow, definition }: Startable, { ref }: ChildStart, failures: number): Promise<string | null> {
  if (parent.trial) return null
  const id = [ref.nodeId, ...(ref.iteration === '' ? [] : [ref.iteration]), parent.transaction_id ?? parent.id, ...(failures === 0 ? [] : ['attempt', failures + 1])].join('-')
  if (id.length > 200 || definition.settings?.idempotent) return null
  await lockTransaction(tx, workflow.id, id)
  return (await runOfTransaction(tx, workflow.id, id))?.live ? null : id
}

/** Who holds the lane, for a caller that joins; null when the new run may queue. */
async function laneHolder(tx: Tx, workspaceId: string, lane: Lane): Promise<string | null> {
  await lockLane(tx, workspaceId, lane.key)
  const peers = await lanePeers(tx, workspaceId, lane.key)
  const first = peers[0]
  if (!first) return null
  if (lane.whenBusy === 'join') return first.id
  if (lane.whenBusy === 'refuse') throw new Fault('lane_busy', { details: { runId: first.id } })
  if (peers.filter((peer) => !peer.holds).length >= limits.laneQueue) throw new Fault('lane_full', { details: { queued: limits.laneQueue } })
  return null
}

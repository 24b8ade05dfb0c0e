import { type DecidePause, Fault, type Issue, type Json, type JsonObject, type Report, type SendSignal, limits } from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'
import type { Database, Tx } from '../store/database.ts'
import { fingerprintOf } from '../store/fingerprint.ts'
import { newId } from '../store/ids.ts'
import { takeKey } from '../store/rows/idempotency.ts'
import { type PauseRecord, lastPauseOf, openPausesOf, readPause } from '../store/rows/pauses.ts'
import { readRun, runByItself, runOfPause, runOfTransaction } from '../store/rows/runs.ts'
import type { GraphNode } from '../workflows/graph-node.ts'
import { configOf } from '../workflows/config.ts'
import { checkValue } from '../workflows/json-schema.ts'
import { valuesAt } from '../workflows/readings.ts'
import type { Workflows } from '../workflows/workflows.ts'
import { ambiguous, stepsNamed } from './operate.ts'
import type { Door } from './door.ts'
import type { Actor } from './engine.ts'
import type { Happening } from './happening.ts'
import { payloadOf } from './payload.ts'
import { type RunState, type StepRow, isTerminal, takesReport } from './state.ts'

/** What comes in from outside to runs that wait: decisions, reports, signals. One of each wins, and is told the same twice. */
export interface Answers {
  /** Answers with the id of the pause. */
  decide(actor: Actor, input: DecidePause): Promise<string>
  /** Answers with the step it was about. */
  report(actor: Actor, input: Report): Promise<{ runId: string; nodeId: string; iteration: string }>
  signal(actor: Actor, input: SendSignal): Promise<{ id: string }>
}

export function createAnswers(parts: { database: Database; door: Door; workflows: Workflows; catalogue: Catalogue }): Answers {
  const { database, door, workflows, catalogue } = parts

  async function runOf(actor: Actor, ref: Report['run']): Promise<string> {
    if ('id' in ref) return ref.id
    const workflow = await workflows.resolve(database, actor, ref.workflow)
    const run = (await runOfTransaction(database, workflow.id, ref.transactionId)) ?? (await runByItself(database, workflow.id, ref.transactionId))
    if (!run) throw new Fault('run_missing')
    return run.id
  }

  return {
    async decide(actor, input) {
      // At once, on two connections: each statement in a row is a part of what a person's answer takes to be followed.
      const [pause, run] =
        input.id === undefined
          ? [await onlyPause(database, actor, input.runId!), undefined]
          : await Promise.all([readPause(database, actor.workspaceId, input.id), runOfPause(database, input.id)])
      if (!pause) throw input.id === undefined ? await noPause(database, actor, input.runId!) : new Fault('pause_missing')
      // What was read a moment ago is what it was opened with; whether it still is open, the locked run says.
      await door.passFreely(
        pause.run_id,
        actor.workspaceId,
        async (state, _row, tx) => decisionOf(actor, input, pause.status === 'open' && state.pauses.has(pause.id) ? pause : await readPause(tx, actor.workspaceId, pause.id)),
        run,
      )
      return pause.id
    },
    async report(actor, input) {
      const runId = await runOf(actor, input.run)
      let about: StepRow | undefined
      await door.passFreely(runId, actor.workspaceId, (state) => {
        const found = reportOf(state, input, catalogue)
        about = found.step
        return found.happens
      })
      return { runId, nodeId: about!.nodeId, iteration: about!.iteration }
    },
    async signal(actor, input) {
      let id = newId()
      await door.pass(input.runId, actor.workspaceId, async (state, _row, tx) => {
        if (input.idempotencyKey !== undefined) {
          const known = await sentBefore(tx, actor, input, id)
          if (known) {
            id = known
            return []
          }
        }
        if (isTerminal(state.run.status)) throw new Fault('run_ended')
        if (state.signals.length >= limits.signalsPerRun && !isAwaited(state, input.name)) throw new Fault('signals_full')
        return [{ is: 'signalled', name: input.name, payload: payloadOf(input.payload ?? null) }]
      })
      return { id }
    },
  }
}

/** Whether a step waits for it: then it is not kept. */
const isAwaited = (state: RunState, name: string): boolean =>
  [...state.waits].some((key) => {
    const waiting = state.steps.get(key)?.waitingFor
    return waiting?.kind === 'signal' && waiting.signal === name
  })

async function sentBefore(tx: Tx, actor: Actor, input: SendSignal, id: string): Promise<string | null> {
  const { idempotencyKey, ...request } = input
  const fingerprint = fingerprintOf(request)
  const kept = await takeKey(tx, { workspaceId: actor.workspaceId, actor: actor.principalId, key: `signal:${idempotencyKey}`, fingerprint, reply: JSON.stringify({ id }) })
  if (!kept) return null
  if (kept.fingerprint !== fingerprint) throw new Fault('idempotency_conflict')
  return (kept.reply as { id: string }).id
}

/** Of a run the only open pause; with none open the last one, so that a decision that is sent again is told its outcome. */
async function onlyPause(tx: Tx, actor: Actor, runId: string): Promise<PauseRecord | undefined> {
  const open = (await openPausesOf(tx, [runId])).filter((pause) => pause.workspace_id === actor.workspaceId)
  if (open.length > 1) throw new Fault('pause_ambiguous', { details: { pauses: open.map((pause) => pause.id) } })
  return open[0] ?? lastPauseOf(tx, actor.workspaceId, runId)
}

/** Why a run has no pause. */
async function noPause(tx: Tx, actor: Actor, runId: string): Promise<Fault> {
  const run = await readRun(tx, runId)
  return new Fault(run?.workspace_id === actor.workspaceId ? 'run_not_paused' : 'run_missing')
}

// ── decisions ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export function decisionOf(actor: Actor, input: DecidePause, pause: PauseRecord | undefined): Happening[] {
  if (!pause) throw new Fault('pause_missing')
  const inputs = input.inputs ?? null
  if (pause.status !== 'open') {
    if (isSameDecision(actor, input, pause)) return []
    throw new Fault('pause_decided', { details: { pauseId: pause.id, status: pause.status, decision: (pause.decision ?? null) as Json } })
  }
  if (input.action !== 'decline' && pause.form) checkForm(pause.form as JsonObject, inputs ?? {})
  const by = { id: actor.userId, label: input.label ?? null }
  return [
    {
      is: 'decided',
      pauseId: pause.id,
      action: input.action,
      by,
      inputs,
      comments: input.comments ?? null,
      key: input.idempotencyKey ? `${actor.principalId}:${input.idempotencyKey}` : null,
    },
  ]
}

/** The same key, or the same actor with the same action and inputs, is told the recorded decision again. */
function isSameDecision(actor: Actor, input: DecidePause, pause: PauseRecord): boolean {
  const decision = pause.decision as { action: string; by: { id: string }; inputs: JsonObject | null } | null
  if (!decision) return false
  const same = decision.action === input.action && fingerprintOf(decision.inputs) === fingerprintOf(input.inputs ?? null)
  if (input.idempotencyKey && pause.decision_key === `${actor.principalId}:${input.idempotencyKey}`) {
    if (!same) throw new Fault('idempotency_conflict')
    return true
  }
  return same && decision.by.id === actor.userId
}

function checkForm(form: JsonObject, inputs: JsonObject): void {
  const issues: Issue[] = checkValue(form, inputs).map((issue) => ({ ...issue, path: ['inputs', ...(issue.path ?? [])] }))
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
}

// ── reports ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function reportOf(state: RunState, input: Report, catalogue: Catalogue): { step: StepRow; happens: Happening[] } {
  // The step may be named in two ways, need not be told apart from others, and its answer is another matter: what was said of it is what counts.
  const { run: _run, step: _step, iteration: _iteration, wait: _wait, include: _include, ...said } = input
  const fingerprint = fingerprintOf(said)
  const named = stepsNamed(state, input.step).filter((step) => input.iteration === undefined || step.iteration === input.iteration)
  const waiting = named.filter((step) => isWaiting(step, input.phase))
  if (waiting.length > 1) throw ambiguous(waiting)
  const step = waiting[0]
  if (!step) return { step: settledBefore(state, named, input, fingerprint), happens: [] }
  if (input.outcome === 'completed' && input.phase === 'invoke') checkReported(state.graph.nodes.get(step.nodeId)!, input.output ?? null, catalogue)
  const outcome =
    input.outcome === 'completed'
      ? { completed: payloadOf(input.output ?? null), compensateInput: input.compensateInput }
      : { failed: input.error ?? { code: 'reported_failure', message: 'The step was reported as failed', ...(input.output !== undefined && { details: input.output }) } }
  return { step, happens: [{ is: 'reported', nodeId: step.nodeId, iteration: step.iteration, phase: input.phase, outcome, fingerprint }] }
}

/** A step may say what is reported of it: who reports something else is told, and the step waits on. */
function checkReported({ id, type, definition }: GraphNode, output: Json, catalogue: Catalogue): void {
  const schemas = (catalogue.get(type)?.schemaFields ?? []).flatMap((field) => valuesAt(configOf(definition), field))
  const issues: Issue[] = schemas
    .flatMap(({ value }) => checkValue(value as JsonObject, output))
    .map((issue) => ({ ...issue, nodeId: id, path: ['output', ...(issue.path ?? [])] }))
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
}

const isWaiting = (step: StepRow, phase: Report['phase']): boolean => (phase === 'invoke' ? takesReport(step) : step.compensation?.state === 'waiting')

/** No step waits: the same report was taken before, or another one was, or the step never waited for one. */
function settledBefore({ run }: RunState, named: readonly StepRow[], { step: name, phase }: Report, fingerprint: string): StepRow {
  const told = (step: StepRow) => (phase === 'invoke' ? step.reported : (step.compensation?.reported ?? null))
  const same = named.find((step) => told(step) === fingerprint)
  if (same) return same
  const other = named.find((step) => told(step) !== null)
  const [step = null] = other ? [other] : named
  const details = { runId: run.id, run: run.status, step: step?.nodeId ?? name, phase, state: step?.state ?? 'pending', compensation: step?.compensation?.state ?? null }
  throw new Fault(other ? 'report_conflict' : 'step_not_waiting', { details })
}

import type { Metrics } from '../telemetry/metrics.ts'
import type { Traces } from '../telemetry/traces.ts'
import type { AttemptRef } from './happening.ts'
import { type RunHead, idempotencyKey, isTerminal } from './state.ts'
import type { Outcome, Turn } from './turn.ts'

/**
 * Counts what runs and steps came to, and tells their spans, from committed turns alone: what was fenced or refused is
 * neither counted nor told, and what was, is once.
 */
export interface Observer {
  started(trial: boolean): void
  committed(turn: Turn): void
  /** One attempt at work has ended. */
  worked(type: string, ms: number): void
  /** One group commit is durable. */
  wrote(changes: number, ms: number): void
  /** The trace context of an attempt, before its span is told: what it calls stands below it. */
  traceparent(run: Pick<RunHead, 'id' | 'traceparent'>, attempt: Pick<AttemptRef, 'nodeId' | 'iteration' | 'phase' | 'attempt'>): string | null
}

const fails = (to: Outcome['to']): boolean => to === 'failed' || to === 'retrying' || to === 'lost'

export function createObserver({ metrics, traces }: { metrics: Metrics; traces: Traces }): Observer {
  const placeOfRun = (run: Pick<RunHead, 'id' | 'traceparent'>): string | null => traces.named(run.traceparent, run.id)

  const traceparent: Observer['traceparent'] = (run, { nodeId, iteration, phase, attempt }) =>
    traces.isOn ? traces.named(placeOfRun(run), `${idempotencyKey(run.id, nodeId, iteration)}/${phase}/${attempt}`) : run.traceparent

  function tellStep({ state, now }: Turn, { step, phase, to, attempt, since }: Outcome): void {
    const { run, graph } = state
    // Never begun: skipped, or cancelled before its turn came.
    if (since === null) return
    const node = graph.nodes.get(step.nodeId)!
    traces.tell({
      name: `${phase === 'invoke' ? 'step' : 'undo'} ${node.type}`,
      kind: 'internal',
      at: traceparent(run, { nodeId: step.nodeId, iteration: step.iteration, phase, attempt }),
      parent: placeOfRun(run),
      startedAt: since,
      endedAt: now,
      attributes: {
        'sluice.run.id': run.id,
        'sluice.workflow': run.workflowId,
        'sluice.step': step.nodeId,
        'sluice.iteration': step.iteration === '' ? undefined : step.iteration,
        'sluice.attempt': attempt,
        'sluice.outcome': to,
      },
      ...(fails(to) && { failed: to === 'lost' ? 'worker_lost' : ((phase === 'invoke' ? step : step.compensation)?.error?.code ?? 'error') }),
    })
  }

  function tellRun({ state, now }: Turn): void {
    const { id, workflowId, version, status, reason, createdAt, traceparent: parent } = state.run
    traces.tell({
      name: 'run',
      kind: 'internal',
      at: placeOfRun(state.run),
      parent,
      startedAt: createdAt,
      endedAt: now,
      attributes: { 'sluice.run.id': id, 'sluice.workflow': workflowId, 'sluice.version': version, 'sluice.status': status },
      ...((status === 'failed' || status === 'compensated') && { failed: reason?.code ?? status }),
    })
  }

  return {
    started: (trial) => {
      if (!trial) metrics.runStarted()
    },
    committed(turn) {
      const { run, graph } = turn.state
      for (const outcome of turn.outcomes) {
        if (outcome.phase === 'invoke') metrics.stepMoved(graph.nodes.get(outcome.step.nodeId)!.type, outcome.to)
        if (traces.isOn) tellStep(turn, outcome)
      }
      if (!isTerminal(run.status) || !turn.events.some(({ type }) => type === `run.${run.status}`)) return
      if (!run.trial) metrics.runEnded(run.status)
      if (traces.isOn) tellRun(turn)
    },
    worked: (type, ms) => metrics.attempted(type, ms / 1000),
    wrote: (changes, ms) => metrics.committed(changes, ms / 1000),
    traceparent,
  }
}

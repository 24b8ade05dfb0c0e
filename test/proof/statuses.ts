import type { FaceName } from './face.ts'

/**
 * How each face tells how a run stands: the table of statuses of the product, stated once more. A face that is not in a row has no
 * word for it at all.
 */

export const standings = [
  'queued',
  'running',
  'running, a pause open',
  'waiting for a pause',
  'waiting for a signal',
  'held',
  'cancelling',
  'compensating',
  'completed',
  'failed',
  'failed, not undone',
  'cancelled',
  'compensated',
] as const
export type Standing = (typeof standings)[number]

/** What `GET /api/workflow/{id}/task_status/` tells, and the state that the socket tells. */
type Canvas = [task: string, socket: string]

interface Row {
  core: string
  pyspur: string
  medusa: string
  orchestrator: Canvas
  pocketbase: string
  playground: string
}

const row = (core: string, pyspur: string, medusa: string, orchestrator: Canvas, pocketbase: string, playground: string): Row => ({
  core,
  pyspur,
  medusa,
  orchestrator,
  pocketbase,
  playground,
})

const rows: Record<Standing, Row> = {
  queued: row('queued', 'PENDING', 'not_started', ['PENDING', 'running'], 'running', 'running'),
  running: row('running', 'RUNNING', 'invoking', ['STARTED', 'running'], 'running', 'running'),
  'running, a pause open': row('running', 'RUNNING', 'invoking', ['STARTED', 'running'], 'running', 'running'),
  'waiting for a pause': row('waiting', 'PAUSED', 'invoking', ['STARTED', 'running'], 'waiting', 'running'),
  'waiting for a signal': row('waiting', 'RUNNING', 'invoking', ['STARTED', 'running'], 'waiting', 'running'),
  held: row('held', 'RUNNING', 'invoking', ['STARTED', 'running'], 'waiting', 'running'),
  cancelling: row('cancelling', 'RUNNING', 'compensating', ['STARTED', 'running'], 'idle', 'stopped'),
  compensating: row('compensating', 'RUNNING', 'compensating', ['STARTED', 'running'], 'running', 'running'),
  completed: row('completed', 'COMPLETED', 'done', ['SUCCESS', 'completed'], 'completed', 'completed'),
  failed: row('failed', 'FAILED', 'reverted', ['FAILURE', 'failed'], 'failed', 'error'),
  'failed, not undone': row('failed', 'FAILED', 'failed', ['FAILURE', 'failed'], 'failed', 'error'),
  cancelled: row('cancelled', 'CANCELED', 'reverted', ['REVOKED', 'idle'], 'idle', 'stopped'),
  compensated: row('compensated', 'FAILED', 'reverted', ['FAILURE', 'failed'], 'failed', 'error'),
}

/** The word of a face for it. Null: it has none. */
export function wordOf(face: FaceName, standing: Standing): string | null {
  const { core, orchestrator: canvas, ...words } = rows[standing]
  if (face === 'openai') return null
  if (face === 'sdk' || face === 'native') return core
  return face === 'orchestrator' ? canvas.join(', ') : words[face]
}

// ── of steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export const stepStandings = [
  'pending',
  'running',
  'waiting for a pause',
  'waiting for a signal',
  'retrying',
  'completed',
  'failed',
  'skipped by a route',
  'skipped after a failure',
  'cancelled',
] as const
export type StepStanding = (typeof stepStandings)[number]

type StepFace = 'pyspur' | 'medusa' | 'orchestrator'

/** PySpur's task, Medusa's `invoke`, and where the Orchestrator's state has the node, if anywhere. */
const steps: Record<StepStanding, Record<StepFace, string | null>> = {
  pending: { pyspur: 'PENDING', medusa: 'not_started/idle', orchestrator: null },
  running: { pyspur: 'RUNNING', medusa: 'invoking/waiting_response', orchestrator: 'executing' },
  'waiting for a pause': { pyspur: 'PAUSED', medusa: 'invoking/waiting_response', orchestrator: 'executing' },
  'waiting for a signal': { pyspur: 'RUNNING', medusa: 'invoking/waiting_response', orchestrator: 'executing' },
  retrying: { pyspur: 'RUNNING', medusa: 'invoking/temp_failure', orchestrator: 'executing' },
  completed: { pyspur: 'COMPLETED', medusa: 'done/ok', orchestrator: 'completed' },
  failed: { pyspur: 'FAILED', medusa: 'failed/permanent_failure', orchestrator: null },
  'skipped by a route': { pyspur: 'CANCELED', medusa: 'skipped/ok', orchestrator: null },
  'skipped after a failure': { pyspur: 'CANCELED', medusa: 'skipped_failure/idle', orchestrator: null },
  cancelled: { pyspur: 'CANCELED', medusa: 'dormant/idle', orchestrator: null },
}

export const stepFaces: readonly StepFace[] = ['pyspur', 'medusa', 'orchestrator']
/** Null: the face does not tell it. */
export const stepWord = (face: StepFace, standing: StepStanding): string | null => steps[standing][face]

import type { Run, RunStatus } from '@sluice/schema'
import type { CeleryTask, Task, TaskState } from '../contract.ts'

/** Runs as Celery's tasks. PURE and total. */

const states = {
  queued: 'PENDING',
  running: 'STARTED',
  waiting: 'STARTED',
  held: 'STARTED',
  cancelling: 'STARTED',
  compensating: 'STARTED',
  completed: 'SUCCESS',
  failed: 'FAILURE',
  cancelled: 'REVOKED',
  compensated: 'FAILURE',
} as const satisfies Record<RunStatus, TaskState>

export const stateOf = ({ status }: Pick<Run, 'status'>): TaskState => states[status]

export const taskOf = (run: Run): Task => ({ task_id: run.id, status: stateOf(run) })

/** As it is answered when it is made; how it stands then, its status tells. */
export const startedTask = ({ id }: Run): Task => ({ task_id: id, status: 'PENDING' })

/** What is told to stop is revoked, though some of it may be on its way out; what had ended before is told as it did. */
export function stoppedTask(run: Run): Task {
  const status = stateOf(run)
  return { task_id: run.id, status: status === 'PENDING' || status === 'STARTED' ? 'REVOKED' : status }
}

export function celeryTaskOf(run: Run): CeleryTask {
  const { id: task_id, output, reason, progress } = run
  const state = stateOf(run)
  switch (state) {
    case 'PENDING':
      return { state, task_id, result: null }
    case 'STARTED':
      return { state, task_id, progress: { percent: progress } }
    case 'SUCCESS':
      return { state, task_id, result: output }
    case 'FAILURE':
      return { state, task_id, error: reason?.message ?? 'The task failed', traceback: null }
    case 'REVOKED':
      return { state, task_id, error: 'Task was revoked' }
  }
}

/** As Celery has it of an id that it never heard of. */
export const unknownTask = (task_id: string): CeleryTask => ({ state: 'PENDING', task_id, result: null })

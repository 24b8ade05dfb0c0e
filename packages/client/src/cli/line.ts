import type { RunEvent } from '@sluice/schema'
import { plain } from './text.ts'

/** An event on one line: when, what, where, and what there is to know. Total over what is known, calm about what is not. */
export function lineOfEvent(event: RunEvent): string {
  const step = 'step' in event && typeof event.step === 'string' ? `${event.step}${'iteration' in event && event.iteration ? `[${event.iteration}]` : ''}` : ''
  return plain([event.at, event.type, step, detailOf(event)].filter((part) => part !== '').join(' '))
}

function detailOf(event: RunEvent): string {
  switch (event.type) {
    case 'run.completed':
      return event.outputRef ? `output of ${event.outputRef.bytes} bytes` : JSON.stringify(event.output ?? null)
    case 'run.failed':
    case 'run.cancelled':
    case 'run.compensated':
    case 'run.compensating':
      return `${event.reason.code}: ${event.reason.message}`
    case 'step.failed':
    case 'step.compensation_failed':
      return `${event.error.code}: ${event.error.message}`
    case 'step.retrying':
      return `attempt ${event.attempt} failed, next ${event.retryAt === null ? 'when asked for' : `at ${event.retryAt}`}: ${event.error.code}: ${event.error.message}`
    case 'step.started':
      return event.attempt > 1 ? `attempt ${event.attempt}` : ''
    case 'step.waiting':
    case 'run.waiting':
      return `for ${event.kind}`
    case 'step.skipped':
      return event.reason
    case 'pause.opened':
      return `${event.pause.step} ${event.pause.id}: ${event.pause.message}`
    case 'pause.decided':
      return `${event.pause.step} ${event.pause.id}: ${event.pause.status}${event.pause.decision?.comments ? ` (${event.pause.decision.comments})` : ''}`
    case 'pause.expired':
    case 'pause.cancelled':
      return `${event.pause.step} ${event.pause.id}`
    case 'log':
      return `${event.level} ${event.message}`
    case 'message':
      return event.text
    case 'progress':
      return `${event.progress} %`
    default:
      return ''
  }
}

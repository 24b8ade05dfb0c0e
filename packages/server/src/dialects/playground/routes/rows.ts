import type { Problem } from '../../../rpc/faults.ts'
import type { Other, Setting } from '../../dialect.ts'
import { fileMissing, messageMissing, workflowMissing } from '../errors.ts'
import { files } from '../mapping/ids.ts'

/** What the rows of the playground have in common. */

/** The document's 120 a minute are of its twelve operations together. */
export const counted = 'playground'

/** All lines there are, as far as an answer holds them: the oldest first, so that the rest comes with the next. */
export const whole = { limit: 10_000 } as const

type Of = { path: { workflowId: string; messageId?: string; fileId?: string } }

/** What an address names and what is not there, by the id that was sent. */
export function sayMissing({ code }: Problem, _setting: Setting, { path }: Of): Other | undefined {
  if (code === 'session_missing') return workflowMissing(path.workflowId)
  if (code === 'line_missing' && path.fileId !== undefined) return fileMissing(path.fileId)
  if (code === 'line_missing' && path.messageId !== undefined) return messageMissing(path.messageId)
  return undefined
}

/** Of a message: what it continues, or the first of its files. */
export function sayTarget({ code, details }: Problem, workflowId: string | undefined): Other | undefined {
  if (workflowId !== undefined && (code === 'workflow_missing' || code === 'session_missing')) return workflowMissing(workflowId)
  const [file] = code === 'file_missing' && Array.isArray(details['files']) ? details['files'] : []
  return typeof file === 'string' ? fileMissing(files.of(file)) : undefined
}

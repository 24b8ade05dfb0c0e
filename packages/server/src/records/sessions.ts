import { type Collection, Fault, faults, type Issue, type Json, type JsonObject, SessionStatus, type UpdateSession } from '@sluice/schema'
import { create, remove, update } from '../sessions/change.ts'
import type { Client } from '../sessions/within.ts'
import { pinWorkflow } from '../store/rows/workflows.ts'
import { seenSession } from '../store/views/sessions.ts'
import type { Asking, Writer } from './writer.ts'

/**
 * Sessions as records. Their owner, and what they are bound to, are for good; of a bound one the steps and the step under way are
 * its rounds', and its status is a command, as everywhere: `running` starts a round with the context as its input, or does nothing
 * while one is live, and `idle` cancels.
 */
export const sessionWriter: Writer = {
  as: (collection, { workflow }) =>
    textOf(workflow) === undefined ? collection : { ...collection, fields: collection.fields.map((field) => (derived.has(field.name) ? { ...field, required: false } : field)) },
  // Its rules ask about its owner alone. Its lock comes after those of its rounds: it is taken where those are.
  async hold() {},
  async create(within, asking, collection, values) {
    const actor = clientOf(asking)
    const { id, user, workflow, ...written } = values
    const owner = textOf(user) ?? actor.userId
    if (owner !== actor.userId && !actor.seesAll) throw new Fault('record_refused')
    return asRecord(collection, values, () => create(within, actor, { id: textOf(id), user: owner, workflow: textOf(workflow), ...writtenOf(written) }))
  },
  update: (within, asking, collection, id, values) =>
    asRecord(collection, values, async () => {
      const actor = clientOf(asking)
      const seen = await seenSession(within.tx, actor, id)
      const { user, workflow, ...written } = values
      if (user !== undefined && user !== seen.user_id) throw refused('user', user, 'A session stays with its owner')
      if (workflow !== undefined && (await idOf(within, actor, workflow)) !== seen.workflow_id)
        throw refused('workflow', workflow, 'A session is bound when it is made, and then stays as it is')
      const input = { id, ...writtenOf(written) }
      // Records tell what was stopped as idle: to say that again changes nothing.
      if (seen.status === 'stopped' && input.status === 'idle') input.status = undefined
      // As of any record: `updated` moves, and whoever follows it is told, also when it was sent as it stood.
      await update(within, actor, input, true)
    }),
  delete: (within, asking, collection, id) => asRecord(collection, {}, () => remove(within, clientOf(asking), { id })),
}

/** Of a bound session its rounds'. */
const derived: ReadonlySet<string> = new Set(['currentStepId', 'steps'])

const clientOf = ({ principal: { workspaceId, userId, id }, asker }: Asking): Client => ({ workspaceId, userId, principalId: id, seesAll: asker.superuser })

/** A text that is unset is none. */
const textOf = (value: Json | undefined): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** Of the workflow that a value names, if any. */
async function idOf({ tx }: Parameters<Writer['update']>[0], { workspaceId }: Client, value: Json): Promise<string | null | undefined> {
  const ref = textOf(value)
  return ref === undefined ? null : (await pinWorkflow(tx, workspaceId, ref))?.id
}

type Written = Pick<UpdateSession, 'title' | 'status' | 'currentStepId' | 'steps' | 'context'>

const writtenOf = ({ title, status, currentStepId, steps, context }: JsonObject): Written => ({
  title: textOf(title),
  status: SessionStatus.safeParse(status).data,
  currentStepId: textOf(currentStepId),
  steps,
  context,
})

// ── what sessions refuse, in the words of records ──────────────────────────────────────────────────────────────────────

const notFound = 'Failed to find all relation records with the provided ids.'
const invalid = (issues: Issue[]): Fault => new Fault('record_invalid', { issues })
const refused = (field: string, value: Json, message: string): Fault => invalid([{ path: [field], code: 'invalid_value', message, params: { value } }])

async function asRecord<T>(collection: Collection, values: JsonObject, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof Fault ? recordFault(error, collection, values) : error
  }
}

function recordFault(fault: Fault, collection: Collection, values: JsonObject): Fault {
  const { code, message, issues } = fault
  if (code === 'session_missing') return new Fault('record_missing')
  if (code === 'id_taken') return invalid([{ path: ['id'], code: 'not_unique', message: message === faults.id_taken.message ? 'Value must be unique.' : message }])
  if (code === 'workflow_missing') return invalid([{ path: ['workflow'], code: 'missing_records', message: notFound }])
  if (code === 'input_invalid') return invalid(issues.map((issue) => recordIssue(issue, collection, values)))
  return fault
}

/** What is wrong with a field; and with the context, where it does not do as the input of a round. */
function recordIssue({ path: [first = ''] = [], message }: Issue, { fields }: Collection, values: JsonObject): Issue {
  const field = fields.find(({ name }) => name === first)
  if (!field) return { path: ['context'], code: 'invalid_value', message }
  const { name, type, maxSize } = field
  if (type === 'relation') return { path: [name], code: 'missing_records', message: notFound }
  if (maxSize !== undefined) return { path: [name], code: 'json_size', message: `The maximum allowed JSON size is ${maxSize} bytes.`, params: { maxSize } }
  return { path: [name], code: 'invalid_value', message, params: { value: values[name] ?? null } }
}

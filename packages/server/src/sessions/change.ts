import {
  type CreateSession,
  Fault,
  type Json,
  type JsonObject,
  type Mode,
  type OneFileOfMessage,
  type OneMessage,
  type OneSession,
  type PutSession,
  type UpdateSession,
} from '@sluice/schema'
import { addSession, changeSession, removeSession } from '../events/sessions.ts'
import { isMode } from '../modes/modes.ts'
import type { Tx } from '../store/index.ts'
import { newId } from '../store/ids.ts'
import {
  deleteDocument,
  deleteMessage,
  emptySession,
  type GoneLine,
  lockSession,
  ownerFacts,
  redactLines,
  sessionOfExternal,
  type SessionRow,
  unreferenced,
} from '../store/rows/sessions.ts'
import { pinWorkflow } from '../store/rows/workflows.ts'
import { maySee, seenSession } from '../store/views/sessions.ts'
import { fieldsOf, newSession, statusRefused, withoutDerived, withStop } from './fields.ts'
import type { Client, Within } from './within.ts'

/** What clients do to sessions, each in one transaction. All lock in the order of the engine's `Rounds`, the session last. */

const drawings = 3

export async function create(within: Within, actor: Client, input: CreateSession): Promise<string> {
  const { tx, after } = within
  const { workspaceId } = actor
  const { id, user = actor.userId, reuse, lineIds: _ids, messages: _messages, workflow: named, ...written } = input
  const workflow = named ?? (isMode(input.mode) ? await workflowFor(within, actor, input.mode) : undefined)
  if (reuse !== undefined) checkReuse(input)
  await checkOwner(tx, actor, user)
  const known = await knownTo(within, actor, { ...input, ...(workflow !== undefined && { workflow }), user }, named === undefined)
  if (known !== null) return known
  const made = (drawn: string) => newSession(drawn, workspaceId, user, written, workflow !== undefined)
  if (workflow !== undefined && written.status === 'running') return createRunning(within, actor, workflow, made(id ?? newId()), id === undefined)
  if (workflow !== undefined && written.status !== undefined && written.status !== 'idle') throw statusRefused(written.status)
  const bound = workflow === undefined ? null : await pinWorkflow(tx, workspaceId, workflow)
  if (bound === undefined) throw new Fault('workflow_missing')
  const empty = reuse === undefined ? undefined : await emptySession(tx, made(newId()), bound?.id ?? null)
  if (empty !== undefined) return empty
  for (let drawing = 0; drawing < drawings; drawing++) {
    const row: SessionRow = { ...made(id ?? newId()), workflow_id: bound?.id ?? null }
    if (await addSession(tx, row, id === undefined)) {
      after.session(workspaceId, row.id)
      return row.id
    }
    if (id !== undefined || written.externalId !== undefined) break
  }
  throw new Fault('id_taken')
}

function checkReuse({ id, externalId, status }: CreateSession): void {
  const refuse = (message: string): never => {
    throw new Fault('input_invalid', { issues: [{ path: ['reuse'], message }] })
  }
  if (id !== undefined || externalId !== undefined) refuse('An empty session has an id of its own')
  if (status !== undefined && status !== 'idle') refuse('An empty session is idle')
}

/**
 * The owner's session that has the external id. Throws a Fault `id_taken` where it is not the one that is asked for. `byMode`:
 * it is asked for in a mode, and may have gone over to another since.
 */
async function knownTo(
  { tx, modes }: Within,
  { workspaceId }: Client,
  { id, externalId, workflow, user }: CreateSession & { user: string },
  byMode: boolean,
): Promise<string | null> {
  const known = externalId === undefined ? undefined : await sessionOfExternal(tx, workspaceId, user, externalId)
  if (!known) return null
  const bound = workflow === undefined ? null : await pinWorkflow(tx, workspaceId, workflow)
  if (bound === undefined) throw new Fault('workflow_missing')
  const details = { sessionId: known.id }
  const isAnother = (bound?.id ?? null) !== known.workflow_id && !(byMode && bound && known.workflow_id !== null && (await modes.modeOf(tx, known.workflow_id)) !== null)
  if (isAnother) throw new Fault('id_taken', { message: 'The external id is that of a session of another workflow', details })
  if (id !== undefined && id !== known.id) throw new Fault('id_taken', { message: 'The external id is that of a session with another id', details })
  return known.id
}

async function createRunning({ tx, rounds, after }: Within, actor: Client, workflow: string, make: Omit<SessionRow, 'workflow_id'>, isDrawn: boolean): Promise<string> {
  const round = await rounds.begin(tx, actor, { sessionId: make.id, workflow, make, isDrawn, whenLive: 'queue', plan: (session) => ({ input: contextOf(session), change() {} }) })
  if (round !== null) after.begun(actor.workspaceId, make.id, round)
  return make.id
}

const contextOf = (session: Pick<SessionRow, 'context'>): Json => JSON.parse(session.context) as Json

/** Somebody else's only as an admin; and whoever it is, they are a member. */
export async function checkOwner(tx: Tx, actor: Client, user: string): Promise<void> {
  if (user !== actor.userId && !actor.seesAll) throw new Fault('permission_denied', { message: 'Sessions of others are for admins to make' })
  const { member, user: isUser } = await ownerFacts(tx, actor.workspaceId, user)
  if (!member && (isUser || user !== actor.userId)) throw new Fault('input_invalid', { issues: [{ path: ['user'], message: 'There is no such member' }] })
}

/** With `touch` it counts as changed, though everything may stand as it stood. */
export async function update(within: Within, actor: Client, input: UpdateSession, touch = false): Promise<string> {
  const { id, ifUpdated, metadataKeys, lineIds: _ids, messages: _messages, ...written } = input
  const seen = await seenSession(within.tx, actor, id)
  const fields = fieldsOf(written)
  const merged = metadataSet(written.metadata, metadataKeys)
  const { status } = written
  // Made, where it has to be, before anything is locked that comes after workflows.
  const next = await reboundTo(within, actor, seen, written.mode)
  if (seen.workflow_id !== null && status !== undefined && status !== seen.status) {
    if (status === 'running' && (await startBy(within, actor, seen, { next, fields, merged, ifUpdated }))) return id
    if (status === 'idle') await stopRounds(within, actor, id, ifUpdated)
    if (status !== 'running' && status !== 'idle') throw statusRefused(status)
  }
  const row = await locked(within.tx, actor, id)
  const rebound = await reboundTo(within, actor, row, written.mode)
  // Checked before its rounds were cancelled, which is a change of its own.
  if (!(row.workflow_id !== null && status === 'idle' && status !== seen.status)) expect(row, ifUpdated)
  await changeSession(within.tx, row, (session) => {
    session.set({ ...(row.workflow_id === null ? withStop(fields, row) : withoutDerived(fields)), ...merged(row) })
    if (rebound !== null) session.set({ workflow_id: rebound })
    if (touch) session.touch()
  })
  within.after.session(actor.workspaceId, id)
  return id
}

/** Of the metadata that is sent, or else that there is then, with these keys set. */
const metadataSet =
  (sent: JsonObject | undefined, keys: JsonObject | undefined) =>
  ({ metadata }: Pick<SessionRow, 'metadata'>): ReturnType<typeof fieldsOf> =>
    keys === undefined ? {} : fieldsOf({ metadata: { ...(sent ?? (JSON.parse(metadata) as JsonObject)), ...keys } })

/** The workflow of another mode, for a session that is bound to that of one; null: it stays with what it has. */
async function reboundTo(within: Within, actor: Client, { workflow_id: bound }: SessionRow, mode: string | null | undefined): Promise<string | null> {
  if (bound === null || !isMode(mode)) return null
  const was = await within.modes.modeOf(within.tx, bound)
  return was === null || was === mode ? null : workflowFor(within, actor, mode)
}

/** The workflow of a mode, which is not deleted until the transaction ends. */
export async function workflowFor({ tx, modes }: Within, actor: Client, mode: Mode): Promise<string> {
  for (;;) {
    const { id } = await modes.workflowOf(tx, actor, mode)
    if (await pinWorkflow(tx, actor.workspaceId, id)) return id
  }
}

/** A status that is a command: a round with the context as its input. False while one is live. */
async function startBy(
  { tx, rounds, after }: Within,
  actor: Client,
  seen: SessionRow,
  { next, fields, merged, ifUpdated }: { next: string | null; fields: ReturnType<typeof fieldsOf>; merged: ReturnType<typeof metadataSet>; ifUpdated: string | undefined },
): Promise<boolean> {
  const round = await rounds.begin(tx, actor, {
    sessionId: seen.id,
    workflow: next ?? seen.workflow_id!,
    ...(next !== null && { rebinds: { from: seen.workflow_id } }),
    // Bound to another by somebody else, while we came.
    moved: () => new Fault('session_stale'),
    whenLive: 'leave',
    plan(session) {
      expect(session, ifUpdated)
      const kept = { ...withoutDerived(fields), ...merged(session) }
      return { input: contextOf({ ...session, ...kept }), change: (opened) => opened.set(kept) }
    },
  })
  if (round !== null) after.begun(actor.workspaceId, seen.id, round)
  return round !== null
}

async function stopRounds({ tx, rounds, after }: Within, actor: Client, id: string, ifUpdated?: string): Promise<boolean> {
  const { stopped, passed } = await rounds.stop(tx, actor.workspaceId, id, async () => expect(await locked(tx, actor, id), ifUpdated))
  for (const each of passed) after.passed(each)
  return stopped
}

/** The session of this id, changed as an update would; or a new one. */
export async function put(within: Within, actor: Client, { workflow, user, ifUpdated, ...input }: PutSession): Promise<string> {
  const { tx } = within
  const known = await seenIfAny(tx, actor, input.id)
  if (!known) return create(within, actor, { ...input, ...(workflow !== undefined && { workflow }), ...(user !== undefined && { user }) })
  if (user !== undefined && user !== known.user_id) throw new Fault('input_invalid', { issues: [{ path: ['user'], message: 'A session stays with its owner' }] })
  if (workflow !== undefined && (await pinWorkflow(tx, actor.workspaceId, workflow))?.id !== known.workflow_id)
    throw new Fault('input_invalid', { issues: [{ path: ['workflow'], message: 'A session is bound when it is made, and then stays as it is' }] })
  return update(within, actor, { ...input, ...(ifUpdated !== undefined && { ifUpdated }) })
}

const seenIfAny = (tx: Tx, actor: Client, id: string): Promise<SessionRow | null> =>
  seenSession(tx, actor, id).catch((error: unknown) => {
    if (error instanceof Fault) return null
    throw error
  })

/** Cancels what is live, and takes the session with its lines and ended rounds. */
export async function remove(within: Within, actor: Client, { id }: OneSession): Promise<void> {
  const { tx, rounds, files, after } = within
  await seenSession(tx, actor, id)
  await stopRounds(within, actor, id)
  const row = await locked(tx, actor, id)
  await rounds.clear(tx, id)
  await files.release(tx, { kind: 'session', id })
  await removeSession(tx, row)
  after.session(actor.workspaceId, id)
}

/** Stops what goes on, for good: of what is not going on nothing changes. */
export async function stop(within: Within, actor: Client, { id }: OneSession): Promise<string> {
  const { tx, after } = within
  const seen = await seenSession(tx, actor, id)
  const stopped = seen.workflow_id === null || (await stopRounds(within, actor, id))
  const row = await locked(tx, actor, id)
  if (stopped && (row.status === 'running' || row.status === 'waiting')) {
    await changeSession(tx, row, (session) => session.set(withStop({ status: 'stopped' }, row)))
  }
  after.session(actor.workspaceId, id)
  return id
}

/** Takes a message out, and what its events told of it. */
export const forgetMessage = (within: Within, actor: Client, { id, messageId }: OneMessage): Promise<void> => forget(within, actor, id, (tx) => deleteMessage(tx, id, messageId))

/** Takes a file from a message: it is used here no more, where no other message has it. */
export const detachFile = (within: Within, actor: Client, { id, messageId, fileId }: OneFileOfMessage): Promise<void> =>
  forget(within, actor, id, (tx) => deleteDocument(tx, id, messageId, fileId))

async function forget({ tx, files, after }: Within, actor: Client, id: string, take: (tx: Tx) => Promise<GoneLine[]>): Promise<void> {
  await seenSession(tx, actor, id)
  const row = await locked(tx, actor, id)
  const gone = await take(tx)
  if (gone.length === 0) throw new Fault('line_missing')
  const ids = gone.map((line) => line.id)
  await redactLines(tx, id, ids)
  await changeSession(tx, row, (session) => ids.forEach((each) => session.forget(each)))
  const without = await unreferenced(
    tx,
    id,
    gone.flatMap((line) => line.file ?? []),
  )
  if (without.length > 0) await files.detach(tx, without, { kind: 'session', id })
  after.session(actor.workspaceId, id)
}

export async function locked(tx: Tx, actor: Client, id: string): Promise<SessionRow> {
  const row = await lockSession(tx, id)
  if (!row || row.workspace_id !== actor.workspaceId || !maySee(actor, row.user_id)) throw new Fault('session_missing')
  return row
}

function expect(row: SessionRow, ifUpdated: string | undefined): void {
  const updated = row.updated_at.toISOString()
  if (ifUpdated !== undefined && Date.parse(ifUpdated) !== row.updated_at.getTime()) throw new Fault('session_stale', { details: { updated } })
}

import { Fault, type JsonObject, limits, type Mode, type SendMessage } from '@sluice/schema'
import { addSession, changeSession, type OpenSession } from '../events/sessions.ts'
import { isMode } from '../modes/modes.ts'
import { fingerprintOf } from '../store/fingerprint.ts'
import { newId } from '../store/ids.ts'
import { redirectKey, takeKey } from '../store/rows/idempotency.ts'
import { readSession, type SessionRow } from '../store/rows/sessions.ts'
import { maySee } from '../store/views/sessions.ts'
import { checkOwner, locked, workflowFor } from './change.ts'
import { fieldsOf, newSession } from './fields.ts'
import type { Client, Within } from './within.ts'

/** What became of a message. */
export interface Sent {
  sessionId: string
  messageId: string
  runId: string | null
  pauseId: string | null
}

/** What the message was to answer or to start is another by now: it is sent anew. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken'
}

/**
 * A message enters: it answers the question that the round under way asks, or starts a round, which waits for those before
 * it; and of a session without a workflow it is kept. Its line and its round are committed together.
 */
export async function send(within: Within, actor: Client, given: SendMessage, mayAnswer: boolean): Promise<Sent> {
  const input: SendMessage = { ...given, files: [...new Set(given.files)] }
  const { idempotencyKey, lineIds: _ids, messages: _messages, ...request } = input
  const target = await targetOf(within, actor, input.to)
  const binding = await bindingOf(within, actor, input, target)
  const bound = binding !== null
  const asking = mayAnswer && bound && target.is === 'session' ? await within.rounds.asks(within.tx, target.row.id) : null
  const sent: Sent = { sessionId: target.is === 'session' ? target.row.id : newId(), messageId: newId(), runId: asking?.id ?? null, pauseId: asking?.pause_id ?? null }
  const key = idempotencyKey === undefined ? null : { workspaceId: actor.workspaceId, actor: actor.principalId, key: `send:${idempotencyKey}` }
  if (key) {
    const fingerprint = fingerprintOf(request)
    const kept = await takeKey(within.tx, { ...key, fingerprint, reply: JSON.stringify(sent) })
    if (kept && kept.fingerprint !== fingerprint) throw new Fault('idempotency_conflict')
    if (kept) return kept.reply as Sent
  }
  if (target.is !== 'session') {
    await checkOwner(within.tx, actor, actor.userId)
    checkHistory(input)
  }
  if (asking && binding) await answer(within, actor, input, sent, binding)
  else if (binding) sent.runId = await start(within, actor, input, sent, { target, binding })
  else await keep(within, actor, input, sent, target)
  if (input.files?.length) await enclose(within, actor, sent, input.files)
  // The round has its id only now.
  if (key && sent.runId !== null) await redirectKey(within.tx, { ...key, reply: JSON.stringify(sent) })
  return sent
}

type Target = { is: 'session'; row: SessionRow } | { is: 'workflow'; ref: string } | { is: 'nobody' }

/** An id of a session wins. */
async function targetOf({ tx }: Within, actor: Client, to: string | undefined): Promise<Target> {
  if (to === undefined) return { is: 'nobody' }
  const row = await readSession(tx, actor.workspaceId, to)
  return row && maySee(actor, row.user_id) ? { is: 'session', row } : { is: 'workflow', ref: to }
}

/** What the next round is of; and where the session is bound to that from now on, what it was bound to before. */
interface Binding {
  workflow: string
  rebinds?: { from: string | null }
  mode?: Mode
}

/** Null: the message starts nothing. */
async function bindingOf(within: Within, actor: Client, { mode, orMode }: SendMessage, target: Target): Promise<Binding | null> {
  if (target.is === 'workflow') return { workflow: target.ref }
  const bound = target.is === 'session' ? target.row.workflow_id : null
  const own = target.is === 'session' && isMode(target.row.mode) ? target.row.mode : undefined
  if (bound === null) {
    const wanted = isMode(mode) ? mode : orMode && (own ?? orMode)
    return wanted === undefined ? null : { workflow: await workflowFor(within, actor, wanted), rebinds: { from: null }, mode: wanted }
  }
  const was = isMode(mode) ? await within.modes.modeOf(within.tx, bound) : null
  if (was === null || was === mode || !isMode(mode)) return { workflow: bound }
  return { workflow: await workflowFor(within, actor, mode), rebinds: { from: bound }, mode }
}

const metadataOf = ({ metadata = {}, clientTools }: SendMessage): JsonObject => ({ ...metadata, ...(clientTools && { clientTools }) })

const said =
  (input: SendMessage, { messageId }: Sent, label: string | undefined = input.mode) =>
  (session: OpenSession, runId: string | null): void => {
    const { text, files = [], tools } = input
    session.set({ ...(label !== undefined && { mode: label }), ...fieldsOf({ ...(tools !== undefined && { tools }) }) })
    session.say({ kind: 'message', role: 'user', text, metadata: metadataOf(input), files }, { runId, id: messageId })
  }

function checkHistory({ history = [] }: SendMessage): void {
  const bytes = Buffer.byteLength(JSON.stringify(history))
  if (bytes > limits.contextBytes) throw new Fault('input_invalid', { issues: [{ path: ['history'], message: `has ${bytes} bytes; ${limits.contextBytes} are allowed` }] })
}

/** What was said before a session was made here. */
const seeded =
  ({ history = [] }: SendMessage) =>
  (session: OpenSession): void => {
    for (const { role, text } of history) session.say({ kind: 'message', role, text, metadata: {}, files: [] }, { runId: null })
  }

/** The round under way goes on with it: what the session is bound to now is what the next one is of. */
async function answer({ tx, rounds, after }: Within, actor: Client, input: SendMessage, sent: Sent, { workflow, rebinds }: Binding): Promise<void> {
  const answered = await rounds.answer(tx, actor, sent.sessionId, input.text)
  if (answered?.runId !== sent.runId || answered.pauseId !== sent.pauseId) throw new Overtaken()
  const row = await locked(tx, actor, sent.sessionId)
  if (rebinds && row.workflow_id !== rebinds.from) throw new Overtaken()
  await changeSession(tx, row, (session) => {
    if (rebinds) session.set({ workflow_id: workflow })
    said(input, sent)(session, answered.runId)
  })
  after.passed(answered.passed)
  after.session(actor.workspaceId, sent.sessionId)
}

async function start(
  { tx, rounds, after }: Within,
  actor: Client,
  input: SendMessage,
  sent: Sent,
  { target, binding }: { target: Target; binding: Binding },
): Promise<string | null> {
  const { sessionId, messageId } = sent
  const { workflow, rebinds, mode } = binding
  const message = { text: input.text, metadata: metadataOf(input), files: input.files ?? [], messageId, sessionId }
  const isNew = target.is !== 'session'
  const round = await rounds.begin(tx, actor, {
    sessionId,
    workflow,
    ...(rebinds && !isNew && { rebinds }),
    // Bound to another by somebody else, while we came.
    moved: () => new Overtaken(),
    ...(isNew && {
      make: newSession(sessionId, actor.workspaceId, actor.userId, { title: titleOf(input) }, true),
      isDrawn: true,
      ...(input.history?.length && { before: seeded(input) }),
    }),
    whenLive: 'queue',
    plan: () => ({ message, change: said(input, sent, mode ?? input.mode) }),
  })
  if (round !== null) after.begun(actor.workspaceId, sessionId, round)
  return round
}

async function keep({ tx, after }: Within, actor: Client, input: SendMessage, sent: Sent, target: Target): Promise<void> {
  const made: SessionRow = { ...newSession(sent.sessionId, actor.workspaceId, actor.userId, { title: titleOf(input) }, false), workflow_id: null }
  if (target.is === 'nobody' && !(await addSession(tx, made, true))) throw new Fault('id_taken')
  const row = await locked(tx, actor, sent.sessionId)
  if (row.workflow_id !== null) throw new Overtaken()
  await changeSession(tx, row, (session) => {
    if (target.is === 'nobody') seeded(input)(session)
    said(input, sent)(session, null)
  })
  after.session(actor.workspaceId, sent.sessionId)
}

/** The session uses the files of its messages, and a document tells of each. The session is locked by now, files come after it. */
async function enclose({ tx, files }: Within, actor: Client, { sessionId, messageId, runId }: Sent, ids: readonly string[]): Promise<void> {
  const subject = { kind: 'session', id: sessionId } as const
  await files.attach(tx, { workspaceId: actor.workspaceId, userId: actor.userId, others: actor.seesAll }, ids, subject)
  const used = new Map((await files.of(tx, subject)).map((file) => [file.id, file]))
  await changeSession(tx, await locked(tx, actor, sessionId), (session) => {
    for (const { id, name, contentType, bytes } of ids.flatMap((each) => used.get(each) ?? []))
      session.say({ kind: 'document', messageId, fileId: id, name, mimeType: contentType, size: bytes }, { runId })
  })
}

const longestTitle = 80

/** What it begins with. */
function titleOf({ title, text }: SendMessage): string {
  const [line = ''] = text.trim().split('\n')
  return title ?? (line.length > longestTitle ? `${line.slice(0, longestTitle - 1).toWellFormed()}…` : line)
}

import { Fault, type SendMessage } from '@sluice/schema'
import { addSession, changeSession, type OpenSession } from '../events/sessions.ts'
import { fingerprintOf } from '../store/fingerprint.ts'
import { newId } from '../store/ids.ts'
import { redirectKey, takeKey } from '../store/rows/idempotency.ts'
import { readSession, type SessionRow } from '../store/rows/sessions.ts'
import { maySee } from '../store/views/sessions.ts'
import { checkOwner, locked } from './change.ts'
import { newSession } from './fields.ts'
import type { Client, Within } from './within.ts'

/** What became of a message. */
export interface Sent {
  sessionId: string
  messageId: string
  runId: string | null
  pauseId: string | null
}

/** The question that the message was to answer has been answered: the message is sent anew. */
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
  const bound = target.is === 'workflow' || (target.is === 'session' && target.row.workflow_id !== null)
  const asking = mayAnswer && bound && target.is === 'session' ? await within.rounds.asks(within.tx, target.row.id) : null
  const sent: Sent = { sessionId: target.is === 'session' ? target.row.id : newId(), messageId: newId(), runId: asking?.id ?? null, pauseId: asking?.pause_id ?? null }
  const key = idempotencyKey === undefined ? null : { workspaceId: actor.workspaceId, actor: actor.principalId, key: `send:${idempotencyKey}` }
  if (key) {
    const fingerprint = fingerprintOf(request)
    const kept = await takeKey(within.tx, { ...key, fingerprint, reply: JSON.stringify(sent) })
    if (kept && kept.fingerprint !== fingerprint) throw new Fault('idempotency_conflict')
    if (kept) return kept.reply as Sent
  }
  if (target.is !== 'session') await checkOwner(within.tx, actor, actor.userId)
  if (asking) await answer(within, actor, input, sent)
  else if (bound) sent.runId = await start(within, actor, input, sent, target)
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

const said =
  ({ text, metadata = {}, files = [], mode }: SendMessage, { messageId }: Sent) =>
  (session: OpenSession, runId: string | null): void => {
    if (mode !== undefined) session.set({ mode })
    session.say({ kind: 'message', role: 'user', text, metadata, files }, { runId, id: messageId })
  }

async function answer({ tx, rounds, after }: Within, actor: Client, input: SendMessage, sent: Sent): Promise<void> {
  const answered = await rounds.answer(tx, actor, sent.sessionId, input.text)
  if (answered?.runId !== sent.runId || answered.pauseId !== sent.pauseId) throw new Overtaken()
  await changeSession(tx, await locked(tx, actor, sent.sessionId), (session) => said(input, sent)(session, answered.runId))
  after.passed(answered.passed)
  after.session(actor.workspaceId, sent.sessionId)
}

async function start({ tx, rounds, after }: Within, actor: Client, input: SendMessage, sent: Sent, target: Target): Promise<string | null> {
  const { sessionId, messageId } = sent
  const message = { text: input.text, metadata: input.metadata ?? {}, files: input.files ?? [], messageId, sessionId }
  const round = await rounds.begin(tx, actor, {
    sessionId,
    workflow: target.is === 'session' ? target.row.workflow_id! : target.is === 'workflow' ? target.ref : '',
    ...(target.is === 'workflow' && { make: newSession(sessionId, actor.workspaceId, actor.userId, { title: titleOf(input) }, true) }),
    whenLive: 'queue',
    plan: () => ({ message, change: said(input, sent) }),
  })
  if (round !== null) after.begun(actor.workspaceId, sessionId, round)
  return round
}

async function keep({ tx, after }: Within, actor: Client, input: SendMessage, sent: Sent, target: Target): Promise<void> {
  const made: SessionRow = { ...newSession(sent.sessionId, actor.workspaceId, actor.userId, { title: titleOf(input) }, false), workflow_id: null }
  if (target.is === 'nobody' && !(await addSession(tx, made))) throw new Fault('id_taken')
  await changeSession(tx, await locked(tx, actor, sent.sessionId), (session) => said(input, sent)(session, null))
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

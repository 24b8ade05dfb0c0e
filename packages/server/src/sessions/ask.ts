import { type AskSession, type CallResult, Fault, type MessageLine, type Reply, type ReplyState, type SendMessage, type SentMessage, type Session } from '@sluice/schema'
import type { Engine } from '../engine/index.ts'
import type { Feed } from '../events/feed.ts'
import type { Database } from '../store/index.ts'
import { readKey } from '../store/rows/idempotency.ts'
import { chatbotNamed } from '../store/views/chatbots.ts'
import { callsOf, lastSaid, type RoundStanding, roundStanding, roundUnderWay, type RoundUsage, usageOf } from '../store/views/rounds.ts'
import { createSpeech, type Speech } from './speech.ts'
import type { Client } from './within.ts'

/** Told on the way to a reply: where the round is found, once; then what it says, piece by piece. */
export type Spoken = { is: 'begun'; sessionId: string; runId: string | null } | { is: 'text'; text: string }

/** What the room asks of what stands beside it. */
export interface AskParts {
  database: Database
  feed: Pick<Feed, 'run'>
  engine: Pick<Engine, 'signal'>
  sessions: {
    get(actor: Client, input: { id: string }): Promise<Session>
    send(actor: Client, input: SendMessage): Promise<SentMessage>
  }
}

/** How one waits for a reply. */
export interface Waiting {
  /** Who asked is gone: nobody waits any more, and the round goes on. */
  signal: AbortSignal
  tell?: ((said: Spoken) => void) | undefined
}

export type Ask = (actor: Client, input: AskSession, waiting: Waiting) => Promise<Reply>

/**
 * A message, or the results of calls, and the wait for what becomes of the round.
 *
 * A1. What is asked is kept before it is waited for: who leaves, or is left, finds it as if it had been sent.
 * A2. The same request once more, by its key or by its results, does nothing again and is told what became of it.
 * A3. It follows the log, and looks when that tells of something: nobody polls.
 */
export function createAsk(parts: AskParts): Ask {
  return async (actor, input, { signal, tell }) => {
    const { waitMs } = input
    const patience = AbortSignal.any([signal, AbortSignal.timeout(waitMs)])
    const entered = input.results ? await giveResults(parts, actor, { ...input, results: input.results }) : await say(parts, actor, input)
    const { session, runId, spent } = entered
    tell?.({ is: 'begun', sessionId: session.id, runId })
    if (runId === null) return { ...entered.of, ...nothing, session, runId, state: 'answered' }
    const speech = tell && createSpeech((text) => tell({ is: 'text', text }))
    const standing = await settled(parts, actor, { sessionId: session.id, runId }, patience, speech)
    const outcome = await outcomeOf(parts.database, session.id, runId, standing, spent)
    speech?.ends(outcome.answer?.text ?? null)
    return { ...entered.of, ...outcome, session: await parts.sessions.get(actor, viewed(input, session.id)), runId }
  }
}

const nothing = { answer: null, calls: [], pauseId: null, asked: null, reason: null, usage: { promptTokens: 0, completionTokens: 0 } } satisfies Partial<Reply>

const viewed = ({ lineIds, messages }: AskSession, id: string) => ({ id, ...(lineIds !== undefined && { lineIds }), ...(messages !== undefined && { messages }) })

/** What was asked is kept, and this is its round. */
interface Entered {
  session: Session
  runId: string | null
  of: Pick<Reply, 'message'>
  /** Before this request. */
  spent: RoundUsage
}

const unspent: RoundUsage = { promptTokens: 0, completionTokens: 0 }

// ── a message ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Throws `calls_pending` where it would wait behind a round that waits for who says it. */
async function say(parts: AskParts, actor: Client, asked: AskSession): Promise<Entered> {
  const { text = '', session: _session, chatbot: _chatbot, results: _results, runId: _runId, waitMs: _waitMs, ...more } = asked
  const to = await targetOf(parts, actor, asked)
  const message = { ...more, ...(to !== undefined && { to }), text }
  if (to !== undefined && !(await wasSent(parts.database, actor, message))) await refusePending(parts.database, actor, to)
  const { session, message: line, runId } = await parts.sessions.send(actor, message)
  return { session, runId, of: { message: spokenIn(line) }, spent: unspent }
}

/** Throws `session_missing` and `workflow_missing` for what is there, but is something else. */
async function targetOf({ database, sessions }: AskParts, actor: Client, { to, session: id, chatbot }: AskSession): Promise<string | undefined> {
  const session = id === undefined ? null : await sessions.get(actor, { id })
  if (chatbot === undefined) return session?.id ?? to
  const named = await chatbotNamed(database, actor.workspaceId, chatbot)
  if (!named) throw new Fault('workflow_missing', { details: { workflow: chatbot } })
  if (session && session.workflowId !== named.id)
    throw new Fault('input_invalid', { issues: [{ path: ['chatbot'], message: 'The session is bound to another workflow' }], details: { workflowId: session.workflowId } })
  return session?.id ?? named.id
}

const spokenIn = (line: SentMessage['message']): MessageLine | null => (line.kind === 'message' ? line : null)

async function wasSent(database: Database, actor: Client, { idempotencyKey }: SendMessage): Promise<boolean> {
  if (idempotencyKey === undefined) return false
  return (await readKey(database, { workspaceId: actor.workspaceId, actor: actor.principalId, key: `send:${idempotencyKey}` })) !== undefined
}

async function refusePending(database: Database, actor: Client, sessionId: string): Promise<void> {
  const runId = await roundUnderWay(database, sessionId)
  const standing = runId === null ? undefined : await roundStanding(database, actor.workspaceId, runId)
  if (!standing || isMoving(standing)) return
  const calls = await callsOf(database, standing.id, callIdsOf(standing))
  if (calls.length > 0) throw new Fault('calls_pending', { details: { runId: standing.id, calls: calls.map(({ id }) => id) } })
}

// ── results ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const signalOf = (callId: string): string => `call:${callId}`
const callIdsOf = ({ signals }: RoundStanding): string[] => signals.flatMap((name) => (name.startsWith('call:') ? [name.slice('call:'.length)] : []))

interface Given {
  to?: string | undefined
  session?: string | undefined
  runId?: string | undefined
  results: readonly CallResult[]
}

async function giveResults({ database, engine, sessions }: AskParts, actor: Client, { session: id, to = id, runId, results }: Given): Promise<Entered> {
  const found = runId ?? (await roundUnderWay(database, to!))
  const standing = found === null ? undefined : await roundStanding(database, actor.workspaceId, found)
  const sessionId = to ?? standing?.session_id
  // Of a session that is not theirs nobody learns that it waits for something.
  if (sessionId === undefined || sessionId === null) throw new Fault('run_missing')
  const session = await sessions.get(actor, { id: sessionId })
  if (standing?.session_id !== sessionId) throw new Fault(runId === undefined ? 'call_not_waiting' : 'run_missing')
  const waiting = new Set(isTerminal(standing) ? [] : callIdsOf(standing))
  for (const { callId } of results)
    if (!waiting.has(callId) && !(await wasGiven(database, actor, standing.id, callId)))
      throw new Fault('call_not_waiting', { details: { runId: standing.id, callId, calls: [...waiting] } })
  const anew = results.some(({ callId }) => waiting.has(callId))
  const spent = anew ? await usageOf(database, sessionId, standing.id) : unspent
  for (const { callId, content } of results)
    await engine.signal(actor, { runId: standing.id, name: signalOf(callId), payload: { content }, idempotencyKey: resultKey(standing.id, callId) })
  return { session, runId: standing.id, of: { message: null }, spent }
}

const resultKey = (runId: string, callId: string): string => `${runId}/${callId}`

async function wasGiven(database: Database, actor: Client, runId: string, callId: string): Promise<boolean> {
  return (await readKey(database, { workspaceId: actor.workspaceId, actor: actor.principalId, key: `signal:${resultKey(runId, callId)}` })) !== undefined
}

// ── the wait ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const terminal: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled', 'compensated'])
const isTerminal = ({ status }: RoundStanding): boolean => terminal.has(status)

/** Whether there is more to come without anybody's doing. */
const isMoving = (standing: RoundStanding): boolean => !isTerminal(standing) && (standing.held || standing.status !== 'waiting' || stateOf(standing) === 'going')

/** After which of its events a round may have come to rest. */
const telling = ['run.waiting', 'run.completed', 'run.failed', 'run.cancelled', 'run.compensated', 'pause.opened', 'step.waiting', 'run.released']

/** The round when it has come to rest, or as it stands when patience is over; or that which it waits behind, when that has come to rest first. */
async function settled(
  parts: AskParts,
  actor: Client,
  { sessionId, runId }: { sessionId: string; runId: string },
  patience: AbortSignal,
  speech: Speech | undefined,
): Promise<RoundStanding> {
  for (;;) {
    const own = await standingOf(parts.database, actor, runId)
    if (own.begun || isTerminal(own)) return atRest(parts, actor, runId, patience, speech)
    const first = (await roundUnderWay(parts.database, sessionId)) ?? runId
    const standing = await atRest(parts, actor, first, patience, first === runId ? speech : undefined)
    if (first === runId || patience.aborted || !isTerminal(standing)) return standing
  }
}

async function atRest({ database, feed }: AskParts, actor: Client, runId: string, patience: AbortSignal, speech: Speech | undefined): Promise<RoundStanding> {
  const batches = await feed.run({ workspaceId: actor.workspaceId, runId, where: { type: { in: telling } }, tokens: speech !== undefined }, patience)
  for await (const batch of batches) {
    for (const item of batch) if (item.type === 'token') speech?.heard(item)
    if (!batch.some(({ type }) => type === 'snapshot' || telling.includes(type))) continue
    const standing = await standingOf(database, actor, runId)
    if (!isMoving(standing)) return standing
  }
  return standingOf(database, actor, runId)
}

async function standingOf(database: Database, actor: Client, runId: string): Promise<RoundStanding> {
  const standing = await roundStanding(database, actor.workspaceId, runId)
  if (!standing) throw new Fault('run_missing')
  return standing
}

function stateOf(standing: RoundStanding): ReplyState {
  switch (standing.status) {
    case 'completed':
      return 'answered'
    case 'failed':
    case 'compensated':
      return 'failed'
    case 'cancelled':
      return 'stopped'
    case 'waiting':
      if (standing.held) return 'going'
      if (callIdsOf(standing).length > 0) return 'calls'
      return standing.pause === null ? 'going' : standing.pause.kind === 'question' ? 'asks' : 'approval'
    default:
      return 'going'
  }
}

async function outcomeOf(database: Database, sessionId: string, asked: string, standing: RoundStanding, spent: RoundUsage): Promise<Omit<Reply, 'session' | 'message' | 'runId'>> {
  const state = stateOf(standing)
  const own = standing.id === asked
  const pause = state === 'asks' || state === 'approval' ? standing.pause : null
  const used = own ? await usageOf(database, sessionId, asked) : unspent
  return {
    state,
    answer: state === 'answered' || state === 'asks' ? await lastSaid(database, sessionId, standing.id) : null,
    calls: state === 'calls' ? await callsOf(database, standing.id, callIdsOf(standing)) : [],
    pauseId: pause?.id ?? null,
    asked: pause?.message ?? null,
    reason: standing.reason,
    usage: { promptTokens: Math.max(0, used.promptTokens - spent.promptTokens), completionTokens: Math.max(0, used.completionTokens - spent.completionTokens) },
  }
}

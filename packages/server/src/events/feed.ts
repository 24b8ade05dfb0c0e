import { type Event, Fault, limits, type Line, type EventField, type PassedEvent, type ResyncEvent, type SnapshotEvent, type TokenEvent, type Where } from '@sluice/schema'
import type { Database, Tx } from '../store/database.ts'
import { currentOf, feedRun, feedSession, freeze, isNamed, type Named, namedRun, seenBy } from '../store/rows/feeds.ts'
import { getRun, liveRuns, resolveWorkflow } from '../store/views/runs.ts'
import { lineTold, maySee, newestLines, recordFrom, seenSession, type Viewer } from '../store/views/sessions.ts'
import { canvasLane, type Current, currentSieve, type Standing } from './current.ts'
import type { Doorbell, Topic } from './doorbell.ts'
import { runLog, sessionLog, workspaceLog } from './logs.ts'
import { cursorOf, endOf, momentOf, numbered, numberOf, type Place, placeOf } from './place.ts'
import { createScope, createSieve, type Entry, type Scope, type Sieve, type Sifted, unseen } from './sieve.ts'
import { withTokens } from './spoken.ts'
import { type Follower, type Log, openTail, type Tail } from './tail.ts'
import type { Heard, Tokens } from './tokens.ts'

export type FeedItem = Event | SnapshotEvent | ResyncEvent | PassedEvent | TokenEvent

/** What there was to tell at one moment, never empty. The same array for all who are told the same. */
export type Batch = readonly FeedItem[]

/**
 * The log as streams: what was missed, then what comes, each event once and in order.
 *
 * F1. An event is read from the log, never handed over by who wrote it: a subscriber on another server sees the same.
 * F2. A ring says that there is something to read; a lost one costs two seconds, no event.
 * F3. Nothing is read ahead: a slow consumer holds one batch, of some 256 KiB or of one event.
 * F4. What a stream leaves out is passed all the same: the cursor moves over it, and a run's stream ends with the run.
 * F5. A snapshot and what follows it meet: what the snapshot shows is not told again, and nothing is missing between them.
 * F7. What steps say is told to who asks for it, beside the log (tokens.ts): it moves no cursor, and holds no event up.
 * F6. What many follow is read, sieved and given once (tail.ts); what one of them may see never depends on the others.
 */
export interface Feed {
  /** Of one run, of this workflow where one is named; ends after its terminal event. Without a cursor: a snapshot, and what comes after it. */
  run(of: { workspaceId: string; runId: string; workflow?: string | undefined } & Asked & Listening, signal: AbortSignal): Promise<AsyncIterable<Batch>>
  workflow(of: { workspaceId: string; workflow: string } & Asked, signal: AbortSignal): Promise<AsyncIterable<Batch>>
  /** Of the run of this transaction id, as of any run; one that is not there yet is waited for, and told from its first event on: so says a `passed` that comes at once. A cursor is of the run that is named with it, else of this one. */
  transaction(
    of: { workspaceId: string; workflow: string; transactionId: string; runId?: string | undefined } & Asked & Listening,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Batch>>
  /** Of the current run of a workflow, whichever that is; begins with a snapshot always, and fails with `workflow_missing` when there is none to be made any more. */
  current(of: { workspaceId: string; workflow: string } & Pick<Asked, 'where'>, signal: AbortSignal): Promise<AsyncIterable<Batch>>
  /** Of one session; ends when it is deleted. A snapshot holds its newest lines. */
  session(of: { viewer: Viewer; sessionId: string } & Asked & Listening, signal: AbortSignal): Promise<AsyncIterable<Batch>>
  /** As far as the viewer may see: of sessions their own alone, unless they are an admin. */
  workspace(of: { viewer: Viewer } & Asked, signal: AbortSignal): Promise<AsyncIterable<Batch>>
  /** The log of a workspace page by page, as it was written: who follows it decides who is told of what. */
  pages(workspaceId: string, signal: AbortSignal): Pages
}

export interface Pages extends Follower {
  /** Nothing that commits from now on stands before it. */
  end(): Promise<Place>
}

/** After which cursor, and which events: a snapshot and a resync come in any case. */
export interface Asked {
  after?: string | undefined
  where?: Where<EventField> | undefined
}

/** Whether what steps say is told, too. */
export interface Listening {
  tokens?: boolean | undefined
}

/** Of a session's snapshot. */
const snapshotLines = 100
const snapshotLineBytes = limits.snapshotBytes / 2
/** After so many events that were left out the consumer is told how far the stream is: it need not go through them again. */
const mostSilent = 100

/** How a stream begins, or begins anew. */
interface Start {
  told: readonly [SnapshotEvent]
  place: Place
  /** Nothing comes after it. */
  isLast: boolean
  /** What the log is sifted with from there on, where that is not the stream's own. */
  sieve?: Sieve
}

interface Stream {
  log: Log
  sieve: Sieve
  /** Null: it begins with a snapshot. */
  after: Place | null
  start(): Promise<Start>
}

/** Without `tokens` there are none to tell. */
export function createFeed({ database, doorbell, tokens }: { database: Database; doorbell: Doorbell; tokens?: Tokens }): Feed {
  const tails = new Map<Topic, Tail>()
  const starts = new WeakMap<Sifted, Promise<Start>>()

  function tailOf(log: Log): Tail {
    const known = tails.get(log.topic)
    if (known) return known
    const tail = openTail(log, doorbell, () => void (tails.get(log.topic) === tail && tails.delete(log.topic)))
    tails.set(log.topic, tail)
    return tail
  }

  async function* batches({ log, after, start, ...stream }: Stream, signal: AbortSignal): AsyncGenerator<Batch> {
    const follower = tailOf(log).follow(signal)
    let { sieve } = stream
    let place = after
    let silence = 0
    try {
      if (!place) {
        const begun = await start()
        yield begun.told
        if (begun.isLast) return
        ;({ place, sieve = stream.sieve } = begun)
      }
      for (let next = await follower.next(place); next !== 'over'; next = await follower.next(place)) {
        if (next === 'trimmed') {
          const begun = await start()
          yield [{ type: 'resync', cursor: begun.told[0].cursor }]
          yield begun.told
          ;({ place, sieve = stream.sieve } = begun)
          continue
        }
        const sifted = next.sift(sieve)
        silence = sifted.events.length > 0 ? sifted.silence : silence + sifted.silence
        if (sifted.events.length > 0) yield sifted.events
        if (sifted.next === 'anew') {
          const begun = await together(sifted, start)
          yield begun.told
          ;({ place, sieve = stream.sieve } = begun)
          continue
        }
        place = next.end
        sieve = sifted.next ?? sieve
        if (next.isLast) return
        if (silence < mostSilent) continue
        silence = 0
        yield next.passed
      }
    } finally {
      follower.leave()
    }
  }

  /** Who was told the same before begins anew with the same. */
  function together(told: Sifted, start: () => Promise<Start>): Promise<Start> {
    const begun = starts.get(told) ?? start()
    starts.set(told, begun)
    return begun
  }

  /** `begin` makes the snapshot, and says what to go on with where that hangs on it. */
  function ofWorkspace(workspaceId: string, { after, where }: Asked, scope: Scope, begin: (tx: Tx) => Promise<Begun>): Stream {
    const start = (): Promise<Start> =>
      database.transaction(async (tx) => {
        await freeze(tx)
        const moment = momentOf(await seenBy(tx))
        const place = endOf(moment.least - 1n)
        const { sieve = own, ...shown } = await begin(tx)
        return { told: [{ type: 'snapshot', cursor: cursorOf(place), at: now(), ...shown }], place, isLast: false, sieve: unseen(sieve, moment) }
      })
    const own = createSieve(where, scope)
    return { log: workspaceLog(database, workspaceId), sieve: own, after: after === undefined ? null : placeOf(after), start }
  }

  function ofRun(workspaceId: string, runId: string, { after, where, tokens: listens }: Asked & Listening, signal: AbortSignal): AsyncGenerator<Batch> {
    const start = () => runStart(database, workspaceId, runId)
    const stream = { log: runLog(database, runId), sieve: createSieve(where), after: after === undefined ? null : numberOf(after), start }
    return listens ? spoken(stream, { runId }, after, signal) : batches(stream, signal)
  }

  function spoken(stream: Stream, of: Heard, after: string | undefined, signal: AbortSignal): AsyncGenerator<Batch> {
    if (!tokens) return batches(stream, signal)
    return withTokens({ stream: (until) => batches(stream, until), hear: (listener) => tokens.hear(of, listener), after }, signal)
  }

  /** Of a run that is not there yet. At once there is a word that it is waited for. */
  async function* awaited(awaiting: Awaiting, signal: AbortSignal): AsyncGenerator<Batch> {
    yield [{ type: 'passed', cursor: '0' }]
    const runId = await untilStarted(awaiting, signal)
    if (runId !== null) yield* ofRun(awaiting.workspaceId, runId, { after: '0', where: awaiting.where, tokens: awaiting.tokens }, signal)
  }

  /** Null: the signal was given. */
  async function untilStarted({ named, log, ...awaiting }: Awaiting, signal: AbortSignal): Promise<string | null> {
    const follower = tailOf(log).follow(signal)
    const starts = startsOf(named.workflowId)
    let { place } = awaiting
    try {
      for (;;) {
        const next = await follower.next(place)
        if (next === 'over') return null
        place = next === 'trimmed' ? (await log.end()).place : next.end
        if (next !== 'trimmed' && next.sift(starts).events.length === 0) continue
        const found = await namedRun(database, named)
        if (found !== null) return found
      }
    } finally {
      follower.leave()
    }
  }

  return {
    async run({ workspaceId, runId, workflow, ...asked }, signal) {
      const workflowId = workflow === undefined ? null : await resolveWorkflow(database, workspaceId, workflow)
      const run = await feedRun(database, runId)
      if (run?.workspace_id !== workspaceId || (workflowId !== null && run.workflow_id !== workflowId)) throw new Fault('run_missing')
      return ofRun(workspaceId, runId, asked, signal)
    },
    async transaction({ workspaceId, workflow, transactionId, runId, after, where, tokens: listens }, signal) {
      const named = { workflowId: await resolveWorkflow(database, workspaceId, workflow), transactionId }
      if (runId !== undefined && !(await isNamed(database, runId, named))) throw new Fault('run_missing')
      const log = workspaceLog(database, workspaceId)
      // Before it is looked for: what is written after that is read.
      const { place } = await log.end()
      const found = runId ?? (await namedRun(database, named))
      if (found === null) return awaited({ workspaceId, named, where, tokens: listens, log, place }, signal)
      return (await isPassed(database, found, after)) ? over : ofRun(workspaceId, found, { after, where, tokens: listens }, signal)
    },
    async workflow({ workspaceId, workflow, ...asked }, signal) {
      const workflowId = await resolveWorkflow(database, workspaceId, workflow)
      return batches(
        ofWorkspace(workspaceId, asked, ofWorkflow(workflowId), async (tx) => ({ runs: await liveRuns(tx, workspaceId, workflowId) })),
        signal,
      )
    },
    async current({ workspaceId, workflow, where }, signal) {
      const workflowId = await resolveWorkflow(database, workspaceId, workflow)
      const within = ofWorkflow(workflowId)
      const current: Current = { within, asked: createScope(where, within), lane: canvasLane(workflowId) }
      return batches(
        ofWorkspace(workspaceId, { where }, within, (tx) => currentShown(tx, workspaceId, workflowId, current)),
        signal,
      )
    },
    async session({ viewer, sessionId, after, where, tokens: listens }, signal) {
      const session = await feedSession(database, sessionId)
      if (session?.workspace_id !== viewer.workspaceId || !maySee(viewer, session.owner) || (session.gone && after === undefined)) throw new Fault('session_missing')
      const start = () => sessionStart(database, viewer, sessionId)
      const stream = { log: sessionLog(database, sessionId), sieve: createSieve(where), after: after === undefined ? null : numberOf(after), start }
      return listens ? spoken(stream, { sessionId }, after, signal) : batches(stream, signal)
    },
    async workspace({ viewer, ...asked }, signal) {
      return batches(
        ofWorkspace(viewer.workspaceId, asked, visibleTo(viewer), async (tx) => ({ runs: await liveRuns(tx, viewer.workspaceId, null) })),
        signal,
      )
    },
    pages(workspaceId, signal) {
      const log = workspaceLog(database, workspaceId)
      return { ...tailOf(log).follow(signal), end: async () => (await log.end()).place }
    },
  }
}

/** All of it is known: there is nothing to follow. */
export const over: AsyncIterable<Batch> = {
  async *[Symbol.asyncIterator]() {},
}

/** Whether a run has ended, and nothing came after the cursor. */
async function isPassed(tx: Tx, runId: string, after: string | undefined): Promise<boolean> {
  if (after === undefined) return false
  const head = await feedRun(tx, runId)
  return head !== undefined && head.ended && numberOf(after).position >= head.seq
}

/** A run that is not there, and from where on what is written may begin it. */
interface Awaiting extends Listening {
  workspaceId: string
  named: Named
  where: Asked['where']
  log: Log
  place: Place
}

/** That runs of a workflow begin. */
function startsOf(workflowId: string): Sieve {
  const { key, fits } = ofWorkflow(workflowId)
  const begins = (entry: Entry): boolean => entry.event.type === 'run.queued' && fits(entry)
  return { key: `${key} begins`, sift: (entries) => ({ events: entries.filter(begins).map(({ event }) => event), silence: 0 }) }
}

const now = (): string => new Date().toISOString()

const ofWorkflow = (workflowId: string): Scope => ({ key: `workflow ${workflowId}`, fits: (told) => told.workflowId === workflowId && told.owner === null })

/** All admins see the same. */
const visibleTo = (viewer: Viewer): Scope => ({
  key: viewer.seesAll ? 'all' : `user ${viewer.userId}`,
  fits: ({ owner }) => owner === null || maySee(viewer, owner),
})

/** What a snapshot shows, and what to go on with. */
type Begun = Pick<SnapshotEvent, 'runs' | 'run' | 'workflowId'> & { sieve?: Sieve }

/** Throws a Fault `workflow_missing` when it was deleted meanwhile. */
async function currentShown(tx: Tx, workspaceId: string, workflowId: string, current: Current): Promise<Begun> {
  await resolveWorkflow(tx, workspaceId, workflowId)
  const row = await currentOf(tx, workspaceId, workflowId, current.lane)
  const standing: Standing = row ? { run: row.id, isLive: row.is_live, isFirst: row.is_first, isAlone: row.is_alone } : nobody
  return { workflowId, ...(row && { run: await getRun(tx, workspaceId, row.id) }), sieve: currentSieve(standing, current) }
}

const nobody: Standing = { run: null, isLive: false, isFirst: false, isAlone: true }

function runStart(database: Database, workspaceId: string, runId: string): Promise<Start> {
  return database.transaction(async (tx: Tx) => {
    await freeze(tx)
    const head = await feedRun(tx, runId)
    // It was deleted, or its time was over.
    if (!head) throw new Fault('run_missing')
    const run = await getRun(tx, workspaceId, runId)
    return { told: [{ type: 'snapshot', cursor: String(head.seq), at: now(), run }], place: numbered(head.seq), isLast: run.endedAt !== null }
  })
}

function sessionStart(database: Database, viewer: Viewer, sessionId: string): Promise<Start> {
  return database.transaction(async (tx: Tx) => {
    await freeze(tx)
    const row = await seenSession(tx, viewer, sessionId)
    const lines = (await newestLines(tx, sessionId, snapshotLines)).map(lineTold)
    const snapshot: SnapshotEvent = { type: 'snapshot', cursor: String(row.seq), at: now(), session: recordFrom(row), lines: lines.slice(firstThatFits(lines)) }
    return { told: [snapshot], place: numbered(row.seq), isLast: false }
  })
}

/** Where the newest lines begin that fit into a snapshot together. */
function firstThatFits(lines: readonly Line[]): number {
  let room = snapshotLineBytes
  const before = lines.findLastIndex((line) => (room -= Buffer.byteLength(JSON.stringify(line))) < 0)
  return before + 1
}

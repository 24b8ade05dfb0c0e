import { type Event, Fault, limits, type Line, type EventField, type PassedEvent, type ResyncEvent, type SnapshotEvent, terminalEvents, type Where } from '@sluice/schema'
import type { Database, Tx } from '../store/database.ts'
import { type LoggedEvent, feedRun, feedSession, freeze, logEnd, runEventsAfter, sessionEventsAfter, trimmedTo, workspaceEventsAfter } from '../store/rows/feeds.ts'
import { getRun, liveRuns, resolveWorkflow } from '../store/views/runs.ts'
import { lineTold, maySee, newestLines, recordFrom, seenSession, type Viewer } from '../store/views/sessions.ts'
import type { Doorbell, Topic } from './doorbell.ts'
import { createSieve, type Told } from './sieve.ts'

export type FeedItem = Event | SnapshotEvent | ResyncEvent | PassedEvent

/**
 * The log as streams: what was missed, then what comes, each event once and in order.
 *
 * F1. An event is read from the log, never handed over by who wrote it: a subscriber on another server sees the same.
 * F2. A ring says that there is something to read; a lost one costs two seconds, no event.
 * F3. Nothing is read ahead: a slow consumer holds one page.
 * F4. What `where` leaves out is passed all the same: the cursor moves over it, and a run's stream ends with the run.
 */
export interface Feed {
  /** Of one run; ends after its terminal event. Without a cursor: a snapshot, and what comes after it. */
  run(of: { workspaceId: string; runId: string } & Asked, signal: AbortSignal): Promise<AsyncIterable<FeedItem>>
  workflow(of: { workspaceId: string; workflow: string } & Asked, signal: AbortSignal): Promise<AsyncIterable<FeedItem>>
  /** Of one session; ends when it is deleted. A snapshot holds its newest lines. */
  session(of: { viewer: Viewer; sessionId: string } & Asked, signal: AbortSignal): Promise<AsyncIterable<FeedItem>>
  /** As far as the viewer may see: of sessions their own alone, unless they are an admin. */
  workspace(of: { viewer: Viewer } & Asked, signal: AbortSignal): Promise<AsyncIterable<FeedItem>>
}

/** After which cursor, and which events: a snapshot and a resync come in any case. */
export interface Asked {
  after?: string | undefined
  where?: Where<EventField> | undefined
}

const pageSize = 100
const netMs = 2_000
/** Of a session's snapshot. */
const snapshotLines = 100
const snapshotLineBytes = limits.snapshotBytes / 2

interface Page {
  items: FeedItem[]
  /** There may be more at once. */
  full: boolean
  /** Nothing comes after these. */
  last: boolean
}

export function createFeed({ database, doorbell }: { database: Database; doorbell: Doorbell }): Feed {
  /** Pages as long as there are some; then, woken by the bell, more of them. */
  async function* pages(topic: Topic, read: () => Promise<Page>, signal: AbortSignal): AsyncGenerator<FeedItem> {
    let rung = true
    let wake = () => {}
    const ring = (): void => {
      rung = true
      wake()
    }
    const off = doorbell.on(topic, ring)
    signal.addEventListener('abort', ring, { once: true })
    try {
      while (!signal.aborted) {
        rung = false
        const page = await read()
        for (const item of page.items) {
          if (signal.aborted) return
          yield item
        }
        if (page.last) return
        if (page.full || rung) continue
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, netMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    } finally {
      off()
      signal.removeEventListener('abort', ring)
    }
  }

  async function ofWorkspace(
    workspaceId: string,
    wanted: { workflowId: string } | { viewer: Viewer },
    { after, where }: Asked,
    signal: AbortSignal,
  ): Promise<AsyncIterable<FeedItem>> {
    let place = after === undefined ? null : placeOf(after)
    const sieve = createSieve(where)
    const workflowId = 'workflowId' in wanted ? wanted.workflowId : null
    const isWanted = (row: LoggedEvent): boolean => ('viewer' in wanted ? row.owner === null || maySee(wanted.viewer, row.owner) : row.workflow_id === workflowId)
    const snapshot = async (): Promise<SnapshotEvent> =>
      database.transaction(async (tx) => {
        await freeze(tx)
        const end = await logEnd(tx)
        // What the snapshot shows is at least as new as the cursor: an event in between may come again, none is missed.
        place = { xid: String(BigInt(end) - 1n), position: Number.MAX_SAFE_INTEGER }
        return { type: 'snapshot', cursor: cursorOf(place), runs: await liveRuns(tx, workspaceId, workflowId) }
      })
    async function read(): Promise<Page> {
      if (!place) return { items: [await snapshot()], full: true, last: false }
      const trimmed = await trimmedTo(database, workspaceId)
      if (trimmed && isBefore(place, trimmed)) {
        const anew = await snapshot()
        return { items: [{ type: 'resync', cursor: anew.cursor }, anew], full: true, last: false }
      }
      const rows = await workspaceEventsAfter(database, workspaceId, place.xid, place.position, pageSize)
      const end = rows.at(-1)
      if (end) place = { xid: end.xid, position: end.position }
      return { items: sieve(rows.filter(isWanted).map((row) => toldFrom(row, cursorOf(row)))), full: rows.length === pageSize, last: false }
    }
    return pages(`workspace:${workspaceId}`, read, signal)
  }

  return {
    async run({ workspaceId, runId, after, where }, signal) {
      const run = await feedRun(database, runId)
      if (run?.workspace_id !== workspaceId) throw new Fault('run_missing')
      let seq = after === undefined ? null : seqOf(after)
      const sieve = createSieve(where)
      async function read(): Promise<Page> {
        if (seq === null) {
          const snapshot = await runSnapshot(database, workspaceId, runId)
          seq = Number(snapshot.cursor)
          return { items: [snapshot], full: true, last: typeof snapshot.run?.endedAt === 'string' }
        }
        const rows = await runEventsAfter(database, runId, seq, pageSize)
        seq = rows.at(-1)?.seq ?? seq
        if (rows.length === 0) return nothingAfter(seq, await feedRun(database, runId))
        return { items: sieve(rows.map((row) => toldFrom(row, String(row.seq)))), full: rows.length === pageSize, last: rows.some((row) => isTerminal(row.type)) }
      }
      return pages(`run:${runId}`, read, signal)
    },
    async workflow({ workspaceId, workflow, ...asked }, signal) {
      return ofWorkspace(workspaceId, { workflowId: await resolveWorkflow(database, workspaceId, workflow) }, asked, signal)
    },
    async session({ viewer, sessionId, after, where }, signal) {
      const session = await feedSession(database, sessionId)
      if (session?.workspace_id !== viewer.workspaceId || !maySee(viewer, session.owner) || (session.gone && after === undefined)) throw new Fault('session_missing')
      let seq = after === undefined ? null : seqOf(after)
      const sieve = createSieve(where)
      async function anew(): Promise<SnapshotEvent> {
        const snapshot = await sessionSnapshot(database, viewer, sessionId)
        seq = Number(snapshot.cursor)
        return snapshot
      }
      async function read(): Promise<Page> {
        if (seq === null) return { items: [await anew()], full: true, last: false }
        let rows = await sessionEventsAfter(database, sessionId, seq, pageSize)
        if (rows.length === 0) {
          const now = await feedSession(database, sessionId)
          if (!now || now.seq <= seq) return { items: [], full: false, last: now?.gone ?? true }
          // It has moved since, or what it moved by is trimmed.
          rows = await sessionEventsAfter(database, sessionId, seq, pageSize)
        }
        const [first] = rows
        // What is missing before the last event of a session went with it.
        if (!first || (first.seq !== seq + 1 && first.type !== 'deleted')) return resync()
        seq = rows.at(-1)!.seq
        return { items: sieve(rows.map((row) => toldFrom(row, String(row.seq)))), full: rows.length === pageSize, last: rows.at(-1)!.type === 'deleted' }
      }
      async function resync(): Promise<Page> {
        const snapshot = await anew()
        return { items: [{ type: 'resync', cursor: snapshot.cursor }, snapshot], full: true, last: false }
      }
      return pages(`session:${sessionId}`, read, signal)
    },
    workspace: ({ viewer, ...asked }, signal) => ofWorkspace(viewer.workspaceId, { viewer }, asked, signal),
  }
}

/** Nothing was there to read: the run has ended before, it still goes on, or it has moved since, and is to be read again. */
function nothingAfter(seq: number, run: { ended: boolean; seq: number } | undefined): Page {
  return { items: [], full: run !== undefined && run.seq > seq, last: run === undefined || (run.ended && run.seq <= seq) }
}

const isTerminal = (type: string): boolean => (terminalEvents as readonly string[]).includes(type)

function runSnapshot(database: Database, workspaceId: string, runId: string): Promise<SnapshotEvent> {
  return database.transaction(async (tx: Tx) => {
    await freeze(tx)
    const head = await feedRun(tx, runId)
    // It was deleted, or its time was over.
    if (!head) throw new Fault('run_missing')
    return { type: 'snapshot', cursor: String(head.seq), run: await getRun(tx, workspaceId, runId) }
  })
}

function sessionSnapshot(database: Database, viewer: Viewer, sessionId: string): Promise<SnapshotEvent> {
  return database.transaction(async (tx: Tx) => {
    await freeze(tx)
    const row = await seenSession(tx, viewer, sessionId)
    const lines = (await newestLines(tx, sessionId, snapshotLines)).map(lineTold)
    return { type: 'snapshot', cursor: String(row.seq), session: recordFrom(row), lines: lines.slice(firstThatFits(lines)) }
  })
}

/** Where the newest lines begin that fit into a snapshot together. */
function firstThatFits(lines: readonly Line[]): number {
  let room = snapshotLineBytes
  const before = lines.findLastIndex((line) => (room -= Buffer.byteLength(JSON.stringify(line))) < 0)
  return before + 1
}

function toldFrom(row: LoggedEvent, cursor: string): Told {
  const { subject_kind: kind, subject_id: id, seq, type, data, at } = row
  const event = { subject: { kind, id }, seq, cursor, at: at.toISOString(), type, ...(JSON.parse(data) as object) } as Event
  return { event, workflowId: row.workflow_id }
}

// ── cursors: a run's is its seq, a workspace's the place in its log ──────────────────────────────────────────────────────

interface Place {
  xid: string
  position: number
}

const cursorOf = (place: Place): string => `${place.xid}.${place.position}`

function placeOf(cursor: string): Place {
  const [, xid, position] = /^(\d{1,20})\.(\d{1,16})$/.exec(cursor) ?? []
  if (xid === undefined || BigInt(xid) > 18_446_744_073_709_551_615n) throw new Fault('cursor_invalid')
  return { xid, position: Number(position) }
}

function seqOf(cursor: string): number {
  if (!/^\d{1,9}$/.test(cursor)) throw new Fault('cursor_invalid')
  return Number(cursor)
}

const isBefore = (a: Place, b: Place): boolean => BigInt(a.xid) < BigInt(b.xid) || (a.xid === b.xid && a.position < b.position)

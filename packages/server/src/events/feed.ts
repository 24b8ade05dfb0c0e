import { type Event, Fault, type ResyncEvent, type SnapshotEvent, terminalEvents } from '@sluice/schema'
import type { Database, Tx } from '../store/database.ts'
import { type LoggedEvent, feedRun, freeze, logEnd, runEventsAfter, trimmedTo, workspaceEventsAfter } from '../store/rows/feeds.ts'
import { getRun, liveRuns, resolveWorkflow } from '../store/views/runs.ts'
import type { Doorbell, Topic } from './doorbell.ts'

export type FeedItem = Event | SnapshotEvent | ResyncEvent

/**
 * The log as streams: what was missed, then what comes, each event once and in order.
 *
 * F1. An event is read from the log, never handed over by who wrote it: a subscriber on another server sees the same.
 * F2. A ring says that there is something to read; a lost one costs two seconds, no event.
 * F3. Nothing is read ahead: a slow consumer holds one page.
 */
export interface Feed {
  /** Of one run; ends after its terminal event. Without a cursor: a snapshot, and what comes after it. */
  run(of: { workspaceId: string; runId: string; after?: string | undefined }, signal: AbortSignal): Promise<AsyncIterable<FeedItem>>
  workflow(of: { workspaceId: string; workflow: string; after?: string | undefined }, signal: AbortSignal): Promise<AsyncIterable<FeedItem>>
  workspace(of: { workspaceId: string; after?: string | undefined }, signal: AbortSignal): Promise<AsyncIterable<FeedItem>>
}

const pageSize = 100
const netMs = 2_000

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

  async function ofWorkspace(workspaceId: string, workflowId: string | null, after: string | undefined, signal: AbortSignal): Promise<AsyncIterable<FeedItem>> {
    let place = after === undefined ? null : placeOf(after)
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
      const wanted = workflowId === null ? rows : rows.filter((row) => row.workflow_id === workflowId)
      return { items: wanted.map((row) => eventFrom(row, cursorOf(row))), full: rows.length === pageSize, last: false }
    }
    return pages(`workspace:${workspaceId}`, read, signal)
  }

  return {
    async run({ workspaceId, runId, after }, signal) {
      const run = await feedRun(database, runId)
      if (run?.workspace_id !== workspaceId) throw new Fault('run_missing')
      let seq = after === undefined ? null : seqOf(after)
      async function read(): Promise<Page> {
        if (seq === null) {
          const snapshot = await runSnapshot(database, workspaceId, runId)
          seq = Number(snapshot.cursor)
          return { items: [snapshot], full: true, last: typeof snapshot.run?.endedAt === 'string' }
        }
        const rows = await runEventsAfter(database, runId, seq, pageSize)
        seq = rows.at(-1)?.seq ?? seq
        if (rows.length === 0) return nothingAfter(seq, await feedRun(database, runId))
        return { items: rows.map((row) => eventFrom(row, String(row.seq))), full: rows.length === pageSize, last: rows.some((row) => isTerminal(row.type)) }
      }
      return pages(`run:${runId}`, read, signal)
    },
    async workflow({ workspaceId, workflow, after }, signal) {
      return ofWorkspace(workspaceId, await resolveWorkflow(database, workspaceId, workflow), after, signal)
    },
    workspace: ({ workspaceId, after }, signal) => ofWorkspace(workspaceId, null, after, signal),
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
    const head = (await feedRun(tx, runId))!
    return { type: 'snapshot', cursor: String(head.seq), run: await getRun(tx, workspaceId, runId) }
  })
}

function eventFrom(row: LoggedEvent, cursor: string): FeedItem {
  const { subject_kind: kind, subject_id: id, seq, type, data, at } = row
  return { subject: { kind, id }, seq, cursor, at: at.toISOString(), type, ...(JSON.parse(data) as object) } as Event
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

import { type Event, limits, terminalEvents } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { feedRun, feedSession, type LoggedEvent, logEnd, runEventsAfter, sessionEventsAfter, trimmedTo, workspaceEventsAfter } from '../store/rows/feeds.ts'
import type { Entry } from './page.ts'
import { cursorOf, endOf, isBefore, numbered, type Place } from './place.ts'
import type { Log, Reading } from './tail.ts'

const most = { rows: 100, bytes: limits.streamBufferBytes / 4 }

/** Of one run: ends with its terminal event, or with the run itself. */
export function runLog(database: Database, runId: string): Log {
  async function read(after: Place): Promise<Reading> {
    const rows = await runEventsAfter(database, runId, after.position, most)
    if (rows.length > 0) return readingOf(rows, numberedEntry, isTerminal)
    const run = await feedRun(database, runId)
    // It has moved since.
    if (run && run.seq > after.position) return read(after)
    return nothing(!run || run.ended)
  }
  return {
    topic: `run:${runId}`,
    read,
    async end() {
      const run = await feedRun(database, runId)
      return { place: numbered(run?.seq ?? 0), isLast: !run || run.ended }
    },
  }
}

/** Of one session: ends with its deletion. */
export function sessionLog(database: Database, sessionId: string): Log {
  async function read(after: Place): Promise<Reading | 'trimmed'> {
    const rows = await sessionEventsAfter(database, sessionId, after.position, most)
    const [first] = rows
    if (!first) {
      const session = await feedSession(database, sessionId)
      if (!session || session.seq <= after.position) return nothing(session?.gone ?? true)
      // It has moved since, or what it moved by is trimmed.
      return (await sessionEventsAfter(database, sessionId, after.position, { rows: 1, bytes: 0 })).length > 0 ? read(after) : 'trimmed'
    }
    // What is missing before the last event of a session went with it.
    if (first.seq !== after.position + 1 && first.type !== 'deleted') return 'trimmed'
    return readingOf(rows, numberedEntry, isDeleted)
  }
  return {
    topic: `session:${sessionId}`,
    read,
    async end() {
      const session = await feedSession(database, sessionId)
      return { place: numbered(session?.seq ?? 0), isLast: session?.gone ?? true }
    },
  }
}

/** Of all that happens in a workspace, in the order of commits: it has no end. */
export function workspaceLog(database: Database, workspaceId: string): Log {
  return {
    topic: `workspace:${workspaceId}`,
    async read(after) {
      const trimmed = await trimmedTo(database, workspaceId)
      if (trimmed && isBefore(after, { xid: BigInt(trimmed.xid), position: trimmed.position })) return 'trimmed'
      const rows = await workspaceEventsAfter(database, workspaceId, String(after.xid), after.position, most)
      return rows.length > 0 ? readingOf(rows, placedEntry, () => false) : nothing(false)
    },
    end: async () => ({ place: endOf(BigInt(await logEnd(database)) - 1n), isLast: false }),
  }
}

const nothing = (isLast: boolean): Reading => ({ entries: [], full: false, isLast, bytes: 0 })

function readingOf(rows: readonly LoggedEvent[], entryOf: (row: LoggedEvent) => Entry, isEnd: (row: LoggedEvent) => boolean): Reading {
  return {
    entries: rows.map(entryOf),
    full: rows.length === most.rows || rows.length < rows[0]!.found,
    isLast: rows.some(isEnd),
    bytes: rows.reduce((sum, { data }) => sum + data.length, 0),
  }
}

const isTerminal = ({ type }: LoggedEvent): boolean => (terminalEvents as readonly string[]).includes(type)
const isDeleted = ({ type }: LoggedEvent): boolean => type === 'deleted'

const numberedEntry = (row: LoggedEvent): Entry => entryAt(row, numbered(row.seq), String(row.seq))

function placedEntry(row: LoggedEvent): Entry {
  const place = { xid: BigInt(row.xid), position: row.position }
  return entryAt(row, place, cursorOf(place))
}

function entryAt({ subject_kind: kind, subject_id: id, seq, type, data, at, workflow_id: workflowId, owner }: LoggedEvent, place: Place, cursor: string): Entry {
  const event = { subject: { kind, id }, seq, cursor, at: at.toISOString(), type, ...(JSON.parse(data) as object) } as Event
  return { event, workflowId, owner, place }
}

import { type Event, limits, terminalEvents } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { feedRun, feedSession, type LoggedEvent, logEnd, runEventsAfter, sessionEventsAfter, trimmedTo, workspaceEventsAfter } from '../store/rows/feeds.ts'
import type { Topic } from './doorbell.ts'
import { cursorOf, endOf, isBefore, numbered, type Place } from './place.ts'
import type { Entry } from './sieve.ts'
import type { Log, Reading } from './tail.ts'

const most = { rows: 100, bytes: limits.streamBufferBytes / 4 }

/** Of one run: ends with its terminal event, or with the run itself. */
export function runLog(database: Database, runId: string): Log {
  return numberedLog({
    topic: `run:${runId}`,
    after: (seq) => runEventsAfter(database, runId, seq, most),
    async head() {
      const run = await feedRun(database, runId)
      return run && { seq: run.seq, isEnded: run.ended }
    },
    isEnd: ({ type }) => (terminalEvents as readonly string[]).includes(type),
  })
}

/** Of one session: ends with its deletion. */
export function sessionLog(database: Database, sessionId: string): Log {
  return numberedLog({
    topic: `session:${sessionId}`,
    after: (seq) => sessionEventsAfter(database, sessionId, seq, most),
    async head() {
      const session = await feedSession(database, sessionId)
      return session && { seq: session.seq, isEnded: session.gone }
    },
    isEnd: ({ type }) => type === 'deleted',
  })
}

/** Of a subject whose events are numbered 1, 2, 3 … */
interface Numbered {
  topic: Topic
  after(seq: number): Promise<LoggedEvent[]>
  /** Undefined: there is no such subject any more. */
  head(): Promise<{ seq: number; isEnded: boolean } | undefined>
  /** Whether nothing comes after it. */
  isEnd(row: LoggedEvent): boolean
}

function numberedLog({ topic, after, head, isEnd }: Numbered): Log {
  async function read({ position }: Place): Promise<Reading | 'trimmed'> {
    const rows = await after(position)
    if (rows.length > 0) return follows(rows, position)
    const now = await head()
    if (!now || now.seq <= position) return nothing(now?.isEnded ?? true)
    // It has moved since, or what it moved by is trimmed.
    return follows(await after(position), position)
  }
  /** What is missing before the last event of all went with it. */
  function follows(rows: LoggedEvent[], seq: number): Reading | 'trimmed' {
    const [first] = rows
    if (!first || (first.seq !== seq + 1 && !isEnd(first))) return 'trimmed'
    return readingOf(rows, (row) => entryAt(row, numbered(row.seq), String(row.seq)), isEnd)
  }
  return {
    topic,
    read,
    async end() {
      const now = await head()
      return { place: numbered(now?.seq ?? 0), isLast: now?.isEnded ?? true }
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

function placedEntry(row: LoggedEvent): Entry {
  const place = { xid: BigInt(row.xid), position: row.position }
  return entryAt(row, place, cursorOf(place))
}

function entryAt(row: LoggedEvent, place: Place, cursor: string): Entry {
  return { event: eventFrom(row, cursor), workflowId: row.workflow_id, owner: row.owner, place }
}

export function eventFrom({ subject_kind: kind, subject_id: id, seq, type, data, at, workflow_id: workflowId }: LoggedEvent, cursor = String(seq)): Event {
  const whose = { subject: { kind, id }, ...(kind === 'run' && { workflowId }) }
  return { ...whose, seq, cursor, at: at.toISOString(), type, ...(JSON.parse(data) as object) } as Event
}

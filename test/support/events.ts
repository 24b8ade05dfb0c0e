import { expect, vi } from 'vitest'
import type { Database } from '../../packages/server/src/store/index.ts'
import { WebSocket } from 'ws'
import type { FeedItem } from '../../packages/server/src/events/feed.ts'

export interface StreamedItem {
  id: string | null
  event: string | null
  item: FeedItem
}

/** Reads an SSE stream of events to its end, or until the reader leaves. Fails when the server refuses it. */
export async function* readStream(url: string, headers: Record<string, string>): AsyncGenerator<StreamedItem, void> {
  const gone = new AbortController()
  const response = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: gone.signal })
  if (!response.ok) throw new Error(`the stream was refused: ${response.status} ${await response.text()}`)
  try {
    let text = ''
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const frame = text.slice(0, end)
        text = text.slice(end + 2)
        const field = (name: string): string | null => new RegExp(`^${name}: (.*)$`, 'm').exec(frame)?.[1] ?? null
        const data = field('data')
        if (field('event') === 'error') throw new Error(`the stream failed: ${data}`)
        if (data !== null) yield { id: field('id'), event: field('event'), item: JSON.parse(data) as FeedItem }
      }
    }
  } finally {
    gone.abort()
  }
}

/** The same over a plain WebSocket, until it closes: its code is what is returned. Fails when the upgrade is refused. */
export async function* readSocket(url: string, headers: Record<string, string>): AsyncGenerator<FeedItem, number> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers })
  const items: FeedItem[] = []
  const end: { code?: number; refusal?: Error } = {}
  let wake = () => {}
  socket.on('message', (message: Buffer) => {
    items.push(JSON.parse(message.toString()) as FeedItem)
    wake()
  })
  socket.on('unexpected-response', (_request, response) => {
    end.refusal = new Error(`the socket was refused: ${response.statusCode}`)
    response.destroy()
    wake()
  })
  socket.on('error', () => {})
  socket.on('close', (code) => {
    end.code = code
    wake()
  })
  try {
    for (;;) {
      yield* items.splice(0)
      if (end.refusal) throw end.refusal
      if (items.length > 0) continue
      if (end.code !== undefined) return end.code
      await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    socket.terminate()
  }
}

/**
 * As if retention had taken away what was told so far. What it takes is older than any transaction that is still open, and so than
 * any cursor that is given from then on: those of other tests, on the same PostgreSQL, are waited for.
 */
export async function trimEvents(database: Pick<Database, 'query'>, position: number): Promise<void> {
  await database.query('update workspaces set trimmed_xid = pg_current_xact_id(), trimmed_position = $1', [position])
  const isPast = async () => (await database.query<{ past: boolean }>('select pg_snapshot_xmin(pg_current_snapshot()) > trimmed_xid as past from workspaces'))[0]!.past
  await vi.waitFor(async () => expect(await isPast()).toBe(true), { timeout: 20_000, interval: 20 })
}

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

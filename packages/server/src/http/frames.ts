import type { Batch, FeedItem } from '../events/feed.ts'

/** One message of a stream. */
export interface Frame {
  id?: string
  event?: string
  data: string
}

const texts = new WeakMap<FeedItem, string>()

/** As JSON, made once for all to whom it is told. */
export function textOf(item: FeedItem): string {
  let text = texts.get(item)
  if (text === undefined) texts.set(item, (text = JSON.stringify(item)))
  return text
}

const oneLine = (text: string): string => text.replace(/[\r\n\0]/g, ' ')

/** As a server-sent event. */
export function sseText({ id, event, data }: Frame): string {
  const lines = data.includes('\n') || data.includes('\r') ? data.split(/\r\n|\r|\n/) : [data]
  return `${id === undefined ? '' : `id: ${oneLine(id)}\n`}${event === undefined ? '' : `event: ${oneLine(event)}\n`}${lines.map((line) => `data: ${line}\n`).join('')}\n`
}

/** Batches as bytes, each made once for all to whom it goes. Null: there is nothing in it to be told. */
export function once(bytesOf: (batch: Batch) => Buffer | null): (batch: Batch) => Buffer | null {
  const known = new WeakMap<Batch, Buffer | null>()
  return (batch) => {
    let bytes = known.get(batch)
    if (bytes === undefined) known.set(batch, (bytes = bytesOf(batch)))
    return bytes
  }
}

/** What a face tells of a batch, one frame after another. */
export function framesOf(row: { frame(item: FeedItem): Frame | null }, batch: Batch, written: (frame: Frame) => string): Buffer | null {
  const frames = batch.map((item) => row.frame(item)).filter((frame) => frame !== null)
  return frames.length === 0 ? null : Buffer.from(frames.map(written).join(''))
}

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
export const sseBytes = (frame: Frame): Buffer => Buffer.from(sseText(frame))

export function sseText({ id, event, data }: Frame): string {
  const lines = data.includes('\n') || data.includes('\r') ? data.split(/\r\n|\r|\n/) : [data]
  return `${id === undefined ? '' : `id: ${oneLine(id)}\n`}${event === undefined ? '' : `event: ${oneLine(event)}\n`}${lines.map((line) => `data: ${line}\n`).join('')}\n`
}

/** As a message of a WebSocket, whole: a server does not mask (RFC 6455, 5.1). */
export function messageBytes({ data }: Frame): Buffer {
  const bytes = Buffer.byteLength(data)
  const head = bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10
  const message = Buffer.allocUnsafe(head + bytes)
  // Final, and of text.
  message[0] = 0x81
  message[1] = head === 2 ? bytes : head === 4 ? 126 : 127
  if (head === 4) message.writeUInt16BE(bytes, 2)
  if (head === 10) message.writeBigUInt64BE(BigInt(bytes), 2)
  message.write(data, head)
  return message
}

/** Pieces of a stream, each made once for all to whom the batch goes. */
export function once(pieceOf: (batch: Batch) => Buffer | null): (batch: Batch) => Buffer | null {
  const known = new WeakMap<Batch, Buffer | null>()
  return (batch) => {
    let piece = known.get(batch)
    if (piece === undefined) known.set(batch, (piece = pieceOf(batch)))
    return piece
  }
}

/** What a face tells of a batch, one frame after another. Null: nothing. */
export function framesOf(face: { frame(item: FeedItem): Frame | null }, batch: Batch, written: (frame: Frame) => Buffer): Buffer | null {
  const frames = batch.map((item) => face.frame(item)).filter((frame) => frame !== null)
  return frames.length === 0 ? null : Buffer.concat(frames.map(written))
}

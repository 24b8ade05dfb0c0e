import { describe, expect, test } from 'vitest'
import { createSseParser, type SseMessage } from '../src/sse.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

function read(...portions: Uint8Array[]): SseMessage[] {
  const parser = createSseParser()
  return portions.flatMap((portion) => parser.push(portion))
}

const stream = [
  'event: connected\ndata: {"reconnectAfterInactivityMs":45000}\n\n\n',
  ': a comment\n\n',
  'data: {"type":"log","message":"größer als 🌊"}\nid: 1\n\n\n',
  'event: ping\ndata: \n\n\n',
  'id:2\r\ndata:no space\r\n\r\n',
  'data: two\ndata:  lines\rid: 3\r\r',
  'unknown: field\nretry: 700\ndata\nid\n\n',
].join('')

const messages: SseMessage[] = [
  { event: 'connected', data: '{"reconnectAfterInactivityMs":45000}' },
  { event: 'message', data: '{"type":"log","message":"größer als 🌊"}', id: '1' },
  { event: 'ping', data: '' },
  { event: 'message', data: 'no space', id: '2' },
  { event: 'message', data: 'two\n lines', id: '3' },
  { event: 'message', data: '', id: '' },
]

describe('the parser of event streams', () => {
  test('reads messages with any line end, comments, and fields it does not know', () => {
    expect(read(bytesOf(stream))).toEqual(messages)
  })

  test('gives the same messages wherever the bytes are parted, inside a character too', () => {
    const bytes = bytesOf(stream)
    for (let at = 0; at <= bytes.length; at++) expect(read(bytes.subarray(0, at), bytes.subarray(at)), `parted at ${at}`).toEqual(messages)
    expect(read(...Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(messages)
    expect(read(...Array.from(bytes, (byte) => [Uint8Array.of(byte), new Uint8Array()]).flat())).toEqual(messages)
  })

  test('of a stream that is cut gives the whole messages before the cut, and nothing of the next', () => {
    const bytes = bytesOf(stream)
    for (let at = 0; at <= bytes.length; at++) {
      const got = read(bytes.subarray(0, at))
      expect(got, `cut at ${at}`).toEqual(messages.slice(0, got.length))
    }
  })

  test('keeps the last wait that the server asked for, and takes no other', () => {
    const parser = createSseParser()
    expect(parser.retryMs).toBeUndefined()
    parser.push(bytesOf('retry: 700\n\nretry: soon\n\nretry: -1\n\nretry: 12345678901\n\n'))
    expect(parser.retryMs).toBe(700)
  })

  test('takes no id with a NUL, and no byte order mark for data', () => {
    expect(read(bytesOf('\uFEFFdata: x\nid: a\0b\n\n'))).toEqual([{ event: 'message', data: 'x' }])
  })

  test('refuses a line without an end', () => {
    const parser = createSseParser()
    const piece = bytesOf('x'.repeat(1024 * 1024))
    expect(() => {
      for (let pieces = 0; pieces < 20; pieces++) parser.push(piece)
    }).toThrow(/without an end/)
  })
})

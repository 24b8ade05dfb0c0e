/** One message of an event stream. `id` is there when the message carries one. */
export interface SseMessage {
  event: string
  data: string
  id?: string
}

export interface SseParser {
  /** The messages that are whole with these bytes. What a stream ends with in the middle of one is dropped, as it should be. */
  push(bytes: Uint8Array): SseMessage[]
  /** Milliseconds, as the server last asked for; undefined when it has not. */
  readonly retryMs: number | undefined
}

/** Longer than any message of a server: what does not end is not one. */
const longest = 16 * 1024 * 1024

/** The format of the HTML standard, but for what only an EventSource needs. Bytes may come in any portions. */
export function createSseParser(): SseParser {
  const decoder = new TextDecoder()
  let rest = ''
  let afterReturn = false
  let message = blank()
  let retryMs: number | undefined

  function field(line: string): void {
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'data') message.data.push(value)
    else if (name === 'event') message.event = value
    else if (name === 'id' && !value.includes('\0')) message.id = value
    else if (name === 'retry' && /^\d{1,9}$/.test(value)) retryMs = Number(value)
  }

  function take(): SseMessage[] {
    const { event, data, id } = message
    message = blank()
    return data.length === 0 ? [] : [{ event: event || 'message', data: data.join('\n'), ...(id !== undefined && { id }) }]
  }

  return {
    push(bytes) {
      let text = decoder.decode(bytes, { stream: true })
      if (text === '') return []
      // A line may end with CR, LF or both; the two may come apart.
      if (afterReturn && text.startsWith('\n')) text = text.slice(1)
      afterReturn = text === '' ? false : text.endsWith('\r')
      const lines = text.split(/\r\n|\r|\n/)
      lines[0] = rest + lines[0]!
      rest = lines.pop()!
      if (rest.length > longest) throw new Error('The stream sends a line without an end')
      return lines.flatMap((line) => (line === '' ? take() : (field(line), [])))
    },
    get retryMs() {
      return retryMs
    },
  }
}

const blank = (): { event: string; data: string[]; id?: string } => ({ event: '', data: [] })

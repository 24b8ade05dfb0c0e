import { Agent, request as ask } from 'node:http'
import { connect } from 'node:net'
import type { Wire } from './request.ts'

/** What came of a request. */
export interface Answer {
  /** 0: the connection ended without one. */
  status: number
  headers: Readonly<Record<string, string>>
  text: string
  /** Whether all of it came; a stream is left in the middle. */
  whole: boolean
  ms: number
  error?: string
}

export interface Sender {
  send(wire: Wire, options: { patienceMs: number }): Promise<Answer>
  close(): void
}

const streamMs = 120
const most = 20 * 1024 * 1024

export function createSender(url: string): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const { hostname, port } = new URL(url)

  function once({ method, path, headers, body }: Wire, patienceMs: number): Promise<Answer> {
    const begun = performance.now()
    return new Promise((resolve) => {
      const told = { status: 0, headers: {} as Record<string, string>, pieces: [] as Buffer[], bytes: 0 }
      let settled = false
      const done = (whole: boolean, error?: string): void => {
        if (settled) return
        settled = true
        clearTimeout(timer)
        resolve({
          status: told.status,
          headers: told.headers,
          text: Buffer.concat(told.pieces).toString('utf8'),
          whole,
          ms: performance.now() - begun,
          ...(error !== undefined && { error }),
        })
        if (!whole) sent.destroy()
      }
      const timer = setTimeout(() => done(false, 'no answer in time'), patienceMs)
      const flat = headers.flat()
      if (body !== null && !headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name))) flat.push('content-length', String(body.length))
      if (!headers.some(([name]) => /^host$/i.test(name))) flat.push('host', `${hostname}:${port}`)
      const sent = ask({ hostname, port, method, path, agent, headers: flat, insecureHTTPParser: true }, (response) => {
        told.status = response.statusCode ?? 0
        told.headers = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)]))
        const streams = told.headers['content-type']?.startsWith('text/event-stream')
        if (streams) setTimeout(() => done(false), streamMs)
        response.on('data', (piece: Buffer) => {
          told.pieces.push(piece)
          told.bytes += piece.length
          if (told.bytes > most) done(false, 'an answer beyond 20 MiB')
        })
        response.on('end', () => done(true))
        response.on('error', (error) => done(false, String(error)))
      })
      sent.on('upgrade', (_response, socket) => {
        socket.destroy()
        done(false)
      })
      sent.on('error', (error) => done(false, `${(error as NodeJS.ErrnoException).code ?? ''} ${error.message}`))
      sent.end(body ?? undefined)
    })
  }

  /** Byte by byte, on a connection of its own; what comes until it ends, or for a while. */
  function bare(bytes: Buffer, patienceMs: number): Promise<Answer> {
    const begun = performance.now()
    return new Promise((resolve) => {
      const pieces: Buffer[] = []
      const socket = connect(Number(port), hostname)
      let timer = setTimeout(() => done(), patienceMs)
      const done = (): void => {
        clearTimeout(timer)
        socket.destroy()
        resolve({ ...readBare(Buffer.concat(pieces)), ms: performance.now() - begun })
      }
      socket.on('connect', () => socket.write(bytes))
      socket.on('data', (piece: Buffer) => {
        pieces.push(piece)
        clearTimeout(timer)
        timer = setTimeout(done, 150)
      })
      socket.on('close', done)
      socket.on('error', () => {})
    })
  }

  return {
    async send(wire, { patienceMs }) {
      if (wire.raw) return bare(wire.raw, Math.min(patienceMs, 1_500))
      const answer = await once(wire, patienceMs)
      // A connection that was kept open may be closed at the very moment at which it is used again.
      return answer.status === 0 && /ECONNRESET|EPIPE|socket hang up/.test(answer.error ?? '') ? once(wire, patienceMs) : answer
    },
    close: () => agent.destroy(),
  }
}

/** The first answer of what came. */
function readBare(bytes: Buffer): Omit<Answer, 'ms'> {
  const text = bytes.toString('utf8')
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, end < 0 ? undefined : end).split('\r\n')
  const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
  const length = Number(headers['content-length'] ?? Number.NaN)
  const rest = end < 0 ? Buffer.alloc(0) : bytes.subarray(Buffer.byteLength(text.slice(0, end + 4)))
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0)
  return { status, headers, text: (Number.isNaN(length) ? rest : rest.subarray(0, length)).toString('utf8'), whole: !Number.isNaN(length) && rest.length >= length }
}

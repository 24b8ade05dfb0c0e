import pino from 'pino'

/** Structured logs: an object of facts first, then a sentence. `log.child({ runId })` binds facts. */
export type Log = pino.Logger

export interface LogOptions {
  level?: string
  /** Lines for a person at a terminal instead of JSON. */
  pretty?: boolean
  /** Where lines go; standard output unless given. */
  write?: (line: string) => void
}

export function createLog({ level = 'info', pretty = false, write = (line) => void process.stdout.write(line) }: LogOptions = {}): Log {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    // Not pino's own redaction: its paths have a fixed depth.
    formatters: { level: (label) => ({ level: label }), log: withoutSecrets },
    // Errors are laid open by `withoutSecrets` already.
    serializers: { err: (value: unknown) => value },
  }
  const log = pino(options, { write: (line: string) => write(pretty ? forPeople(line) : line) })
  // pino formats the bindings of no child. Children are made from the root, and so have this door too.
  const child = log.child
  log.child = function (this: Log, bindings: pino.Bindings, ...rest: never[]) {
    return child.call(this, withoutSecrets(bindings), ...rest)
  } as Log['child']
  return log
}

const secretKey =
  /^(authorization|proxy-authorization|cookie|set-cookie|passw(or)?d|password_?hash|secret|client_?secret|(access_?|refresh_?|id_?)?token|ticket|api_?key|x-api-key|private_?key|credentials?)$/i
const hidden = '[hidden]'

/** Deeper than this nothing is shown, so that nothing needs to be looked at. */
const depthLimit = 6
const widthLimit = 100

function withoutSecrets(facts: Record<string, unknown>): Record<string, unknown> {
  return open(facts, 0) as Record<string, unknown>
}

function open(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return withoutPassword(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return value
  if (value instanceof Error) return openError(value, depth)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth >= depthLimit) return '[deep]'
  if (Array.isArray(value)) return value.slice(0, widthLimit).map((each) => open(each, depth + 1))
  const entries = Object.entries(value).slice(0, widthLimit)
  return Object.fromEntries(entries.map(([key, each]) => [key, secretKey.test(key) ? hidden : open(each, depth + 1)]))
}

function openError(error: Error & { code?: unknown }, depth: number): Record<string, unknown> {
  return {
    type: error.name,
    message: withoutPassword(error.message),
    ...(typeof error.code === 'string' ? { code: error.code } : {}),
    stack: withoutPassword(error.stack ?? ''),
    ...(error.cause instanceof Error && depth < 3 ? { cause: openError(error.cause, depth + 1) } : {}),
  }
}

/** Passwords in addresses: postgresql://user:password@host. */
const withoutPassword = (text: string): string => (text.includes('://') ? text.replace(/:\/\/([^/\s:@]*):[^/\s]*@/g, `://$1:${hidden}@`) : text)

function forPeople(line: string): string {
  const { time, level, msg, err, ...facts } = JSON.parse(line) as { time: string; level: string; msg?: string; err?: { stack?: string } }
  const rest = Object.entries(facts).map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return `${time.slice(11, 19)} ${level.toUpperCase().padEnd(5)} ${msg ?? ''}${rest.join('')}${err ? `\n  ${err.stack ?? JSON.stringify(err)}` : ''}\n`
}

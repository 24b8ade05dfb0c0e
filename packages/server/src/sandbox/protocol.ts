import type { SandboxErrorCode } from './error.ts'

/**
 * What passes between the server and a child: one request on its standard input, up to the end; one reply on its standard
 * output, then it exits. A reply is two lines of JSON, the head and the output, so that the output is parsed once and can
 * be measured before. The memory is given at the start, in `argv`: it is there before the request.
 */
export interface Request {
  source: string
  /** JSON text. */
  input: string
  bounds: Bounds
}

export interface Bounds {
  cpuMs: number
  outputBytes: number
}

export type Head = { ok: true; logs: string[] } | { ok: false; code: SandboxErrorCode; message: string; line?: number | undefined; logs: string[] }

export interface Reply {
  head: Head
  /** JSON text; empty unless ok. */
  output: string
}

export const encodeReply = ({ head, output }: Reply) => `${JSON.stringify(head)}\n${output}\n`

/** JSON text has no line feed of its own, so the second one is the end. */
export const isWhole = (text: string) => text.endsWith('\n') && text.indexOf('\n') < text.length - 1

/** Reads what a child wrote; null when it is not whole. */
export function decodeReply(text: string): Reply | null {
  if (!isWhole(text)) return null
  const end = text.indexOf('\n')
  try {
    return { head: JSON.parse(text.slice(0, end)) as Head, output: text.slice(end + 1, -1) }
  } catch {
    return null
  }
}

/** Beyond these, lines of a log are dropped and characters cut. */
export const logBounds = { lines: 100, characters: 2000 }
/** What a head takes at most: every character of every log line, escaped, and a message. */
export const headBytes = (logBounds.lines + 2) * (logBounds.characters + 50) * 6

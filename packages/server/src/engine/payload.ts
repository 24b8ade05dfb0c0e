import type { Json } from '@sluice/schema'

/** A JSON value with its text, so that what is written to a step, an event and a run is serialised once. */
export interface Payload {
  readonly text: string
  readonly bytes: number
  /** Parsed on first use where only the text came in. */
  readonly value: Json
}

export function payloadOf(value: Json): Payload {
  const text = JSON.stringify(value)
  return { text, value, bytes: Buffer.byteLength(text) }
}

export function payloadOfText(text: string, bytes = Buffer.byteLength(text)): Payload {
  let parsed: Json | undefined
  return {
    text,
    bytes,
    get value() {
      if (parsed === undefined) parsed = JSON.parse(text) as Json
      return parsed
    },
  }
}

export const nothing: Payload = payloadOf(null)

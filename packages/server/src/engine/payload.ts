import type { Json } from '@sluice/schema'

/** A JSON value with its text, so that what is written to a step, an event and a run is serialised once. */
export interface Payload {
  readonly text: string
  readonly bytes: number
  /** Where only the text came in, it is parsed when it is first asked for. */
  readonly value: Json
}

export function payloadOf(value: Json): Payload {
  const text = JSON.stringify(value)
  return { text, value, bytes: Buffer.byteLength(text) }
}

export const payloadOfText = (text: string, bytes = Buffer.byteLength(text)): Payload => new Late(text, bytes, () => JSON.parse(text) as Json)

/** A list of what is text already. */
export function payloadOfList(payloads: readonly Payload[]): Payload {
  const text = payloads.map((each) => each.text).join(',')
  return new Late(`[${text}]`, bytesOf(payloads) + 2, () => payloads.map((each) => each.value))
}

/** An object of what is text already. */
export function payloadOfObject(entries: readonly (readonly [string, Payload])[]): Payload {
  const names = entries.map(([name]) => JSON.stringify(name))
  const text = entries.map(([, each], at) => `${names[at]}:${each.text}`).join(',')
  const bytes = names.reduce((sum, name) => sum + Buffer.byteLength(name) + 1, bytesOf(entries.map(([, each]) => each)) + 2)
  return new Late(`{${text}}`, bytes, () => Object.fromEntries(entries.map(([name, each]) => [name, each.value])))
}

/** With the commas between them. */
const bytesOf = (payloads: readonly Payload[]): number => payloads.reduce((sum, { bytes }) => sum + bytes, Math.max(0, payloads.length - 1))

class Late implements Payload {
  readonly text: string
  readonly bytes: number
  #value: Json | undefined
  #make: (() => Json) | null

  constructor(text: string, bytes: number, make: () => Json) {
    this.text = text
    this.bytes = bytes
    this.#make = make
  }

  get value(): Json {
    if (this.#make) {
      this.#value = this.#make()
      this.#make = null
    }
    return this.#value!
  }
}

export const nothing: Payload = payloadOf(null)

import type { Json, JsonObject } from '@sluice/schema'
import { check, type Taker } from './given.ts'
import { sourceOf, type Source } from './references.ts'

/** Texts and configs of the library's nodes with references in them: there they are `{{ expressions }}`. */

/** A text that has values in it when a run comes to it. Made by `w.text`. */
export class Text {
  readonly #strings: readonly string[]
  readonly #values: readonly unknown[]
  constructor(strings: readonly string[], values: readonly unknown[]) {
    this.#strings = strings
    this.#values = values
  }
  template(taker: Taker, path: readonly (string | number)[]): string {
    return this.#strings.map((part, at) => plain(part) + (at < this.#values.length ? templateOf(this.#values[at], taker, path) : '')).join('')
  }
}

/** A text that stands for itself, whatever a template would make of it. */
export const plain = (text: string): string => text.replaceAll(/\{[{%]/g, (brackets) => `{{ "${brackets}" }}`)

function templateOf(value: unknown, taker: Taker, path: readonly (string | number)[]): string {
  const source = sourceOf(value)
  if (source) return expression(source, taker, path)
  if (value instanceof Text) return value.template(taker, path)
  if (value === null || value === undefined) return ''
  return plain(typeof value === 'object' ? JSON.stringify(value) : `${value as string}`)
}

/** `{{ nodes["charge"]["id"] }}` */
function expression(source: Source, taker: Taker, path: readonly (string | number)[]): string {
  check(source, taker, path)
  const { at } = source
  if (at.is === 'computed') return taker.refuse('is computed: what stands in a text or in the config of a node is what a step gave, or the input', path.join('.'))
  return `{{ ${at.root === 'steps' ? 'nodes' : at.root}${at.path.map((key) => inBrackets(key, taker, path)).join('')} }}`
}

function inBrackets(key: string, taker: Taker, path: readonly (string | number)[]): string {
  if (/^(0|[1-9]\d{0,8})$/.test(key)) return `[${key}]`
  const quote = ['"', "'"].find((each) => !key.includes(each))
  return quote === undefined ? taker.refuse(`has a key that no text can name: ${key}`, path.join('.')) : `[${quote}${key}${quote}]`
}

/** A config of a node of the library. Its own texts may be templates: what is written there is taken as it stands. */
export const configOf = (given: object, taker: Taker, path: readonly (string | number)[] = []): JsonObject =>
  Object.fromEntries(
    Object.entries(given)
      .map(([key, each]) => [key, partOf(each, taker, [...path, key])] as const)
      .filter((entry): entry is readonly [string, Json] => entry[1] !== undefined),
  )

function partOf(given: unknown, taker: Taker, path: readonly (string | number)[]): Json | undefined {
  const source = sourceOf(given)
  if (source) return expression(source, taker, path)
  if (given instanceof Text) return given.template(taker, path)
  if (given === undefined || given === null || typeof given === 'boolean' || typeof given === 'string' || typeof given === 'number') return given
  if (Array.isArray(given)) return given.map((each, at) => partOf(each, taker, [...path, at]) ?? null)
  return typeof given === 'object' ? configOf(given, taker, path) : taker.refuse(`is a ${typeof given}: a config is JSON`, path.join('.'))
}

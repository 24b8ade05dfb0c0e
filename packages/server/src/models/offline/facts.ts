import type { Json, JsonObject } from '@sluice/schema'
import { sentencesOf, tellingWords, wordsOfName } from './words.ts'

/** What a text says in so many words: `label: value`, `label = value`, `the label is value`, and the keys of JSON in it. PURE. */
export interface Fact {
  /** As it was written. */
  label: string
  words: readonly string[]
  /** Text as it stood; out of JSON also anything else. */
  value: Json
}

/** More are not looked for. */
const mostFacts = 2_000
const longestLabel = 6
/** Words of the keys that lead to a value in JSON. */
const longestPath = 24

/** In the order in which they stand; what JSON says comes first. */
export function factsIn(text: string): Fact[] {
  const { values, rest } = splitJson(text)
  const facts = values.flatMap((value) => factsOfJson(value))
  for (const line of rest.split('\n')) {
    if (facts.length >= mostFacts) break
    facts.push(...factsOfLine(line))
  }
  return facts.slice(0, mostFacts)
}

/** The text with each fenced block replaced. It is gone through once, however many fences are opened and never closed. */
function withoutBlocks(text: string, replace: (whole: string, inside: string) => string): string {
  const [opening, closing] = [/```(?:json)?[^\S\n]*\n/gi, /\n[^\S\n]*```/g]
  let [rest, at] = ['', 0]
  for (let open = opening.exec(text); open; open = opening.exec(text)) {
    closing.lastIndex = opening.lastIndex
    const close = closing.exec(text)
    if (!close) break
    rest += text.slice(at, open.index) + replace(text.slice(open.index, closing.lastIndex), text.slice(opening.lastIndex, close.index))
    at = opening.lastIndex = closing.lastIndex
  }
  return rest + text.slice(at)
}

/** JSON that stands in a text by itself, and the text without it: fenced blocks, else what is from the first brace to the last. */
export function splitJson(text: string): { values: Json[]; rest: string } {
  const values: Json[] = []
  const take = (whole: string, inside: string): string => {
    const value = parsed(inside)
    if (value === null) return whole
    values.push(value)
    return '\n'
  }
  const rest = withoutBlocks(text, take)
  if (values.length > 0) return { values, rest }
  const from = text.search(/[[{]/)
  const to = Math.max(text.lastIndexOf('}'), text.lastIndexOf(']')) + 1
  if (from < 0 || to <= from) return { values, rest: text }
  return { values, rest: text.slice(0, from) + take(text.slice(from, to), text.slice(from, to)) + text.slice(to) }
}

/** Deeper JSON is nobody's data, and no recursion is to meet it. */
const deepest = 200

function isDeep(text: string): boolean {
  let depth = 0
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    if (depth > deepest) return true
  }
  return false
}

function parsed(text: string): JsonObject | Json[] | null {
  if (isDeep(text)) return null
  try {
    const value = JSON.parse(text) as Json
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

function factsOfJson(root: Json): Fact[] {
  const facts: Fact[] = []
  let layer: Fact[] = [{ label: '', words: [], value: root }]
  // Outer keys before inner ones: they are the more likely to be meant.
  while (layer.length > 0 && facts.length < mostFacts) {
    layer = layer.flatMap(factsInside)
    facts.push(...layer.slice(0, mostFacts - facts.length))
  }
  return facts
}

function factsInside({ label, words, value }: Fact): Fact[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  return Object.entries(value).map(([key, inner]) => ({
    label: label === '' ? key : `${label}.${key}`,
    words: [...words, ...wordsOfName(key)].slice(-longestPath),
    value: inner,
  }))
}

const separator = /(?<=[\p{L}\p{M}\p{N})\]*"'])\s{0,3}(?::(?!\/\/)(?!\d\d\b)|=(?!=))\s{0,3}/u
const bullet = /^[\s>*•#-]{0,20}/

function factsOfLine(line: string): Fact[] {
  const bare = line.replace(bullet, '')
  const [label = '', value, ...more] = bare.split(separator)
  if (value === undefined) return spokenIn(bare)
  // `Take this: the total is 5` says something behind its colon.
  return more.length > 0 ? listed(bare) : [...factOf(label, value), ...spokenIn(value)]
}

/** `the customer is Ada and the total is 5` */
const spokenIn = (text: string): Fact[] => sentencesOf(text).flatMap((sentence) => sentence.split(/[,;]\s+|\s(?:and|but|while|whose|with)\s/i).flatMap(spoken))

/** `total: 5, customer: Smith, Jones`: what has no label of its own belongs to the value before it. */
function listed(line: string): Fact[] {
  const pairs: string[] = []
  for (const part of line.split(/(?<=[,;|])\s+|\t/)) {
    if (separator.test(part) || pairs.length === 0) pairs.push(part)
    else pairs.push(`${pairs.pop()!} ${part}`)
  }
  return pairs.flatMap((pair) => {
    const parts = pair.split(separator)
    // `Extract: total: 5` says something of the total.
    return parts.length < 2 ? [] : factOf(parts.at(-2)!, parts.at(-1)!)
  })
}

function spoken(clause: string): Fact[] {
  const [, label, value] = /^(.{1,80}?)\s(?:is|was|are|were|equals|amounts to|comes to)\s(.+)$/i.exec(clause) ?? []
  return label && value ? factOf(label, value) : []
}

function factOf(label: string, value: string): Fact[] {
  const said = value.replace(/(?<![\s.,;|])[\s.,;|]+$/, '').trim()
  const words = tellingWords(label).slice(-longestLabel)
  return said === '' || words.length === 0 ? [] : [{ label: label.trim(), words, value: unquoted(said) }]
}

const unquoted = (text: string): string => /^(["'`*“])(.*)["'`*”]$/s.exec(text)?.[2] ?? text

/** How well a label fits a name: 0 not at all. The same words fit best, then a label that says more, then one that says less. */
export function fit(fact: Fact, words: readonly string[], around: readonly string[] = []): number {
  const label = new Set(fact.words)
  const named = new Set(words)
  const common = [...named].filter((word) => label.has(word)).length
  if (common === 0) return 0
  const near = around.some((word) => label.has(word)) ? 0.5 : 0
  if (common === named.size) return near + (label.size === named.size ? 4 : 3 - Math.min(label.size - named.size, 9) / 10)
  return near + (common === label.size ? 2 : 1) * (common / named.size)
}

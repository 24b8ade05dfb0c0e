import { type Json, limits } from '@sluice/schema'

/**
 * A value of a JSON field. A text that is JSON of its own (a number, a list, an object, a quoted text, `true`, `false`, `null`)
 * is read, as forms have it; any other is a text. Undefined: what it says cannot be kept.
 */
export function jsonOf(value: Json): Json | undefined {
  const read = typeof value === 'string' ? readText(value) : value
  return read === undefined || !isKept(read) ? undefined : read
}

function readText(text: string): Json {
  if (!/^\s*([[{"\d-]|true\s*$|false\s*$|null\s*$)/.test(text)) return text
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

/** Not deeper than a body may be, and of texts and numbers that can be stored. */
function isKept(value: Json): boolean {
  const open: [value: Json, depth: number][] = [[value, 1]]
  let keys = 0
  for (let next = open.pop(); next; next = open.pop()) {
    const [each, depth] = next
    if (typeof each === 'string' && !isText(each)) return false
    if (typeof each === 'number' && !Number.isFinite(each)) return false
    if (typeof each !== 'object' || each === null) continue
    if (depth > limits.jsonDepth) return false
    const names = Array.isArray(each) ? [] : Object.keys(each)
    if ((keys += names.length) > limits.jsonKeys || !names.every(isText)) return false
    for (const inner of Object.values(each)) open.push([inner, depth + 1])
  }
  return true
}

const isText = (text: string): boolean => text.isWellFormed() && !text.includes('\0')

const bomOf = (bytes: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' | null => {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8'
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  return null
}

/** Looked at to tell text from anything else. */
const sampled = 64 * 1024

/** More of these than one in twenty, and it is no text: control characters that texts do not have. */
const isControl = (code: number): boolean => code < 32 && code !== 9 && code !== 10 && code !== 12 && code !== 13 && code !== 27

/** A NUL is in no text but of UTF-16, and that says so by its mark. */
function isBinary(bytes: Uint8Array): boolean {
  const sample = bytes.subarray(0, sampled)
  if (sample.includes(0)) return true
  let controls = 0
  for (const code of sample) if (isControl(code)) controls++
  return controls * 20 > sample.length
}

/** The text of the bytes: UTF-8, UTF-16 where its mark says so, else Windows-1252, which holds Latin-1. Null of what is no text. */
export function decoded(bytes: Uint8Array): string | null {
  const bom = bomOf(bytes)
  if (bom === null && isBinary(bytes)) return null
  return storable(bom === null ? unmarked(bytes) : new TextDecoder(bom).decode(bytes))
}

function unmarked(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('windows-1252').decode(bytes)
  }
}

/** What PostgreSQL takes: no NUL, and no half of a pair. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}

/** A part of a text that cuts no character in two: parts that follow each other, by what was asked or by what was given, are the whole. */
export function partOf(text: string, from: number, characters: number): string {
  const start = isLow(text, from) ? from - 1 : from
  const end = Math.min(text.length, from + characters)
  return text.slice(start, isLow(text, end) ? end - 1 : end)
}

/** The second half of a pair stands here. */
const isLow = (text: string, at: number): boolean => at > 0 && at < text.length && (text.charCodeAt(at) & 0xfc00) === 0xdc00

import type { Bounds } from './bounds.ts'
import type { Content } from './content.ts'
import { readDelimited } from './delimited.ts'
import { DocumentError } from './document-error.ts'
import { decoded } from './encoding.ts'
import type { Format } from './formats.ts'
import { readJson, readJsonLines } from './json-content.ts'
import { readPdf } from './pdf-content.ts'

/** Reads what a file holds, in the format that its name and content type say, as far as its bytes agree. */
export async function read(bytes: Uint8Array, format: Format, bounds: Bounds): Promise<Content> {
  if (format === 'pdf' || startsAsPdf(bytes)) {
    const { text, pages } = await readPdf(bytes, bounds)
    return { type: 'pdf', pages, ...kept(text, bounds) }
  }
  const text = decoded(bytes)
  if (text === null) {
    if (format === 'other') return { type: 'other' }
    throw new DocumentError('document_unreadable', 'Its bytes are no text')
  }
  const table = tableIn(text, format, bounds)
  if (table) return { type: 'table', table, ...kept(text, bounds) }
  return { type: format === 'json' || format === 'json-lines' ? 'json' : 'text', ...kept(text, bounds) }
}

function tableIn(text: string, format: Format, bounds: Bounds) {
  if (text.trim() === '') return null
  switch (format) {
    case 'delimited':
      return readDelimited(text, bounds)
    case 'json':
      return jsonIn(text, bounds)
    case 'json-lines':
      return readJsonLines(text, bounds)
    default:
      return null
  }
}

/** What calls itself JSON and has a value in each line is told by that. */
function jsonIn(text: string, bounds: Bounds) {
  try {
    return readJson(text, bounds)
  } catch (error) {
    if (!(error instanceof DocumentError) || error.code !== 'document_unreadable') throw error
    try {
      return readJsonLines(text, bounds)
    } catch (inLines) {
      throw inLines instanceof DocumentError && inLines.code === 'document_too_large' ? inLines : error
    }
  }
}

const startsAsPdf = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(0, 5)).toString('latin1') === '%PDF-'

const kept = (text: string, { characters }: Bounds): { text: string; characters: number } => ({ text: text.slice(0, characters).toWellFormed(), characters: text.length })

import { extname } from 'node:path'

/** How a file is to be read. */
export type Format = 'delimited' | 'json' | 'json-lines' | 'pdf' | 'text' | 'other'

const byExtension: Readonly<Record<string, Format>> = {
  '.csv': 'delimited',
  '.tsv': 'delimited',
  '.tab': 'delimited',
  '.psv': 'delimited',
  '.json': 'json',
  '.geojson': 'json',
  '.jsonl': 'json-lines',
  '.ndjson': 'json-lines',
  '.pdf': 'pdf',
}

const byContentType: Readonly<Record<string, Format>> = {
  'text/csv': 'delimited',
  'application/csv': 'delimited',
  'text/tab-separated-values': 'delimited',
  'application/json': 'json',
  'application/jsonl': 'json-lines',
  'application/x-ndjson': 'json-lines',
  'application/pdf': 'pdf',
}

/** By its name, else by its content type; any other file is text where its bytes are. */
export function formatOf(name: string, contentType: string): Format {
  const essence = contentType.split(';')[0]!.trim().toLowerCase()
  const known = byExtension[extname(name).toLowerCase()] ?? byContentType[essence]
  if (known) return known
  return essence.endsWith('+json') ? 'json' : essence.startsWith('text/') ? 'text' : 'other'
}

import { createHash } from 'node:crypto'
import type { SourceFile } from '../../src/documents/documents.ts'

/** A file with these bytes, told how often it is read. */
export function sourceFile(name: string, content: string | Uint8Array, contentType = ''): SourceFile & { reads: number } {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  const file = {
    id: `file-${name}`,
    name,
    contentType,
    bytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    reads: 0,
    async *read() {
      file.reads++
      for (let at = 0; at < bytes.byteLength; at += 256 * 1024) yield bytes.subarray(at, at + 256 * 1024)
    },
  }
  return file
}

/** A PDF with one page a text, or with the given drawing on one page. */
export function pdf(pages: readonly string[] | { drawing: Uint8Array; filter: string }): Buffer {
  const streams = 'drawing' in pages ? [pages.drawing] : pages.map((text) => Buffer.from(`BT /F1 24 Tf 72 700 Td (${text}) Tj ET`))
  const filter = 'drawing' in pages ? pages.filter : ''
  const objects: Buffer[] = [
    Buffer.from('<</Type/Catalog/Pages 2 0 R>>'),
    Buffer.from(`<</Type/Pages/Count ${streams.length}/Kids[${streams.map((_, at) => `${4 + 2 * at} 0 R`).join(' ')}]>>`),
    Buffer.from('<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>'),
    ...streams.flatMap((stream, at) => [
      Buffer.from(`<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents ${5 + 2 * at} 0 R>>`),
      Buffer.concat([Buffer.from(`<</Length ${stream.byteLength}${filter}>>\nstream\n`), stream, Buffer.from('\nendstream')]),
    ]),
  ]
  const parts = objects.flatMap((object, at) => [Buffer.from(`${at + 1} 0 obj\n`), object, Buffer.from('\nendobj\n')])
  return Buffer.concat([Buffer.from('%PDF-1.4\n'), ...parts, Buffer.from('trailer\n<</Root 1 0 R>>\n%%EOF\n')])
}

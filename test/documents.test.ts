import { createHash } from 'node:crypto'
import PDFDocument from 'pdfkit'
import { afterAll, expect, it } from 'vitest'
import { createDocuments, type SourceFile } from '../packages/server/src/documents/documents.ts'

const documents = createDocuments()
afterAll(() => documents.close())

/** A PDF that a library of others writes: compressed, with fonts of its own tables, a page a text. */
async function written(pages: readonly string[], options: PDFKit.PDFDocumentOptions = {}): Promise<SourceFile> {
  const document = new PDFDocument({ ...options, autoFirstPage: false })
  for (const text of pages) document.addPage().fontSize(12).text(text)
  document.end()
  const chunks: Buffer[] = []
  for await (const chunk of document) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  return {
    id: 'report',
    name: 'report.pdf',
    contentType: 'application/pdf',
    bytes: bytes.byteLength,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    async *read() {
      yield bytes
    },
  }
}

it('reads the text of a PDF, page by page, as it was written', async () => {
  const file = await written(['Revenue grew by 12.5 %.\nCosts fell (slightly).', 'Zürich, Århus and Café', 'The end'])
  expect(await documents.summary(file)).toMatchObject({ type: 'pdf', pages: 3 })
  const { text, characters } = await documents.text(file, 0, 10_000)
  expect(text.length).toBe(characters)
  expect(text.split('\n\n')).toEqual(['Revenue grew by 12.5 %.\nCosts fell (slightly).', 'Zürich, Århus and Café', 'The end'])
})

it('reads a long PDF whole, and finds each page in its place', async () => {
  const file = await written(Array.from({ length: 120 }, (_, at) => `This is page ${at + 1}.`))
  const { text } = await documents.text(file, 0, 1_000_000)
  expect(text.split('\n\n')).toEqual(Array.from({ length: 120 }, (_, at) => `This is page ${at + 1}.`))
})

it('says of a PDF with a password that it has one', async () => {
  const file = await written(['secret'], { userPassword: 'open sesame', ownerPassword: 'x' })
  expect((await documents.summary(file)).error).toContain('protected by a password')
  await expect(documents.text(file, 0, 10)).rejects.toMatchObject({ code: 'document_unreadable' })
})

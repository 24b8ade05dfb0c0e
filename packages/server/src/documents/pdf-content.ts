import type { Bounds } from './bounds.ts'
import { DocumentError } from './document-error.ts'
import { storable } from './encoding.ts'

/** The text of a PDF, a blank line between pages. Pictures of texts hold none. */
export async function readPdf(bytes: Uint8Array, bounds: Bounds): Promise<{ text: string; pages: number }> {
  // A large library, which other files do not need.
  const { getDocumentProxy } = await import('unpdf')
  const document = await getDocumentProxy(bytes, { verbosity: 0, disableFontFace: true, useSystemFonts: false }).catch((error: unknown) => {
    throw unreadable(error)
  })
  if (document.numPages > bounds.pages) throw new DocumentError('document_too_large', `A PDF has at most ${bounds.pages} pages; this one has ${document.numPages}`)
  const texts: string[] = []
  try {
    for (let number = 1; number <= document.numPages; number++) {
      const page = await document.getPage(number)
      const { items } = await page.getTextContent()
      texts.push(items.map((item) => ('str' in item ? item.str + (item.hasEOL ? '\n' : '') : '')).join(''))
      page.cleanup()
    }
  } catch (error) {
    throw unreadable(error)
  }
  return { text: storable(texts.join('\n\n')), pages: document.numPages }
}

function unreadable(error: unknown): DocumentError {
  const locked = error instanceof Error && error.name === 'PasswordException'
  const why = locked ? 'it is protected by a password' : error instanceof Error ? error.message.slice(0, 200) : 'it is malformed'
  return new DocumentError('document_unreadable', `The PDF cannot be read: ${why}`, { cause: error })
}

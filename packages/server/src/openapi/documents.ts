import { readFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pyspur } from '../dialects/pyspur/index.ts'
import type { Document } from './description.ts'
import { describeDialect } from './dialect.ts'
import { describeNative } from './native.ts'

/** A document of the server: `openapi/<name>.json` in the repository and over HTTP. */
export interface ApiDocument {
  name: string
  title: string
  describe(): Document
}

export const documents: readonly ApiDocument[] = [
  { name: 'sluice', title: 'Sluice', describe: describeNative },
  ...[pyspur].map((dialect) => ({ name: dialect.name, title: dialect.title, describe: () => describeDialect(dialect) })),
]

/** The bytes of the file. */
export const textOf = (document: Document): string => `${JSON.stringify(document, null, 2)}\n`

/**
 * The documents as a server shows them. A copy of one knows where the server is, when that was told; a page that is shown
 * from elsewhere, by another name of the same server, asks where it is.
 */
export function pagesFor(publicUrl: string | null): { name: string; title: string; text: string }[] {
  const path = publicUrl === null ? '/' : new URL(publicUrl).pathname.replace(/(.)\/$/, '$1')
  const bases = [...(publicUrl === null ? [] : [publicUrl.replace(/\/$/, '')]), path]
  return documents.map(({ name, title, describe }) => {
    const document = describe()
    const servers = bases.flatMap((base) => document.servers.map(({ url }) => ({ url: below(base, url) })))
    return { name, title, text: textOf({ ...document, servers }) }
  })
}

/** `/api` below `/sluice` is `/sluice/api`. */
const below = (base: string, path: string): string => (path === '/' ? base : `${base === '/' ? '' : base}${path}`)

/** Writes each document into the folder. Answers with the paths that have changed. */
export async function writeDocuments(folder: string): Promise<string[]> {
  const stale = await staleDocuments(folder)
  await mkdir(folder, { recursive: true })
  for (const { path, text } of stale) await writeFile(path, text)
  return stale.map(({ path }) => path)
}

/** The documents in the folder that do not say what the server now says, and what they should. */
export async function staleDocuments(folder: string): Promise<{ path: string; text: string }[]> {
  const all = await Promise.all(
    documents.map(async ({ name, describe }) => {
      const path = join(folder, `${name}.json`)
      const text = textOf(describe())
      return (await readFile(path, 'utf8').catch(() => null)) === text ? [] : [{ path, text }]
    }),
  )
  return all.flat()
}

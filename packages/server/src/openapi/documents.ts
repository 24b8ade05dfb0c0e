import { readFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Dialect } from '../dialects/dialect.ts'
import { medusa } from '../dialects/medusa/index.ts'
import { orchestrator } from '../dialects/orchestrator/index.ts'
import { openai } from '../dialects/openai/index.ts'
import { playground } from '../dialects/playground/index.ts'
import { pocketbase } from '../dialects/pocketbase/index.ts'
import { pyspur } from '../dialects/pyspur/index.ts'
import type { Document } from './description.ts'
import { describeDialect } from './dialect.ts'
import { describeNative } from './native.ts'
import { describeSockets, type SocketDocument } from './sockets.ts'

/** A document of the server: `openapi/<name>.json` in the repository and over HTTP. */
export interface ApiDocument {
  name: string
  title: string
  describe(): Document
}

const dialects: readonly Dialect[] = [pyspur, orchestrator, medusa, pocketbase, playground, openai]

export const documents: readonly ApiDocument[] = [
  { name: 'sluice', title: 'Sluice', describe: describeNative },
  ...dialects.map((dialect) => ({ name: dialect.name, title: dialect.title, describe: () => describeDialect(dialect) })),
]

/** What a dialect says over sockets: `openapi/<name>.asyncapi.json`. */
export const socketDocuments: readonly { name: string; describe(): SocketDocument }[] = dialects
  .filter(({ sockets = [] }) => sockets.length > 0)
  .map((dialect) => ({ name: `${dialect.name}.asyncapi`, describe: () => describeSockets(dialect) }))

/** The bytes of the file. */
export const textOf = (document: Document | SocketDocument): string => `${JSON.stringify(document, null, 2)}\n`

/**
 * The documents as a server shows them. A copy of one knows where the server is, when that was told; a page that is shown
 * from elsewhere, by another name of the same server, asks where it is. What has no title is read by programs alone.
 */
export function pagesFor(publicUrl: string | null): { name: string; title: string | null; text: string }[] {
  const path = publicUrl === null ? '/' : new URL(publicUrl).pathname.replace(/(.)\/$/, '$1')
  const bases = [...(publicUrl === null ? [] : [publicUrl.replace(/\/$/, '')]), path]
  const pages = documents.map(({ name, title, describe }) => {
    const document = describe()
    const servers = bases.flatMap((base) => document.servers.map(({ url }) => ({ url: below(base, url) })))
    return { name, title, text: textOf({ ...document, servers }) }
  })
  return [...pages, ...socketDocuments.map(({ name, describe }) => ({ name, title: null, text: textOf(placed(describe(), publicUrl)) }))]
}

function placed(document: SocketDocument, publicUrl: string | null): SocketDocument {
  if (publicUrl === null) return document
  const { host, protocol, pathname } = new URL(publicUrl)
  const here = { ...document.servers.here, host, protocol: protocol.replace('http', 'ws').replace(':', ''), ...(pathname !== '/' && { pathname: pathname.replace(/\/$/, '') }) }
  return { ...document, servers: { here } }
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
    [...documents, ...socketDocuments].map(async ({ name, describe }) => {
      const path = join(folder, `${name}.json`)
      const text = textOf(describe())
      return (await readFile(path, 'utf8').catch(() => null)) === text ? [] : [{ path, text }]
    }),
  )
  return all.flat()
}

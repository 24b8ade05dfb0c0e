import { readFile } from 'node:fs/promises'
import { NodeTypeDialect } from '@sluice/schema'
import { NotFoundError } from '../../errors.ts'
import type { Sluice } from '../../client.ts'
import { Failure } from '../failure.ts'
import { replace } from '../replace.ts'
import { plain } from '../text.ts'
import type { DialectNames } from './told-by-graph.ts'
import { firstLine, type Pulled, typesFile } from './types-file.ts'

export interface PullResult {
  /** What was written, or would have been. */
  files: string[]
  workflows: number
  /** Handles of workflows that were never published. */
  unpublished: string[]
  warnings: string[]
}

/**
 * Writes the types of the published versions. A `.d.ts` declares them and the hashes, which its `.js` beside it holds; a `.ts`
 * is both in one file, for programs that are compiled into a folder of their own, where a `.js` would be left behind.
 */
export async function pull(sluice: Sluice, { out, only, check }: { out: string; only: readonly string[]; check: boolean }): Promise<PullResult> {
  const [, stem, declares, ending] = /^(.*?)(\.d)?\.(m?ts)$/s.exec(out) ?? []
  if (stem === undefined || ending === undefined) throw new Failure(`${out} is no file of types: its name ends in .d.ts or .ts`)
  const { pulled, unpublished } = await versions(sluice, only)
  const { declarations, module, values, warnings } = await typesFile(pulled, await dialectNames(sluice))
  const files: [path: string, text: string][] = declares
    ? [
        [out, declarations],
        [`${stem}.${ending.replace('ts', 'js')}`, values],
      ]
    : [[out, module]]
  const before = await Promise.all(files.map(([path]) => written(path)))
  const stale = files.filter(([, text], at) => text !== before[at])
  if (check && stale.length > 0) throw new Failure(`Not up to date: ${stale.map(([path]) => path).join(', ')}. Pull again, and look at what changed`)
  for (const [path, text] of stale) await replace(path, text)
  return { files: files.map(([path]) => path), workflows: pulled.length, unpublished, warnings: warnings.map(plain) }
}

async function versions(sluice: Sluice, only: readonly string[]): Promise<{ pulled: Pulled[]; unpublished: string[] }> {
  const pulled: Pulled[] = []
  const unpublished: string[] = []
  for await (const { id, handle, version: number } of asked(sluice, only)) {
    if (number === null) unpublished.push(handle)
    else pulled.push({ handle, version: await sluice.workflows.version({ workflow: id, version: number }) })
  }
  return { pulled, unpublished: unpublished.toSorted() }
}

async function dialectNames(sluice: Sluice): Promise<DialectNames> {
  const names = new Map<string, string>()
  for (const dialect of NodeTypeDialect.options) for await (const { type, alias } of sluice.nodeTypes.list({ dialect })) if (alias) names.set(type, alias.of)
  return names
}

async function* asked(sluice: Sluice, only: readonly string[]): AsyncGenerator<{ id: string; handle: string; version: number | null }, void, undefined> {
  if (only.length === 0) return yield* sluice.workflows.list()
  for (const workflow of new Set(only)) {
    yield await sluice.workflows.get({ workflow }).catch((error: unknown) => {
      throw error instanceof NotFoundError ? new Failure(`There is no workflow ${workflow}`) : error
    })
  }
}

/** Null when there is none yet. What somebody else has written is not ours to replace. */
async function written(path: string): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new Failure(`${path} cannot be read: ${error.message}`)
  })
  if (text === null || text === '' || text.startsWith(firstLine)) return text
  throw new Failure(`${path} is not of sluice pull, and stays as it is. Write somewhere else with --out`)
}

import { type Definition, Fault, stepNames } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** What views say of a definition: its nodes, the names of their steps, and where their input comes from. */
export interface Outline {
  nodes: readonly { nodeId: string; step: string; type: string }[]
  /** The nodes that stand in a body. */
  inBodies: ReadonlySet<string>
  names: ReadonlyMap<string, string>
  /** By the node that is given them. */
  sources: ReadonlyMap<string, readonly Source[]>
}

interface Source {
  source: string
  name: string
  handle: string
}

/** Which definition a run is pinned to: a version of its workflow, or, of a trial, its own. */
export interface Pinned {
  workflow_id: string
  version: number
  drafted: Definition | null
}

/** Of a row of `runs`. */
export const pinnedColumns = `workflow_id, version, trial -> 'definition' as drafted`

export function outlineOf({ nodes, links }: Definition): Outline {
  const names = stepNames({ nodes })
  const parents = new Map(nodes.map((node) => [node.id, node.parentId ?? null]))
  const sources = new Map<string, Source[]>()
  for (const { source, target, sourceHandle } of links) {
    if (parents.get(source) !== parents.get(target)) continue
    const known = sources.get(target) ?? []
    known.push({ source, name: names.get(source)!, handle: sourceHandle ?? 'default' })
    sources.set(target, known)
  }
  return {
    nodes: nodes.map(({ id, type }) => ({ nodeId: id, step: names.get(id)!, type })),
    inBodies: new Set(nodes.filter(({ parentId }) => parentId).map(({ id }) => id)),
    names,
    sources,
  }
}

/** Nodes and links of the outlines that are kept, some 20 MB. */
const mostKept = 100_000

/** By database: a transaction may see a version that never comes to be. */
const kept = new WeakMap<Tx, Kept>()

interface Kept {
  outlines: Map<string, Outline>
  weight: number
}

const weightOf = ({ nodes, sources }: Outline): number => [...sources.values()].reduce((sum, { length }) => sum + length, 1 + nodes.length)

/** Of a version, which never changes: read once, and then as long as it is asked for. Throws a Fault `run_missing`: its runs went with it. */
export async function outlineFor(tx: Tx, pinned: Pinned): Promise<Outline> {
  const [outline] = await outlinesFor(tx, [pinned])
  return outline!
}

/** A definition has at most 1 MiB. */
const readAtOnce = 16

/** The same of several, each of them read once. */
export async function outlinesFor(tx: Tx, pinned: readonly Pinned[]): Promise<Outline[]> {
  const mine = kept.get(tx) ?? { outlines: new Map<string, Outline>(), weight: 0 }
  kept.set(tx, mine)
  const found = new Map<string, Outline>()
  const unknown = new Map<string, Pinned>()
  for (const each of pinned) {
    const key = keyOf(each)
    if (each.drafted || found.has(key)) continue
    const known = mine.outlines.get(key)
    // The one that was used last stands last.
    if (known && mine.outlines.delete(key)) mine.outlines.set(key, known)
    if (known) found.set(key, known)
    else unknown.set(key, each)
  }
  const missing = [...unknown.values()]
  for (let from = 0; from < missing.length; from += readAtOnce)
    for (const row of await readDefinitions(tx, missing.slice(from, from + readAtOnce))) found.set(keyOf(row), keep(mine, keyOf(row), outlineOf(row.definition)))
  return pinned.map((each) => {
    const outline = each.drafted ? outlineOf(each.drafted) : found.get(keyOf(each))
    if (!outline) throw new Fault('run_missing')
    return outline
  })
}

const keyOf = ({ workflow_id, version }: Pick<Pinned, 'workflow_id' | 'version'>): string => `${workflow_id}/${version}`

function keep(mine: Kept, key: string, outline: Outline): Outline {
  if (mine.outlines.has(key)) return outline
  mine.outlines.set(key, outline)
  mine.weight += weightOf(outline)
  for (const [oldest, each] of mine.outlines) {
    if (mine.weight <= mostKept) break
    mine.outlines.delete(oldest)
    mine.weight -= weightOf(each)
  }
  return outline
}

const readDefinitions = (tx: Tx, of: readonly Pinned[]): Promise<{ workflow_id: string; version: number; definition: Definition }[]> =>
  tx.query(
    {
      name: 'view-definitions',
      text: 'select workflow_id, number as version, definition from versions where (workflow_id, number) in (select * from unnest($1::text[], $2::int[]))',
    },
    [of.map(({ workflow_id }) => workflow_id), of.map(({ version }) => version)],
  )

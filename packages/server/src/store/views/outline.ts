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

/** A definition has at most 2 MiB. */
const readAtOnce = 16

/** The same of several, each of them read once. */
export async function outlinesFor(tx: Tx, pinned: readonly Pinned[]): Promise<Outline[]> {
  const mine = kept.get(tx) ?? { outlines: new Map<string, Outline>(), weight: 0 }
  kept.set(tx, mine)
  const known = pinned.map((each) => (each.drafted ? outlineOf(each.drafted) : recall(mine, keyOf(each))))
  const unknown = new Map(pinned.flatMap((each, at) => (known[at] ? [] : [[keyOf(each), each]])))
  const found = unknown.size === 0 ? null : await readOutlines(tx, mine, [...unknown.values()])
  return pinned.map((each, at) => {
    const outline = known[at] ?? found?.get(keyOf(each))
    if (!outline) throw new Fault('run_missing')
    return outline
  })
}

/** The one that was used last stands last. */
function recall({ outlines }: Kept, key: string): Outline | undefined {
  const known = outlines.get(key)
  if (known && outlines.delete(key)) outlines.set(key, known)
  return known
}

async function readOutlines(tx: Tx, mine: Kept, pinned: readonly Pinned[]): Promise<Map<string, Outline>> {
  const found = new Map<string, Outline>()
  for (let from = 0; from < pinned.length; from += readAtOnce)
    for (const row of await readDefinitions(tx, pinned.slice(from, from + readAtOnce))) found.set(keyOf(row), keep(mine, keyOf(row), outlineOf(row.definition)))
  return found
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

import { type Definition, Fault, stepNames } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** What views say of a definition: its nodes, the names of their steps, and where their input comes from. */
export interface Outline {
  nodes: readonly { nodeId: string; step: string; type: string }[]
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
  return { nodes: nodes.map(({ id, type }) => ({ nodeId: id, step: names.get(id)!, type })), names, sources }
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
export async function outlineFor(tx: Tx, { workflow_id, version, drafted }: Pinned): Promise<Outline> {
  if (drafted) return outlineOf(drafted)
  const mine = kept.get(tx) ?? { outlines: new Map<string, Outline>(), weight: 0 }
  kept.set(tx, mine)
  const key = `${workflow_id}/${version}`
  const known = mine.outlines.get(key)
  // The one that was used last stands last.
  if (known && mine.outlines.delete(key)) mine.outlines.set(key, known)
  return known ?? keep(mine, key, outlineOf(await readDefinition(tx, workflow_id, version)))
}

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

async function readDefinition(tx: Tx, workflowId: string, version: number): Promise<Definition> {
  const [row] = await tx.query<{ definition: Definition }>({ name: 'view-definition', text: 'select definition from versions where workflow_id = $1 and number = $2' }, [
    workflowId,
    version,
  ])
  if (!row) throw new Fault('run_missing')
  return row.definition
}

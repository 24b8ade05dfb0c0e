import { type Link, linkIdOf, type Workflow } from '@sluice/schema'
import type { CanvasEdge, Connection } from '../contract.ts'
import { madeAt, zulu } from './times.ts'

/** Links as the Orchestrator tells them. PURE and total. */

export const branchOf = ({ sourceHandle }: Link): string => sourceHandle ?? 'default'

export const connectionOf = (link: Link): Connection => ({
  id: linkIdOf(link),
  source_node: link.source,
  target_node: link.target,
  source_handle: branchOf(link),
})

export const edgeOf = (link: Link, { created, updated }: Pick<Workflow, 'created' | 'updated'>): CanvasEdge => ({
  ...connectionOf(link),
  created_at: zulu(madeAt(linkIdOf(link), { from: created, to: updated })),
})

export const linkNamed = ({ draft }: Pick<Workflow, 'draft'>, id: string): Link | undefined => draft.links.find((link) => linkIdOf(link) === id)

/** Branches are told apart by their names in lower case, as the Orchestrator's engine has it; the default one is the core's. */
export const handleOf = (handle: string | null): string | null => {
  const name = (handle ?? '').toLowerCase()
  return name === '' || name === 'default' ? null : name
}

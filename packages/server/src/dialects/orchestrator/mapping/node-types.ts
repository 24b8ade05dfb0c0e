import type { NodeType } from '@sluice/schema'
import type { z } from 'zod'
import type { CanvasNodeType, NodeFolder, NodeFormResponse, NodeMeta } from '../contract.ts'
import { formOf } from '../forms.ts'
import { identifierOf } from '../nodes.ts'
import { metaNamed } from '../palette.ts'

/** Node types as the Orchestrator's editors are told of them. PURE and total. */

/** On the canvas any type may stand, also one that nobody knows: it has the ports that its connections name. */
export function canvasTypeOf(identifier: string, handles: readonly string[]): CanvasNodeType {
  const meta = metaNamed(identifier)
  if (!meta) return unknownType(identifier, handles)
  const { name, type, label, description, has_form, category, icon, input_ports, output_ports } = meta
  return { identifier, name: label ?? name, type, description, has_form, category, icon, input_ports, output_ports }
}

function unknownType(identifier: string, handles: readonly string[]): CanvasNodeType {
  const output_ports = [...new Set(['default', ...handles])].map((id) => ({ id, label: id === 'default' ? 'Out' : id }))
  return {
    identifier,
    name: identifier,
    type: 'unknown',
    description: null,
    has_form: false,
    category: null,
    icon: null,
    input_ports: [{ id: 'default', label: 'In' }],
    output_ports,
  }
}

/** Those that have a place in the palette. */
export const metasOf = (types: readonly NodeType[]): NodeMeta[] => types.flatMap(({ type }) => metaNamed(identifierOf(type)) ?? [])

/** By folder, and the folders in them: a category is the way there. */
export function treeOf(metas: readonly NodeMeta[]): Record<string, NodeFolder> {
  const root: NodeFolder = { nodes: [], subfolders: {} }
  for (const meta of metas) {
    let folder = root
    for (const name of meta.category.split('/')) folder = folder.subfolders[name] ??= { nodes: [], subfolders: {} }
    folder.nodes.push(meta)
  }
  return root.subfolders
}

/** As a new node has it. */
export function formToFill(meta: NodeMeta): z.input<typeof NodeFormResponse> {
  const form = formOf(meta.identifier) ?? null
  return { node: meta, form, ...(form === null && { message: 'This node does not have a form' }) }
}

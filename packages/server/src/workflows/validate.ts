import type { Definition, DefinitionIssue } from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'
import { graphOf } from './graph.ts'
import { graphIssues } from './validate-graph.ts'
import { nodeIssues } from './validate-node.ts'

/**
 * Everything that keeps a definition from being published, each with its node and the dotted path of its field. PURE and
 * total: whatever has the form of a definition gets an answer. Without issues every scope of it has a topological order,
 * every config decodes unless an expression gives it something else, and every expression compiles.
 */
export function validate(definition: Definition, catalogue: Catalogue): DefinitionIssue[] {
  const graph = graphOf(definition, catalogue)
  const issues = graphIssues(definition, graph, catalogue)
  for (const node of graph.nodes.values()) issues.push(...nodeIssues(node, definition, catalogue))
  return issues
}

import type { DefinitionIssue, Json, JsonObject, Node } from '@sluice/schema'
import { createRegistry, type Registry } from '../../src/code/registry.ts'
import { valueOf } from '../../src/code/takes.ts'
import type { WrittenWorkflow } from '../../src/code/written.ts'
import { compileReference, Taken } from '../../src/expressions/index.ts'
import { createModels } from '../../src/models/models.ts'
import { createCatalogue } from '../../src/nodes/catalogue.ts'
import type { Catalogue } from '../../src/nodes/contract.ts'
import { createOutside } from '../../src/outside/outside.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import { validate } from '../../src/workflows/validate.ts'

/** What a definition came to, as its tests ask for it. */

const outside = createOutside({ allow: [] })

/** What the core itself has to say, with the functions that the workflow brings. */
export function issuesOf(workflow: WrittenWorkflow<unknown>): DefinitionIssue[] {
  const code = createRegistry()
  code.add('ws', workflow)
  return validate(workflow.definition, catalogueOf(code))
}

/** The core's nodes, with these functions. */
export const catalogueOf = (code: Registry): Catalogue => createCatalogue({ outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }), code })

export function nodeOf({ definition }: WrittenWorkflow<unknown>, id: string): Node {
  const node = definition.nodes.find((each) => each.id === id)
  if (!node) throw new Error(`There is no node ${id}`)
  return node
}

export const takesOf = (workflow: WrittenWorkflow<unknown>, id: string): Json | undefined => nodeOf(workflow, id).config?.['takes']

/** `reserve → charge`, `charge -failed→ result`. */
export const linksOf = ({ definition }: WrittenWorkflow<unknown>): string[] =>
  definition.links.map(({ source, target, sourceHandle }) => `${source} ${sourceHandle ? `-${sourceHandle}` : ''}→ ${target}`)

/** What a function would get, were these the input of the run and what its steps gave. */
export function takenBy(workflow: WrittenWorkflow<unknown>, id: string, scope: { input?: Json; nodes?: JsonObject; run?: JsonObject }): unknown {
  const read = (tree: unknown): unknown => {
    if (typeof tree === 'string') {
      const found = compileReference(tree)
      return found ? new Taken(found.read(scope)) : tree
    }
    if (Array.isArray(tree)) return tree.map(read)
    return typeof tree === 'object' && tree !== null ? Object.fromEntries(Object.entries(tree).map(([key, each]) => [key, read(each)])) : tree
  }
  return valueOf(read(takesOf(workflow, id)), (key, values) => {
    const found = workflow.functions.get(key)
    if (found?.is !== 'value') throw new Error(`There is no transform ${key}`)
    return found.of(values as never)
  })
}

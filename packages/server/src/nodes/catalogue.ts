import { createRegistry, type Registry } from '../code/registry.ts'
import type { Models } from '../models/model.ts'
import type { Outside } from '../outside/outside.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'
import type { AnyAlias, AnyNode, Catalogue } from './contract.ts'
import { coalesce } from './library/coalesce.ts'
import { code } from './library/code.ts'
import { counter } from './library/counter.ts'
import { delay } from './library/delay.ts'
import { external } from './library/external.ts'
import { fileWrite } from './library/file-write.ts'
import { functions } from './library/function.ts'
import { httpRequest } from './library/http-request.ts'
import { human } from './library/human.ts'
import { input } from './library/input.ts'
import { iterator } from './library/iterator.ts'
import { llm } from './library/llm.ts'
import { log } from './library/log.ts'
import { loop } from './library/loop.ts'
import { map } from './library/map.ts'
import { merge } from './library/merge.ts'
import { output } from './library/output.ts'
import { queuePush } from './library/queue-push.ts'
import { queueReader } from './library/queue-reader.ts'
import { readyTasks } from './library/ready-tasks.ts'
import { respond } from './library/respond.ts'
import { router } from './library/router.ts'
import { setContext } from './library/set-context.ts'
import { signal } from './library/signal.ts'
import { staticValue } from './library/static-value.ts'
import { subworkflow } from './library/subworkflow.ts'
import { template } from './library/template.ts'
import { tool } from './library/tool.ts'
import { tools } from './library/tools.ts'
import { turn } from './library/turn.ts'
import { webhook } from './library/webhook.ts'

/** What the nodes of the library stand on. */
export interface Foundations {
  outside: Outside
  sandbox: Sandbox
  models: Models
  /** The functions of workflows that are written in TypeScript; none unless given. */
  code?: Registry
}

/**
 * The node types of this server, in the order in which they are shown: the library's, then those that a program brings along;
 * and the names that dialects have for them. Throws when a name is taken twice, or stands for nothing.
 */
export function createCatalogue(
  { outside, sandbox, models, code: written = createRegistry() }: Foundations,
  brought: readonly AnyNode[] = [],
  aliases: readonly AnyAlias[] = [],
): Catalogue {
  const nodes: AnyNode[] = [
    ...[input, output, staticValue, template, router, merge, coalesce],
    ...[httpRequest(outside), code(sandbox), llm(models), human, signal, external, delay],
    ...[tools, tool, turn, map, loop, subworkflow, readyTasks, log, setContext, respond, fileWrite],
    ...[counter, iterator, webhook, queueReader, queuePush],
    ...functions(written),
    ...brought,
  ]
  const own = new Map(nodes.map((node) => [node.type, node]))
  const named = aliases.map((alias) => underName(alias, own))
  const all = [...nodes, ...named]
  const byType = new Map(all.map((node) => [node.type, node]))
  const twice = all.find((node) => byType.get(node.type) !== node)
  if (twice) throw new Error(`There are two node types ${twice.type}`)
  return { get: (type) => byType.get(type), list: (dialect) => (dialect === undefined ? [...nodes] : named.filter(({ alias }) => alias?.dialect === dialect)) }
}

function underName(alias: AnyAlias, own: ReadonlyMap<string, AnyNode>): AnyNode {
  const node = own.get(alias.of)
  if (!node) throw new Error(`${alias.type} is a name of the node type ${alias.of}, which is not here`)
  const { type, title, description, category, readings = node.readings } = alias
  return { ...node, type, title, description, category, readings, alias }
}

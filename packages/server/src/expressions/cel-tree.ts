import type { ASTNode } from '@marcbachmann/cel-js'
import { ExpressionError } from './error.ts'

/** The parsed tree of a CEL expression: what it reads, and what in it is refused. */

const macros = new Set(['all', 'exists', 'exists_one', 'map', 'filter'])

/** Names the language itself gives: types and namespaces. */
const language = new Set(['cel', 'google', 'int', 'uint', 'double', 'string', 'bool', 'bytes', 'list', 'map', 'null_type', 'type', 'dyn', 'timestamp', 'duration', 'CelNamespace'])

const refused: Record<string, string> = {
  matches: 'matches() is not available, because a regular expression can run for hours; use startsWith, endsWith or contains',
  json: 'json() is not available: a value is never parsed a second time',
}

export const children = (node: ASTNode): ASTNode[] => {
  switch (node.op) {
    case 'value':
    case 'id':
      return []
    case '.':
    case '.?':
      return [node.args[0]]
    case 'call':
      return node.args[1]
    case 'rcall':
      return [node.args[1], ...node.args[2]]
    case 'map':
      return node.args.flat()
    case '!_':
    case '-_':
      return [node.args]
    default:
      return node.args
  }
}

/** The arguments of a macro that are evaluated once an element, or null for anything else. */
export const repeated = (node: ASTNode): ASTNode[] | null => (node.op === 'rcall' && macros.has(node.args[0]) && node.args[2].length > 1 ? node.args[2].slice(1) : null)

export interface Reads {
  /** Top-level variables. */
  names: ReadonlySet<string>
  /** Step names read as `nodes.x` or `nodes["x"]`. */
  steps: ReadonlySet<string>
  /** Whether `nodes` is read in any other way: then all of it is. */
  whole: boolean
}

/** What the tree reads. Throws for what is refused. */
export function readsOf(root: ASTNode): Reads {
  const names = new Set<string>()
  const steps = new Set<string>()
  let whole = false
  const visit = (node: ASTNode, bound: ReadonlySet<string>): void => {
    if (node.op === 'id' && !bound.has(node.args) && !language.has(node.args)) names.add(node.args)
    const step = stepOf(node)
    if (step !== null && !bound.has('nodes')) steps.add(step)
    if (step === null && !bound.has('nodes') && children(node).some(isNodes)) whole = true
    if (node.op === 'call' || node.op === 'rcall') {
      const reason = Object.hasOwn(refused, node.args[0]) ? refused[node.args[0]] : undefined
      if (reason) throw new ExpressionError(reason, { offset: node.start })
    }
    if (node.op === 'map') for (const [key] of node.args) refuseTypedKey(key, bound)
    const [scoped, inner] = binds(node, bound)
    for (const child of children(node)) if (child !== scoped.variable) visit(child, scoped.within.has(child) ? inner : bound)
  }
  visit(root, new Set())
  return { names, steps, whole: whole || isNodes(root) }
}

const isNodes = (node: ASTNode): boolean => node.op === 'id' && node.args === 'nodes'

function stepOf(node: ASTNode): string | null {
  if (node.op !== '.' && node.op !== '[]' && node.op !== '.?' && node.op !== '[?]') return null
  const [of, key] = node.args
  if (!isNodes(of)) return null
  if (typeof key === 'string') return key
  return key.op === 'value' && typeof key.args === 'string' ? key.args : null
}

/** The variable a macro binds, the arguments that see it, and the names bound inside them. */
function binds(node: ASTNode, bound: ReadonlySet<string>): [{ variable: ASTNode | null; within: Set<ASTNode> }, ReadonlySet<string>] {
  const none = { variable: null, within: new Set<ASTNode>() }
  if (node.op !== 'rcall') return [none, bound]
  const [method, receiver, args] = node.args
  const [variable] = args
  const isBind = method === 'bind' && receiver.op === 'id' && receiver.args === 'cel' && args.length === 3
  if (variable?.op !== 'id' || (!repeated(node) && !isBind)) return [none, bound]
  return [{ variable, within: new Set(isBind ? [args[2]!] : args.slice(1)) }, new Set([...bound, variable.args])]
}

/**
 * A key of map type would double the name of the map's type at every level, 2^64 characters at depth 64. So keys are
 * literals, texts made by string(), or paths into the scope, which have no static type.
 */
function refuseTypedKey(key: ASTNode, bound: ReadonlySet<string>): void {
  if (key.op === 'value' || (key.op === 'call' && key.args[0] === 'string')) return
  let root: ASTNode = key
  while (root.op === '.' || root.op === '[]') root = root.args[0]
  if (root.op !== 'id' || bound.has(root.args) || language.has(root.args))
    throw new ExpressionError('A key of a map is a text in quotes, a path such as input.name, or string(…)', { offset: key.start })
}

import type { ASTNode } from '@marcbachmann/cel-js'
import type { Budget } from './budget.ts'
import { children, repeated } from './cel-tree.ts'
import { ExpressionError } from './error.ts'

/**
 * Holds a parsed expression to a budget. The interpreter has no hook of its own; what it does have is one way to
 * evaluate a node: the node's `evaluate` property, which it replaces on first use. The guard stands in that property.
 */

/** The part of a node that its interpreter uses and its types do not name. */
interface Evaluated {
  evaluate(...args: unknown[]): unknown
}

/** Where the guards of one expression find the budget of the evaluation that is going on. */
export interface Meter {
  budget: Budget | null
}

/** Elements a comprehension or a method may go over. */
const maxElements = 100_000
const maxSeparator = 40

const costly = new Set(['call', 'rcall', 'list', 'map', '+', '==', '!=', 'in'])

/** Guards everything in the tree that can repeat, compare at length, or make something large. Says whether there was any. */
export function guard(root: ASTNode, meter: Meter): boolean {
  let guarded = false
  const visit = (node: ASTNode): void => {
    if (costly.has(node.op)) {
      watch(node, meter, charge)
      guarded = true
    }
    for (const each of repeated(node) ?? []) watch(each, meter, charge)
    if (node.op === 'rcall') {
      watch(node.args[1], meter, node.args[0] === 'join' ? chargeJoined : bounded)
      const [separator] = node.args[2]
      if (separator && node.args[0] === 'join') watch(separator, meter, short)
    }
    for (const child of children(node)) visit(child)
  }
  visit(root)
  return guarded
}

type Check = (result: unknown, budget: Budget) => void

function watch(node: ASTNode, meter: Meter, check: Check): void {
  const target = node as unknown as Evaluated
  let evaluate = target.evaluate
  const watched = (...args: unknown[]): unknown => {
    meter.budget?.tick()
    const result = evaluate.apply(node, args)
    if (meter.budget) check(result, meter.budget)
    return result
  }
  // A node may be watched twice: each watch keeps what was there, and takes the interpreter's replacement inward.
  Object.defineProperty(node, 'evaluate', {
    configurable: true,
    get: () => watched,
    set(next: Evaluated['evaluate']) {
      evaluate = next
    },
  })
}

const charge: Check = (result, budget) => {
  if (typeof result === 'string' || Array.isArray(result) || result instanceof Uint8Array) budget.spend(result.length)
}

const bounded: Check = (result) => {
  if (Array.isArray(result) && result.length > maxElements) throw new ExpressionError(`A list of ${result.length} elements is too long here; ${maxElements} are allowed`)
}

/** Before it is joined: the text exists only afterwards, and could be anything up to all memory. */
const chargeJoined: Check = (result, budget) => {
  bounded(result, budget)
  if (Array.isArray(result)) for (const each of result) budget.spend(maxSeparator + (typeof each === 'string' ? each.length : 0))
}

const short: Check = (result) => {
  if (typeof result === 'string' && result.length > maxSeparator) throw new ExpressionError(`A separator has at most ${maxSeparator} characters`)
}

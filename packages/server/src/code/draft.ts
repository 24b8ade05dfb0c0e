import type { JsonObject, Link, Node } from '@sluice/schema'
import { DefinitionError } from './errors.ts'
import type { Block, Frame } from './frames.ts'

/**
 * The graph of a definition while it is built: every step behind the one before it, the branches of a block beside each other,
 * and what comes after a block behind all of them. It is drawn from left to right, a branch a row.
 */

/** What becomes of a run when a step has failed for good. */
export type OnFailure = 'stop' | 'continue' | 'skip' | { readonly skipTo: string }

export const inputId = 'input'
export const resultId = 'result'

const stepName = /^[A-Za-z0-9_-]{1,80}$/
const distance = { x: 240, y: 120 }

/** A way out of a node that the next one is linked to. */
interface Exit {
  node: string
  handle: string
  column: number
}

/** Who goes on behind it although what lies between is skipped. */
interface Skip {
  from: string
  /** Null: the end. */
  to: string | null
  sequences: ReadonlySet<object>
}

export class Draft {
  readonly workflow: string
  readonly nodes: Node[] = []
  readonly links: Link[] = []
  frames: readonly Frame[] = []
  readonly #names = new Set<string>([inputId, resultId])
  readonly #root = {}
  #skips: Skip[] = []
  #exits: Exit[] = []
  #row = 0
  #lowest = 0

  constructor(workflow: string, input: JsonObject) {
    this.workflow = workflow
    this.nodes.push({ id: inputId, type: 'input', config: input, position: { x: 0, y: 0 } })
    this.#exits = [{ node: inputId, handle: 'default', column: 0 }]
  }

  refuse(message: string, step: string | null = null): never {
    throw new DefinitionError(message, this.workflow, step)
  }

  /** Takes a name for a step. */
  name(name: unknown): string {
    if (typeof name !== 'string' || !stepName.test(name))
      return this.refuse(`A step of workflow ${this.workflow} cannot be called ${JSON.stringify(name)}: a name has 1 to 80 characters of A-Z a-z 0-9 _ -`)
    if (name === inputId || name === resultId) return this.refuse(`A step of workflow ${this.workflow} cannot be called ${name}: so is its own ${name}`, name)
    if (this.#names.has(name)) return this.refuse(`Step ${name} is already defined in workflow ${this.workflow}.`, name)
    this.#names.add(name)
    return name
  }

  /** Puts a node behind what came last. */
  add(node: Node, onFailure: OnFailure = 'stop'): void {
    const column = this.#place(node)
    this.#landing(node.id)
    this.#exits = [{ node: node.id, handle: 'default', column }]
    if (onFailure === 'continue') this.#exits.push({ node: node.id, handle: 'failed', column })
    else if (onFailure !== 'stop') this.#skip(node.id, onFailure)
  }

  /** Branches beside each other, each behind the exit of the last node that it begins at, or behind whatever came last. */
  beside<Given>(block: Block, branches: readonly { from?: string; build: () => Given }[]): Given[] {
    const begun = { exits: this.#exits, frames: this.frames, row: this.#row, lowest: this.#lowest }
    this.#lowest = begun.row
    const ends: Exit[] = []
    const given = branches.map(({ from, build }, branch) => {
      this.#exits = from === undefined ? begun.exits : begun.exits.map((exit) => ({ ...exit, handle: from }))
      this.frames = [...begun.frames, { block, branch }]
      this.#row = branch === 0 ? begun.row : this.#lowest + 1
      const came = build()
      ends.push(...this.#exits)
      return came
    })
    block.closed = true
    this.#exits = branches.length === 0 ? begun.exits : ends
    this.frames = begun.frames
    this.#row = begun.row
    this.#lowest = Math.max(begun.lowest, this.#lowest)
    return given
  }

  /** The last node, which everything leads to. */
  end(node: Node): void {
    const unmet = this.#skips.find(({ to }) => to !== null)
    if (unmet) this.refuse(`Step ${unmet.from} of workflow ${this.workflow} skips to ${unmet.to}, and there is no such step after it`, unmet.from)
    this.#place(node)
    for (const { from } of this.#skips) this.#link({ node: from, handle: 'failed', column: 0 }, node.id)
  }

  #place(node: Node): number {
    const column = Math.max(...this.#exits.map((exit) => exit.column)) + 1
    this.#lowest = Math.max(this.#lowest, this.#row)
    this.nodes.push({ ...node, position: { x: column * distance.x, y: this.#row * distance.y } })
    for (const exit of this.#exits) this.#link(exit, node.id)
    return column
  }

  #link({ node, handle }: Exit, target: string): void {
    const same = this.links.some((link) => link.source === node && link.target === target && (link.sourceHandle ?? 'default') === handle)
    if (!same) this.links.push({ source: node, target, ...(handle !== 'default' && { sourceHandle: handle }) })
  }

  #skip(from: string, onFailure: 'skip' | { readonly skipTo: string }): void {
    const to = onFailure === 'skip' ? null : onFailure.skipTo
    if (to !== null && this.#names.has(to)) this.refuse(`Step ${from} of workflow ${this.workflow} skips to ${to}, which is not after it`, from)
    const sequences = this.#sequences()
    if (to === null && !sequences.has(this.#root))
      this.refuse(`Step ${from} of workflow ${this.workflow} cannot skip what comes after the branches beside it: let it continue, or skip to a step of its branch`, from)
    this.#skips.push({ from, to, sequences })
  }

  /** Those in which what comes later is only reached by way of what comes next here: not beyond branches that run beside this one. */
  #sequences(): Set<object> {
    const inner = [this.#root, ...this.frames]
    const beside = this.frames.findLastIndex(({ block }) => block.is === 'parallel')
    return new Set(inner.slice(beside + 1))
  }

  /** Who skips to this step goes on here. */
  #landing(id: string): void {
    const here = this.frames.at(-1) ?? this.#root
    for (const { from, to, sequences } of this.#skips) {
      if (to !== id) continue
      if (!sequences.has(here)) this.refuse(`Step ${from} of workflow ${this.workflow} skips to ${id}, which is in a branch that it is not in`, from)
      this.#link({ node: from, handle: 'failed', column: 0 }, id)
    }
    this.#skips = this.#skips.filter(({ to }) => to !== id)
  }
}

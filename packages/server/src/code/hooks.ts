import type { Node } from '@sluice/schema'
import { DefinitionError } from './errors.ts'
import type { OutputOf, Stored } from './values.ts'
import type { StepAt, WrittenFunction } from './written.ts'

/** Places of a workflow at which other modules do something of their own. */

declare const hooked: unique symbol

export interface Hook<Name extends string, Values> {
  readonly name: Name
  readonly [hooked]?: Values
}

/** Says what is done at a hook. There is one for each. */
export type TakeUp<Values> = <R>(handler: (values: Values, at: StepAt) => R, compensate?: (left: Stored<OutputOf<R>> | undefined, at: StepAt) => unknown) => void

/** As `hooks` of a workflow, by name. */
export type TakeUps<Hooks extends readonly unknown[]> = {
  readonly [H in Hooks[number] as H extends Hook<infer Name, unknown> ? Name : never]: H extends Hook<string, infer Values> ? TakeUp<Values> : never
}

export type StepFunction = Extract<WrittenFunction, { is: 'step' }>

/** The node of a hook does nothing until somebody takes it up; and is undone when they say how. */
export function takeUp(workflow: string, node: Node, step: StepFunction): TakeUp<never> {
  return (handler, compensate) => {
    if (step.invoke) throw new DefinitionError(`Cannot define multiple hook handlers for the ${node.id} hook`, workflow, node.id)
    step.invoke = handler
    if (!compensate) return
    step.compensate = compensate
    node.settings = { ...node.settings, compensate: { type: 'function-undo', config: { workflow, name: node.id } } }
  }
}

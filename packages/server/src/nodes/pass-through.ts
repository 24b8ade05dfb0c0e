import type { Json } from '@sluice/schema'
import type { StepContext } from './contract.ts'

/** What a step gives that lets its input through: the output of its one completed predecessor, else all of them by step name. */
export function passThrough({ input }: Pick<StepContext, 'input'>): Json {
  const outputs = Object.values(input)
  return outputs.length === 1 ? outputs[0]! : input
}

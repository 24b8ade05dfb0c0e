import type { Definition } from '../../packages/schema/src/index.ts'
import { step } from './step.ts'

const chain = (type: string, config: object): Definition => ({
  kind: 'workflow',
  nodes: ['first', 'second', 'third'].map((id) => ({ id, type, config: { ...config } })),
  links: [
    { source: 'first', target: 'second' },
    { source: 'second', target: 'third' },
  ],
})

/** Six durable moments: each step's start and its result. */
export const threeSteps = chain(step.type, {})

/** Free of effects: the engine need not write between them. */
export const threePure = chain('static-value', { values: {} })

/** Waits for a person, then does a step. */
export const approvalThenStep: Definition = {
  kind: 'workflow',
  nodes: [
    { id: 'approval', type: 'human', config: { kind: 'approval', message: 'May we?' } },
    { id: 'step', type: step.type },
  ],
  links: [{ source: 'approval', target: 'step' }],
}

/** Waits for a person, then tells of so many rounds of a loop. */
export const approvalThenLoop = (times: number): Definition => ({
  kind: 'workflow',
  nodes: [
    { id: 'approval', type: 'human', config: { kind: 'approval', message: 'May we?' } },
    { id: 'loop', type: 'loop', config: { times } },
    { id: 'body', type: 'static-value', config: { values: {} }, parentId: 'loop' },
  ],
  links: [{ source: 'approval', target: 'loop' }],
})

/** Waits for a person; needs no node but the library's. */
export const approvalAlone: Definition = {
  kind: 'workflow',
  nodes: [{ id: 'approval', type: 'human', config: { kind: 'approval', message: 'May we?' } }],
  links: [],
}

/** So many steps one after another. */
export const loopOfSteps = (times: number): Definition => ({
  kind: 'workflow',
  nodes: [
    { id: 'loop', type: 'loop', config: { times } },
    { id: 'body', type: step.type, parentId: 'loop' },
  ],
  links: [],
})

/** So many nodes, each behind the one before. */
export const manySteps = (count: number): Definition => ({
  kind: 'workflow',
  nodes: Array.from({ length: count }, (_, at) => ({ id: `step-${at}`, type: step.type })),
  links: Array.from({ length: count - 1 }, (_, at) => ({ source: `step-${at}`, target: `step-${at + 1}` })),
})

/** What it is started with is recorded, and goes by three steps. */
export const inputThenSteps: Definition = {
  ...threeSteps,
  nodes: [{ id: 'input', type: 'input' }, ...threeSteps.nodes],
  links: [{ source: 'input', target: 'first' }, ...threeSteps.links],
}

/** Says the same to everybody: what each face can start. */
export const chat: Definition = {
  kind: 'chatbot',
  nodes: [
    { id: 'in', type: 'input' },
    { id: 'end', type: 'template', config: { text: 'It is done' } },
  ],
  links: [{ source: 'in', target: 'end' }],
}

import type { JsonObject } from '@sluice/schema'
import { type Asked, call, say, type Script } from './toy-model.ts'

/** A task of a plan, and the function that is called for it. */
export interface Planned {
  id: string
  dependsOn?: string[]
  call?: { name: string; arguments: JsonObject }
}

/** What a question of the mode Actionplan is about. */
export type Stage = 'understand' | 'plan' | 'think' | 'review' | 'answer'

export function stageOf({ body }: Asked): Stage {
  const format = JSON.stringify(body['response_format'] ?? null)
  if (format.includes('"goal"')) return 'understand'
  if (format.includes('"tasks"')) return 'plan'
  if (format.includes('"complete"')) return 'review'
  return body['tools'] ? 'think' : 'answer'
}

/** The task that a model thinks about: instructions say its id. */
export const taskOf = ({ body }: Asked): string => /do the task (\w+)/.exec(body.messages.map(({ content }) => content).join('\n'))?.[1] ?? ''

/** A model that plans these tasks, calls what they call, and answers with what came of them. `meanwhile` is waited for before it says anything. */
export const planner =
  (tasks: readonly Planned[], meanwhile: (stage: Stage, asked: Asked) => unknown = () => {}): Script =>
  async (response, asked) => {
    const stage = stageOf(asked)
    await meanwhile(stage, asked)
    return replyOf(stage, asked, tasks)(response, asked)
  }

function replyOf(stage: Stage, asked: Asked, tasks: readonly Planned[]): Script {
  const last = asked.body.messages.at(-1)!
  switch (stage) {
    case 'understand':
      return say(JSON.stringify({ goal: 'To know', questions: tasks.map(({ id }) => `What of ${id}?`) }))
    case 'plan':
      return say(JSON.stringify({ tasks: tasks.map(({ id, dependsOn = [] }) => ({ id, title: `The task ${id}`, instructions: `do the task ${id}`, dependsOn })) }))
    case 'review':
      return say(JSON.stringify({ complete: true, remarks: '' }))
    case 'answer':
      return say(['All is ', 'done: ', tasks.map(({ id }) => id).join(', ')])
    case 'think': {
      const task = tasks.find(({ id }) => id === taskOf(asked))
      if (last.role !== 'tool' && task?.call) return call({ name: task.call.name, arguments: [JSON.stringify(task.call.arguments)] })
      return say(`${task?.id} came to ${last.content.slice(0, 200)}`)
    }
  }
}

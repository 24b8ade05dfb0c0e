import type { Json, JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, StepFailure } from '../contract.ts'
import { AnyJson, isJsonObject } from '../values.ts'

const mostTasks = 100

/** A task of a plan, which waits for those that it names. */
interface Task {
  id: string
  dependsOn: string[]
  /** As the plan has it. */
  said: JsonObject
}

export const readyTasks = defineNode({
  type: 'ready-tasks',
  title: 'Ready tasks',
  description:
    'Of a plan, the tasks that can be done now: not done yet, and all that they depend on is. Gives `{ready, left}`: each task as the plan has it, with its `number`, `of` how many, and the `results` of what it depends on; and how many are left behind these. What depends on nothing that there is, or on itself by way of others, keeps no plan from its end.',
  category: 'flow',
  config: Schema.Struct({
    tasks: AnyJson.annotate({ title: 'Tasks', description: `The plan: a list of \`{id, dependsOn?, …}\`, at most ${mostTasks}` }),
    results: Schema.optionalKey(AnyJson.annotate({ title: 'Results', description: 'What was done: a list of `{id, …}`' })),
  }),
  readings: { tasks: 'value', results: 'value' },
  takesInput: false,
  behaviour: { is: 'pure', run: ({ tasks, results = [] }) => ({ output: readyOf(tasksIn(tasks), listIn(results, 'results').filter(isJsonObject)) }) },
})

function readyOf(tasks: readonly Task[], results: readonly JsonObject[]): JsonObject {
  const done = new Map(results.map((result) => [nameOf(result['id']), result]))
  const left = tasks.filter(({ id }) => !done.has(id))
  const free = left.filter(({ dependsOn }) => dependsOn.every((id) => done.has(id)))
  // All that is left waits in a circle: the first of it goes on without.
  const ready = free.length > 0 ? free : left.slice(0, 1)
  const numbered = ready.map(({ id, dependsOn, said }) => ({
    ...said,
    id,
    dependsOn,
    number: tasks.findIndex((task) => task.id === id) + 1,
    of: tasks.length,
    results: dependsOn.flatMap((each) => done.get(each) ?? []),
  }))
  return { ready: numbered, left: left.length - ready.length }
}

function tasksIn(value: Json): Task[] {
  const list = listIn(value, 'tasks')
  if (list.length > mostTasks) throw new StepFailure('config_invalid', `A plan has at most ${mostTasks} tasks`, { retry: false })
  const said = list.map((task, at) => {
    if (!isJsonObject(task)) throw new StepFailure('config_invalid', `The task ${at + 1} is no object`, { retry: false })
    return task
  })
  const ids = idsOf(said)
  const known = new Set(ids)
  return said.map((task, at) => {
    const wanted = Array.isArray(task['dependsOn']) ? task['dependsOn'].map(nameOf) : []
    return { id: ids[at]!, dependsOn: [...new Set(wanted)].filter((id) => known.has(id) && id !== ids[at]), said: task }
  })
}

const nameOf = (id: Json | undefined): string => (typeof id === 'string' || typeof id === 'number' ? String(id) : '')

/** Models count the same number twice, or none. */
function idsOf(tasks: readonly JsonObject[]): string[] {
  const taken = new Set<string>()
  return tasks.map(({ id }, at) => {
    const said = nameOf(id) || `task-${at + 1}`
    let free = said
    for (let number = 2; taken.has(free); number++) free = `${said}-${number}`
    taken.add(free)
    return free
  })
}

function listIn(value: Json, name: string): Json[] {
  if (!Array.isArray(value)) throw new StepFailure('config_invalid', `${name} is not a list`, { retry: false })
  return value
}

import type { JsonObject } from '@sluice/schema'
import type { Prompt } from './prompt.ts'
import { isGeneral } from './general.ts'
import { requestOf } from './requests.ts'
import { stepsOf } from './steps.ts'

/** What a person wants, restated, and its plan. PURE. */
export function understanding(prompt: Prompt): JsonObject {
  const { asks } = requestOf(prompt.text, prompt.tables)
  const names = (prompt.files ?? []).map(({ name }) => name)
  const general = names.length > 0 && asks.every((ask) => isGeneral(ask, prompt.files ?? []))
  const goal = general ? `Say what is in ${names.join(', ')}: ${asks.join(' ')}` : asks.length === 1 ? asks[0]! : `Answer ${asks.length} questions: ${asks.join(' ')}`
  return { goal: short(goal, mostGoal), questions: asks }
}

const mostGoal = 2_000
const mostTasks = 20

const short = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`)

export function planned(prompt: Prompt): JsonObject {
  const steps = stepsOf(prompt)
  // A plan has at most so many tasks: what is beyond is said by the last, and not lost.
  const kept = steps.length <= mostTasks ? steps : steps.slice(0, mostTasks - 1)
  const tasks = kept.map(({ title, instructions, needs }, at) => ({ id: String(at + 1), title, instructions, dependsOn: needs === null ? [] : [String(needs + 1)] }))
  const left = steps.slice(kept.length)
  if (left.length > 0)
    tasks.push({
      id: String(mostTasks),
      title: `${left.length} more questions`,
      instructions: `These are too many at once: ${left.map(({ title }) => title).join('; ')}`,
      dependsOn: [],
    })
  return { tasks }
}

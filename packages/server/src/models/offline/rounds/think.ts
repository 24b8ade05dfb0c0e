import type { JsonObject } from '@sluice/schema'
import type { Question, Tool } from '../../model.ts'
import { answerTo } from '../answer.ts'
import { choose } from '../choose.ts'
import { readingOf } from '../reading.ts'
import type { Reading } from '../reading.ts'
import { tableQuestion } from '../tables/question.ts'
import { resultOf, told } from '../tables/telling.ts'
import { corrected } from './corrections.ts'
import type { Prompt } from './prompt.ts'
import { saidIn, textRead } from './reading-files.ts'
import { nameFound, resolvedWith, taskNeeded } from './references.ts'
import { callFor, stepsOf } from './steps.ts'
import type { Step, Work } from './steps.ts'
import { givenIn, sameCall, transcriptOf } from './transcript.ts'
import type { Called } from './transcript.ts'

/** What is to be called next, or, where nothing is, the answer. PURE. */
export type Thought = { calls: { name: string; arguments: JsonObject }[] } | { text: string }

interface Call {
  name: string
  arguments: JsonObject
}

/** What has become of a step. */
type State = { is: 'calls'; call: Call } | { is: 'said'; text: string }

interface Thinking {
  prompt: Prompt
  tools: readonly Tool[]
  called: readonly Called[]
  effort: Reading['effort']
  howToGetOne: string
}

/** Rounds think a bounded number of times: of many calls, several are made at once. */
const rounds = 6

export function think(question: Question, prompt: Prompt, effort: Reading['effort'], howToGetOne: string): Thought {
  const tools = question.toolChoice === 'none' ? [] : (question.tools ?? [])
  const thinking: Thinking = { prompt, tools, called: transcriptOf(question.messages), effort, howToGetOne }
  const steps = stepsOf(prompt)
  const states: State[] = []
  for (const step of steps) states.push(stateOf(step, states, thinking))
  // Which of several tables a figure is of.
  const isOfMany = steps.length > 1 && prompt.tables.length > 1
  const front = ({ work }: Step): string => (isOfMany && work.is === 'query' && !work.query.join ? `${work.query.file}: ` : '')
  const open = states.flatMap((state) => (state.is === 'calls' ? [state.call] : []))
  if (open.length > 0) return { calls: open.slice(0, Math.ceil(steps.length / rounds)) }
  return { text: states.map((state, at) => (state.is === 'said' ? front(steps[at]!) + state.text : '')).join('\n') }
}

function stateOf(step: Step, before: readonly State[], thinking: Thinking): State {
  const work = step.work.is === 'later' ? workOnceFound(step, before, thinking) : step.work
  if ('waits' in work) return { is: 'said', text: '' }
  if ('text' in work) return { is: 'said', text: work.text }
  const call = callFor(work)
  return call ? fileState(work, call, thinking) : otherState(step, thinking)
}

/** What needs a name that another step, or another task, finds. */
function workOnceFound(step: Step, before: readonly State[], { prompt }: Thinking): Work | { waits: true } | { text: string } {
  const source = step.needs === null ? prompt.results?.find(({ id }) => id === taskNeeded(step.instructions))?.text : textIn(before[step.needs])
  if (step.needs !== null && before[step.needs]?.is === 'calls') return { waits: true }
  const name = source === undefined ? null : nameFound(source)
  if (name === null) return { text: `“${step.title}” needs one name that came out before, and there is none.` }
  const made = tableQuestion(resolvedWith(step.instructions, name), prompt.tables)
  return 'query' in made ? { is: 'query', ...made } : { text: noRule(step.title, made.reason) }
}

const textIn = (state: State | undefined): string | undefined => (state?.is === 'said' ? state.text : undefined)

const noRule = (ask: string, reason: string): string => `No rule covers “${ask.length <= 300 ? ask : `${ask.slice(0, 299)}…`}”: ${reason}.`

function fileState(work: Work, call: Call, { tools, called, effort }: Thinking): State {
  const made = called.find((one) => sameCall(one, call))
  if (!made)
    return tools.some(({ name }) => name === call.name) ? { is: 'calls', call } : { is: 'said', text: `“${askOf(work)}” was not looked up: ${call.name} may not be called here.` }
  const given = givenIn(made.content ?? 'error: nothing came of it')
  if (!('error' in given)) return { is: 'said', text: textOf(work, given, effort) }
  const better = corrected(call.arguments, given.error)
  const again = better && { name: call.name, arguments: better }
  const retried = again && called.find((one) => sameCall(one, again))
  if (again && !retried && tools.some(({ name }) => name === call.name)) return { is: 'calls', call: again }
  const second = retried ? givenIn(retried.content ?? 'error: nothing came of it') : given
  return { is: 'said', text: 'error' in second ? `${call.name} refused “${askOf(work)}”: ${second.error}` : textOf(work, second, effort) }
}

const askOf = (work: Work): string => (work.is === 'query' ? JSON.stringify(work.query) : work.is === 'later' ? '' : work.ask)

function textOf(work: Work, given: ReturnType<typeof givenIn>, effort: Reading['effort']): string {
  const value = 'value' in given ? given.value : undefined
  const result = work.is === 'query' ? resultOf(value) : null
  if (work.is === 'query' && result) return told(work.query, work.shape, result)
  const read = work.is === 'read' ? (textRead(value) ?? ('text' in given ? { text: given.text, more: false } : null)) : null
  if (work.is === 'read' && read) return saidIn(work.file, work.ask, read, effort)
  return `It gave: ${'text' in given ? given.text : JSON.stringify(value)}`
}

const ofFiles = new Set(['query_table', 'read_file'])

/** What is no question to files: another tool by the words of its declaration, else what the text itself says. */
function otherState({ work, instructions }: Step, { prompt, tools, called, effort, howToGetOne }: Thinking): State {
  if (work.is !== 'other') return { is: 'said', text: '' }
  const reading = readingOf([{ role: 'user', content: instructions }], effort)
  const choice = choose(
    tools.filter(({ name }) => !ofFiles.has(name)),
    reading,
    false,
  )
  if (choice && 'arguments' in choice) {
    const call = { name: choice.tool.name, arguments: choice.arguments }
    const made = called.find((one) => sameCall(one, call))
    return made ? { is: 'said', text: `${call.name} gave: ${made.content ?? 'nothing'}` } : { is: 'calls', call }
  }
  if (choice) return { is: 'said', text: `The tool ${choice.tool.name} fits, but the text does not say: ${choice.missing.join(', ')}.` }
  const found = prompt.files === null || work.material !== '' ? answerTo(reading) : null
  if (found) return { is: 'said', text: found.text }
  const whatItCan =
    work.reason === null
      ? 'It finds labelled values, sums up texts and numbers, fills JSON Schemas and chooses tools.'
      : 'Of tables it finds sums, means, medians, extremes and counts, in groups and under conditions, in the words of their columns.'
  return { is: 'said', text: work.reason === null ? `None of its rules fits this. ${whatItCan} ${howToGetOne}` : `${noRule(work.ask, work.reason)} ${whatItCan} ${howToGetOne}` }
}

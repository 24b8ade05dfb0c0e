import type { Json, JsonObject, SessionStatus, SessionStep } from '@sluice/schema'
import { limits } from '@sluice/schema'
import type { OpenSession, Said } from '../events/sessions.ts'
import { nodeAt } from '../workflows/graph.ts'
import { type PauseRow, type RunState, type StepRow, isTerminal, stepKey } from './state.ts'
import type { Turn, Usage } from './turn.ts'

/**
 * What a round tells its session: out of what a turn changes, what is written to the session in the same transaction. PURE.
 *
 * T1. What a session shows of its round is what the round's rows say: nobody else writes it, and it is never behind.
 * T2. After a round was cancelled its session hears nothing of it but the figures and one last line, in the turn of the cancel.
 */
export interface Telling {
  runId: string
  sessionId: string
  workspaceId: string
  /** Null leaves it. */
  status: SessionStatus | null
  begins: boolean
  begun: boolean
  ends: boolean
  /** Null leaves them. */
  steps: SessionStep[] | null
  currentStepId: string | null
  progress: number
  said: Said[]
  /** Of a round that comes to its end. */
  figures: { durationMs: number; steps: number } | null
  lastWord: Said | null
  context: JsonObject | null
  usage: Usage
}

/** Null for a run that is no round, and for a turn in which nothing happens to it: also of one that has ended its holder writes a last time. */
export function tellingOf(turn: Turn): Telling | null {
  const { run } = turn.state
  if (run.sessionId === null || (turn.events.length === 0 && turn.steps.size === 0)) return null
  const ends = isTerminal(run.status)
  const begun = run.startedAt !== null
  const base = { runId: run.id, sessionId: run.sessionId, workspaceId: run.workspaceId, begun, ends }
  if (turn.wasCancelled) return { ...base, ...silence }
  const begins = turn.events.some(({ type }) => type === 'run.started')
  const isOver = ends || run.status === 'cancelling'
  return {
    ...base,
    status: begun || ends ? statusOf(run) : null,
    begins,
    steps: begun && (begins || isOver || touchesTop(turn)) ? stepsOf(turn.state) : null,
    currentStepId: currentOf(turn.state),
    progress: run.progress,
    said: begun ? [...turn.events.flatMap((event) => saidOf(turn, event)), ...answerOf(turn)] : [],
    figures: begun && isOver ? { durationMs: turn.now - run.startedAt!, steps: stepsTried(turn.state) } : null,
    lastWord: begun && isOver ? lastWordOf(turn) : null,
    context: turn.context,
    usage: turn.usage,
  }
}

const silence = {
  status: null,
  begins: false,
  steps: null,
  currentStepId: null,
  progress: 0,
  said: [],
  figures: null,
  lastWord: null,
  context: null,
  usage: { promptTokens: 0, completionTokens: 0 },
} satisfies Partial<Telling>

const statuses = {
  queued: 'running',
  running: 'running',
  waiting: 'waiting',
  cancelling: 'stopped',
  compensating: 'running',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'stopped',
  compensated: 'failed',
} as const

/** Whatever it waits for, a release too, nothing moves until that comes. */
const statusOf = ({ status, heldAt }: RunState['run']): SessionStatus => (heldAt === null ? statuses[status] : 'waiting')

const touchesTop = (turn: Turn): boolean => [...turn.steps.values()].some((step) => step.iteration === '')

const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

const stepsOf = (state: RunState): SessionStep[] =>
  state.graph.top.map((node) => {
    const step = state.steps.get(node.key)
    return { id: node.id, name: node.name, type: node.type, status: step?.state ?? 'pending', startedAt: time(step?.startedAt ?? null), endedAt: time(step?.endedAt ?? null) }
  })

const underWay: ReadonlySet<string> = new Set(['running', 'waiting', 'retrying'])

/** Of the top-level nodes under way the one that began last; null when none is, and the last one stands. */
function currentOf(state: RunState): string | null {
  let current: StepRow | undefined
  for (const node of state.graph.top) {
    const step = state.steps.get(node.key)
    if (step && underWay.has(step.state) && (!current || step.startedAt! >= current.startedAt!)) current = step
  }
  return current?.nodeId ?? null
}

function stepsTried(state: RunState): number {
  let tried = 0
  for (const step of state.steps.values()) if (step.attempts > 0) tried++
  return tried
}

// ── lines ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Level = Extract<Said, { kind: 'log' }>['level']

/** As much as anybody may say at once, without what no text of ours has; the whole is in the run. */
const fit = (text: string): string => text.slice(0, limits.messageChars).replaceAll('\0', '').toWellFormed()

const logged = (level: Level, message: string, { nodeId, step }: { nodeId: string | null; step: string | null } = { nodeId: null, step: null }): Said => ({
  kind: 'log',
  level,
  message: fit(message),
  nodeId,
  step,
})

const answered = (text: string, metadata: JsonObject = {}): Said => ({ kind: 'message', role: 'assistant', text: fit(text), metadata, files: [] })

interface StepEvent {
  nodeId: string
  step: string
  iteration: string
  attempt: number
  error: { message: string }
  level: Level
  message: string
  pause: { id: string; kind: string }
}

function saidOf(turn: Turn, { type, data }: Turn['events'][number]): Said[] {
  const read = (): StepEvent => JSON.parse(data) as StepEvent
  switch (type) {
    case 'run.started':
      return [logged('info', 'The round began')]
    case 'step.started':
      return startOf(turn, read())
    case 'step.retrying': {
      const event = read()
      return [logged('warn', `${placed(event)} failed and will be tried again: ${event.error.message}`, event)]
    }
    case 'step.failed': {
      const event = read()
      return [logged('error', `${placed(event)} failed: ${event.error.message}`, event)]
    }
    case 'step.completed':
      return callsOf(turn, data)
    case 'log': {
      const event = read()
      return [logged(event.level, event.message, event)]
    }
    case 'pause.opened':
    case 'pause.decided':
    case 'pause.expired': {
      const pause = turn.pauses.get(read().pause.id)
      return pause ? [pauseSaid(pause)].flatMap((said) => said ?? []) : []
    }
    default:
      return []
  }
}

/** A step as lines name it: of one in a body they say which item, or which round of a loop, counted from one. */
const placed = ({ step, iteration }: Pick<StepEvent, 'step' | 'iteration'>): string =>
  iteration === ''
    ? step
    : `${step} (${iteration
        .split('.')
        .map((index) => Number(index) + 1)
        .join('.')})`

/** In a body those who take their time, or act, are told of when they begin: what only computes would drown them. What fails is told of all. */
const toldInBodies: ReadonlySet<string> = new Set(['llm', 'tool', 'subworkflow', 'signal'])

function startOf({ state: { graph } }: Turn, event: StepEvent): Said[] {
  const { nodeId, iteration, attempt } = event
  if (attempt > 1) return [logged('info', `${placed(event)} began again (attempt ${attempt})`, event)]
  return iteration === '' || toldInBodies.has(nodeAt(graph, nodeId, iteration)?.is ?? '') ? [logged('info', `${placed(event)} began`, event)] : []
}

const longestCall = 500

/** What a model asked to be called, whoever does it. */
function callsOf(turn: Turn, data: string): Said[] {
  // Its output, which may be large, comes after the route, and stands in the step.
  const event = JSON.parse(`${data.slice(0, data.indexOf(',"route":'))}}`) as StepEvent
  const { nodeId, iteration } = event
  const step = nodeAt(turn.state.graph, nodeId, iteration)?.is === 'llm' ? turn.steps.get(stepKey(nodeId, iteration)) : undefined
  const output = step?.output?.value ?? null
  const calls = isObject(output) ? output['toolCalls'] : null
  if (!Array.isArray(calls)) return []
  return calls.filter(isObject).map(({ name = null, arguments: given = {} }) => logged('info', `${placed(event)} calls ${shown(name)} ${shown(given)}`, event))
}

function shown(value: Json): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > longestCall ? `${text.slice(0, longestCall)}…` : text
}

/** A question is put to the person in the conversation, who may answer it there; an approval is asked for and given elsewhere. */
function pauseSaid({ id, kind, status, message, nodeId, step, decision }: PauseRow): Said | null {
  if (kind === 'question') return status === 'open' ? answered(message, { pauseId: id }) : null
  const at = { nodeId, step }
  if (status === 'open') return logged('warn', `Waits for approval ${id}: ${message}`, at)
  if (!decision) return status === 'expired' ? logged('warn', `Nobody decided on approval ${id} in time`, at) : null
  const { by, comments } = decision
  return logged('info', `Approval ${id} was ${status} by ${by.label ?? by.id}${comments === null ? '' : `: ${comments}`}`, at)
}

function lastWordOf({ state: { run } }: Turn): Said {
  switch (run.status) {
    case 'completed':
      return logged('info', 'The round was completed')
    case 'cancelling':
    case 'cancelled':
      return run.reason?.code === 'pause_declined' ? logged('warn', `The round ended: ${run.reason.message}`) : logged('info', 'The round was stopped')
    default:
      return logged('error', `The round failed: ${run.reason?.message ?? run.status}`)
  }
}

/** Where the answer of a round stands in its output. */
const answerKeys = ['assistant_message', 'message', 'text', 'answer'] as const

/**
 * The message that a completed round ends with: its output where that is text, or the text in it under one of the names for
 * it. An output of another form is nobody's message: it stands in the run, and is not made into one.
 */
function answerOf({ state: { run } }: Turn): Said[] {
  const text = run.status === 'completed' && run.output ? textOf(run.output.value) : null
  return text === null || text.trim() === '' ? [] : [answered(text)]
}

function textOf(output: Json, isInner = false): string | null {
  if (typeof output === 'string') return output
  if (typeof output !== 'object' || output === null || Array.isArray(output)) return null
  for (const key of answerKeys) if (Object.hasOwn(output, key) && typeof output[key] === 'string') return output[key]
  // Without an output node it stands under the name of the last step.
  const [only, another] = Object.values(output)
  return isInner || only === undefined || another !== undefined ? null : textOf(only, true)
}

// ── what becomes of the session ────────────────────────────────────────────────────────────────────────────────────────

/** What the column holds: a node that counts wildly does not keep a session from being written. */
const mostTokens = 2_147_483_647

/** `others`: whether another round of the session is live. */
export function apply(telling: Telling, session: OpenSession, others: boolean): void {
  const { row } = session
  const from = { runId: telling.runId }
  const spent = telling.begins ? { prompt_tokens: 0, completion_tokens: 0 } : row
  session.set({
    prompt_tokens: Math.min(spent.prompt_tokens + telling.usage.promptTokens, mostTokens),
    completion_tokens: Math.min(spent.completion_tokens + telling.usage.completionTokens, mostTokens),
    ...(telling.steps && { steps: JSON.stringify(telling.steps), progress: telling.progress }),
    ...(telling.begins && { current_step_id: null }),
    ...(telling.currentStepId !== null && { current_step_id: telling.currentStepId }),
  })
  if (telling.context) keep(telling.context, session, telling.runId)
  for (const said of telling.said) session.say(said, from)
  if (telling.figures) for (const [name, value, unit] of figuresOf(telling.figures, row)) session.say({ kind: 'stat', name, value, unit }, from)
  if (telling.lastWord) session.say(telling.lastWord, from)
  const status = statusAfter(telling, row.status, others)
  if (status !== null && status !== row.status) session.set({ status, stopped_at: status === 'stopped' ? endOf(row) : null })
}

function statusAfter({ status, begun, ends }: Telling, now: SessionStatus, others: boolean): SessionStatus | null {
  if (!ends) return status
  if (others) return begun && status !== null ? 'running' : null
  // Of a cancel that was told before: what came after it has ended too.
  return status ?? (now === 'running' || now === 'waiting' ? 'stopped' : null)
}

/** No line is later than this, but for those of what begins anew. */
export const endOf = ({ line_at: lineAt }: { line_at: number }): Date => new Date(Math.max(Date.now(), Math.ceil(lineAt / 1000)))

const figuresOf = ({ durationMs, steps }: NonNullable<Telling['figures']>, tokens: { prompt_tokens: number; completion_tokens: number }): [string, number, string | null][] => [
  ['duration_ms', durationMs, 'ms'],
  ['steps', steps, null],
  ['prompt_tokens', tokens.prompt_tokens, null],
  ['completion_tokens', tokens.completion_tokens, null],
]

const isObject = (value: Json): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A context with single keys set in it; one that has no keys, and is not empty, stays as it is. */
export const contextWith = (context: Json, patch: JsonObject): Json => (context === null ? patch : isObject(context) ? { ...context, ...patch } : context)

/** What is in no text of ours: lists could not look into a context that had it. */
const unfit = /[\0\p{Cs}]/u

const hasUnfit = (value: Json): boolean => {
  if (typeof value === 'string') return unfit.test(value)
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([key, each]) => unfit.test(key) || hasUnfit(each))
}

function refusalOf(context: Json, patch: JsonObject, text: string): string | null {
  if (context !== null && !isObject(context)) return 'it is no object'
  if (hasUnfit(patch)) return 'NUL and halves of characters are kept nowhere'
  return Buffer.byteLength(text) > limits.contextBytes ? 'it is full' : null
}

/** A client's write replaces the context whole, a round's sets keys in it: the row lock orders them. */
function keep(patch: JsonObject, session: OpenSession, runId: string): void {
  const context = JSON.parse(session.row.context) as Json
  const text = JSON.stringify(contextWith(context, patch))
  const refused = refusalOf(context, patch, text)
  if (refused === null) return session.set({ context: text })
  session.say(logged('error', `The context was not changed: ${refused} (${Object.keys(patch).join(', ').slice(0, 500)})`), { runId })
}

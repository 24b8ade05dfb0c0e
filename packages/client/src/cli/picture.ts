import { type Definition, type Json, type Node, type Pause, type Reason, type RunEvent, type RunStatus, stepNames, type WaitingKind } from '@sluice/schema'

export type StepMark = 'pending' | 'running' | 'waiting' | 'retrying' | 'completed' | 'failed' | 'skipped' | 'cancelled' | 'undoing' | 'undone'

/** One node in one run; inside a body, in one of its iterations. */
export interface StepPicture {
  nodeId: string
  iteration: string
  name: string
  mark: StepMark
  attempt: number
  startedAt: number | null
  endedAt: number | null
  retryAt: number | null
  waitingFor: WaitingKind | null
  /** Why it failed, or is tried again. */
  error: string | null
}

export interface NodePicture {
  id: string
  name: string
  /** Those whose body this is; in the order in which they can run. */
  body: NodePicture[]
}

/** A run as far as its events have told, in milliseconds of the server's clock. */
export interface Picture {
  id: string
  title: string
  status: RunStatus
  startedAt: number | null
  endedAt: number | null
  reason: Reason | null
  output: Json | undefined
  nodes: NodePicture[]
  /** By node and iteration. */
  steps: Map<string, StepPicture>
  pauses: Map<string, Pause>
  /** What it said last. */
  said: string[]
}

const saidAtMost = 3

/** Nothing has happened yet. Without the definition, nodes come into the picture when they start. */
export function blankPicture(run: { id: string; title: string; status: RunStatus }, definition: Definition | null): Picture {
  return { ...run, startedAt: null, endedAt: null, reason: null, output: undefined, nodes: definition ? treeOf(definition) : [], steps: new Map(), pauses: new Map(), said: [] }
}

function treeOf(definition: Definition): NodePicture[] {
  const names = stepNames(definition)
  const within = (parent: string | null): NodePicture[] => {
    const members = definition.nodes.filter(({ parentId }) => (parentId ?? null) === parent)
    return inOrder(members, definition).map(({ id }) => ({ id, name: names.get(id) ?? id, body: id === parent ? [] : within(id) }))
  }
  return within(null)
}

/** What is waited for stands above what waits for it; else as they are written. */
function inOrder(members: Node[], { links }: Definition): Node[] {
  const ids = new Set(members.map(({ id }) => id))
  const before = new Map(members.map(({ id }) => [id, new Set(links.filter(({ source, target }) => target === id && ids.has(source)).map(({ source }) => source))]))
  const ordered: Node[] = []
  const left = [...members]
  while (left.length > 0) {
    const placed = new Set(ordered.map(({ id }) => id))
    const at = left.findIndex(({ id }) => [...before.get(id)!].every((source) => placed.has(source)))
    ordered.push(...left.splice(Math.max(0, at), 1))
  }
  return ordered
}

/** What an event changes. One of a type that is not known here changes nothing. */
export function tell(picture: Picture, event: RunEvent): void {
  const at = Date.parse(event.at)
  if (event.type.startsWith('step.') && 'nodeId' in event) return tellStep(stepOf(picture, event), event, at)
  switch (event.type) {
    case 'run.queued':
      picture.status = 'queued'
      return
    case 'run.started':
      picture.status = 'running'
      picture.startedAt ??= at
      return
    case 'run.waiting':
      picture.status = 'waiting'
      return
    case 'run.resumed':
    case 'run.released':
      picture.status = 'running'
      return
    case 'run.held':
      picture.status = 'held'
      return
    case 'run.cancelling':
      picture.status = 'cancelling'
      return
    case 'run.compensating':
      picture.status = 'compensating'
      picture.reason = event.reason
      return
    case 'run.completed':
      picture.output = event.output
      return end(picture, 'completed', null, at)
    case 'run.failed':
      return end(picture, 'failed', event.reason, at)
    case 'run.cancelled':
      return end(picture, 'cancelled', event.reason, at)
    case 'run.compensated':
      return end(picture, 'compensated', event.reason, at)
    case 'pause.opened':
      picture.pauses.set(event.pause.id, event.pause)
      return
    case 'pause.decided':
    case 'pause.expired':
    case 'pause.cancelled':
      picture.pauses.delete(event.pause.id)
      return
    case 'log':
      return say(picture, `${event.level} ${event.step}: ${event.message}`)
    case 'message':
      return say(picture, `${event.step}: ${event.text}`)
    default:
  }
}

function end(picture: Picture, status: RunStatus, reason: Reason | null, at: number): void {
  Object.assign(picture, { status, reason, endedAt: at })
  picture.pauses.clear()
}

function say(picture: Picture, line: string): void {
  picture.said = [...picture.said, line].slice(-saidAtMost)
}

function stepOf(picture: Picture, { nodeId, step, iteration }: { nodeId: string; step: string; iteration: string }): StepPicture {
  const key = stepKey(nodeId, iteration)
  const known = picture.steps.get(key)
  if (known) return known
  const made: StepPicture = {
    nodeId,
    iteration,
    name: step,
    mark: 'pending',
    attempt: 0,
    startedAt: null,
    endedAt: null,
    retryAt: null,
    waitingFor: null,
    error: null,
  }
  picture.steps.set(key, made)
  if (!isKnown(picture.nodes, nodeId)) picture.nodes.push({ id: nodeId, name: step, body: [] })
  return made
}

export const stepKey = (nodeId: string, iteration: string): string => `${nodeId}\n${iteration}`
const isKnown = (nodes: readonly NodePicture[], id: string): boolean => nodes.some((node) => node.id === id || isKnown(node.body, id))

function tellStep(step: StepPicture, event: RunEvent, at: number): void {
  const ended = (mark: StepMark): void => void Object.assign(step, { mark, endedAt: at, waitingFor: null, retryAt: null })
  switch (event.type) {
    case 'step.started':
      Object.assign(step, { mark: 'running', attempt: event.attempt, startedAt: step.startedAt ?? at, retryAt: null, waitingFor: null })
      return
    case 'step.waiting':
      Object.assign(step, { mark: 'waiting', waitingFor: event.kind, startedAt: step.startedAt ?? at })
      return
    case 'step.retrying':
      Object.assign(step, {
        mark: 'retrying',
        attempt: event.attempt,
        retryAt: event.retryAt === null ? null : Date.parse(event.retryAt),
        error: `${event.error.code}: ${event.error.message}`,
      })
      return
    case 'step.completed':
      step.error = null
      return ended('completed')
    case 'step.failed':
      step.error = `${event.error.code}: ${event.error.message}`
      return ended('failed')
    case 'step.skipped':
      return ended('skipped')
    case 'step.cancelled':
      return ended('cancelled')
    case 'step.compensating':
      Object.assign(step, { mark: 'undoing', attempt: event.attempt })
      return
    case 'step.compensated':
      return ended('undone')
    case 'step.compensation_failed':
      step.error = `not undone: ${event.error.code}: ${event.error.message}`
      return ended('failed')
    default:
  }
}

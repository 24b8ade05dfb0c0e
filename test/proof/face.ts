import type { Definition, RunEvent } from '@sluice/schema'
import { deadline } from '../support/deadline.ts'
import type { TestServer } from '../support/server.ts'

/**
 * What a face of the server is to say, chapter by chapter of one story, and what it departs from. A face says all verbs: where it
 * departs from a chapter its verb tries what comes nearest, and that has to be refused as the departure tells.
 */

export const chapters = {
  draw: 'Draw a workflow',
  publish: 'Publish it',
  start: 'Start a run of it',
  continue: 'Begin another round in a conversation',
  status: 'Tell how a run stands',
  pause: 'Tell what a person is asked',
  answer: 'Answer a question',
  decide: 'Give an approval',
  watch: 'Watch a run that others began',
  cancel: 'Cancel a run',
  missing: 'Say that something is not there',
  forbidden: 'Say that somebody may not',
  malformed: 'Say that something has no form',
} as const
export type Chapter = keyof typeof chapters

export const faceNames = ['sdk', 'native', 'pocketbase', 'pyspur', 'orchestrator', 'medusa', 'playground', 'openai'] as const
export type FaceName = (typeof faceNames)[number]

export interface Departure {
  why: string
  /** What comes nearest to it. */
  tried: string
  /** The status that this is answered with; `nothing` where an answer comes that does not tell it. */
  answered: number | 'nothing'
}

/** An id that nothing has. */
export const absent = '000000000000000'

/** A workflow, by both its names. */
export interface Named {
  id: string
  handle: string
}

/** A run, and what faces know it by. */
export interface Round {
  workflow: Named
  run: string
  /** Whose round it is; null: it was started without a conversation. */
  session: string | null
  /** Which round of the conversation it is, from 1. */
  number: number
}

/** What a face tells of what it has begun: the run, or the conversation whose round it is. */
export type Begun = { run: string } | { session: string }

/** Somebody who watches the runs of a workflow from here on. */
export interface Watching {
  /** Once it is told that the run waits for a person. */
  paused(round: Round): Promise<unknown>
  /** All that was told of the run, once its end is. A line each, in the words of the face. */
  whole(round: Round): Promise<string[]>
  leave(): void
}

export interface Teller {
  /** Gives its id. */
  draw(definition: Definition, name: string): Promise<string>
  publish(workflow: Named): Promise<unknown>
  start(workflow: Named, text: string): Promise<Begun>
  continue(round: Round, text: string): Promise<unknown>
  /** In the words of the face. Throws `Unsaid` where it tells of conversations alone, and the run is of none. */
  status(round: Round): Promise<string>
  /** How each of its steps stands, by its name, where the face tells steps; what it tells of none is left out. */
  steps?(round: Round): Promise<Record<string, string>>
  /** The ids of the runs of a workflow, newest first, where the face lists runs. */
  runs?(workflow: Named): Promise<string[]>
  /** The text of what is asked. */
  pause(round: Round): Promise<string>
  answer(round: Round, text: string): Promise<unknown>
  decide(round: Round): Promise<unknown>
  watch(workflow: Named): Promise<Watching>
  cancel(round: Round): Promise<unknown>
  /** Asks for what is not there. */
  missing(): Promise<unknown>
  /** Sends what has no form. */
  malformed(): Promise<unknown>
}

export interface Face {
  name: FaceName
  /** As the documentation calls it. */
  title: string
  departures: Partial<Record<Chapter, Departure>>
  /** Statuses of the refusals that a face says in its own way; 404, 403 and 400 unless given. */
  refusals?: Partial<Record<'missing' | 'forbidden' | 'malformed', number>>
  /** Somebody who speaks it, with this token. */
  teller(server: TestServer, token: string): Promise<Teller>
  /** What a watcher is told of a run with these events: all lines in their order, or, of one that samples, those that it may see. */
  told(events: readonly RunEvent[]): string[]
  /** It tells how a run stands when it is looked at: of what passes quickly it may miss some. */
  samples?: true
  /** It tells of conversations alone. */
  conversations?: true
}

/** An answer that refuses, of clients that throw nothing of their own. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, body: unknown) {
    super(`${status} ${JSON.stringify(body)}`)
    this.status = status
  }
}

/** There was an answer, and what was asked for is not in it. */
export class Unsaid extends Error {}

/** The body of an answer. Throws `Refusal`. */
export async function taken<T = unknown>(call: Promise<{ status: number; body: T }>): Promise<T> {
  const { status, body } = await call
  if (status >= 400) throw new Refusal(status, body)
  return body
}

/** The only text that stands there where a person is asked. Throws `Unsaid`. */
export function askedIn(body: unknown): string {
  const found = /(?:May|Should) [\w ]+\?/.exec(JSON.stringify(body))
  if (!found) throw new Unsaid(`nothing is asked in ${JSON.stringify(body).slice(0, 500)}`)
  return found[0]
}

/** Asks until it is so; fails after a while, which is wide. */
export async function once<T>(what: string, ask: () => Promise<T | undefined> | T | undefined, ms = 20_000): Promise<T> {
  const end = performance.now() + ms
  let last: unknown
  for (;;) {
    const found = await Promise.resolve(ask()).catch((error: unknown) => void (last = error))
    if (found !== undefined) return found
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
}

/** What was told so far, and who waits for more of it. */
export interface Heard<T> {
  items: T[]
  hear(item: T): void
  fail(error: unknown): void
  /** What is found among it, now or later; fails after a while, with what was told. */
  until<R>(what: string, find: (items: readonly T[]) => R | undefined): Promise<R>
}

export function hearing<T>(): Heard<T> {
  const items: T[] = []
  const looking = new Set<() => void>()
  let broken: { error: unknown } | null = null
  const look = (): void => looking.forEach((each) => each())
  return {
    items,
    hear(item) {
      items.push(item)
      look()
    },
    fail(error) {
      broken = { error }
      look()
    },
    until: (what, find) =>
      deadline(
        what,
        (done, fail) => {
          const each = (): void => {
            const found = find(items)
            if (found !== undefined) done(found)
            else if (broken) fail(broken.error)
          }
          looking.add(each)
          each()
          return () => void looking.delete(each)
        },
        20_000,
      ),
  }
}

export const isEnd = ({ type }: { type: string }): boolean => /^run\.(completed|failed|cancelled|compensated)$/.test(type)

/** Each event as it is: its number, and what it tells of which step. */
export const linesOf = (events: readonly RunEvent[]): string[] => events.map((event) => `${event.seq} ${event.type}${'nodeId' in event ? ` ${event.nodeId}` : ''}`)

/** Of who is told the events themselves. */
export const watchingEvents = (heard: Heard<RunEvent>, leave: () => void): Watching => ({
  paused: ({ run }) => heard.until(`a pause of ${run}`, (events) => events.find(({ type, subject }) => type === 'pause.opened' && subject.id === run)),
  whole: ({ run }) =>
    heard.until(`the end of ${run}`, (events) => {
      const mine = events.filter(({ subject }) => subject.id === run)
      return mine.some(isEnd) ? linesOf(mine) : undefined
    }),
  leave,
})

/** How the run stands after each of these events that says so, in the words of the core. Each once. */
export function passesOf(events: readonly RunEvent[]): string[] {
  const passed: string[] = []
  for (const { type } of events) {
    const status = standing[type]
    if (status !== undefined && status !== passed.at(-1)) passed.push(status)
  }
  return passed
}

const standing: Partial<Record<RunEvent['type'], string>> = {
  'run.queued': 'queued',
  'run.started': 'running',
  'run.waiting': 'waiting',
  'run.resumed': 'running',
  'run.held': 'held',
  'run.released': 'running',
  'run.cancelling': 'cancelling',
  'run.compensating': 'compensating',
  'run.completed': 'completed',
  'run.failed': 'failed',
  'run.cancelled': 'cancelled',
  'run.compensated': 'compensated',
}

/** Whether some of these lines are left when others are left out. Of what is sampled. */
export function isPartOf(some: readonly string[], all: readonly string[]): boolean {
  let at = 0
  for (const line of all) if (line === some[at]) at++
  return at === some.length
}

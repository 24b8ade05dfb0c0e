import type { Event, EventField, Json, PassedEvent, Where } from '@sluice/schema'
import { checkWhere } from '../store/conditions/check.ts'
import type { ListFields } from '../store/conditions/fields.ts'
import { predicate } from '../store/conditions/memory.ts'

/** An event as it is told, and the workflow whose run it is of. */
export interface Told {
  event: Event
  workflowId: string | null
}

/** Gives what of a page is wanted. */
export type Sieve = (told: readonly Told[]) => (Event | PassedEvent)[]

/** After so many events that were left out the consumer is told how far the stream is: it need not go through them again. */
const mostSilent = 100

/** Throws a Fault `input_invalid` before anything is streamed. Remembers how much it has left out: one a stream. */
export function createSieve(where: Where<EventField> | undefined): Sieve {
  if (where === undefined) return (told) => told.map(({ event }) => event)
  const fits = predicate(checkWhere(where, eventList), eventList)
  let silent = 0
  return (told) => {
    const given: (Event | PassedEvent)[] = []
    for (const each of told) {
      silent++
      if (!fits(each)) continue
      given.push(each.event)
      silent = 0
    }
    if (silent < mostSilent) return given
    silent = 0
    return [...given, { type: 'passed', cursor: told.at(-1)!.event.cursor }]
  }
}

const carried = (key: EventField) => ({
  type: 'text' as const,
  nullable: true,
  of({ event }: Told): Json {
    const fields: Readonly<Record<string, unknown>> = event
    const value = Object.hasOwn(fields, key) ? fields[key] : null
    return typeof value === 'string' ? value : null
  },
})

const subject = (kind: Event['subject']['kind']) => ({
  type: 'id' as const,
  nullable: true,
  of: ({ event }: Told): Json => (event.subject.kind === kind ? event.subject.id : null),
})

/** What an event does not carry is null. */
const eventList: ListFields<Told, EventField> = {
  id: 'seq',
  fields: {
    type: { type: 'text', of: ({ event }) => event.type },
    subject: { type: 'text', of: ({ event }) => event.subject.kind },
    runId: subject('run'),
    sessionId: subject('session'),
    workflowId: { type: 'id', nullable: true, of: ({ workflowId }) => workflowId },
    nodeId: carried('nodeId'),
    step: carried('step'),
    iteration: carried('iteration'),
    kind: carried('kind'),
    level: carried('level'),
    seq: { type: 'number', of: ({ event }) => event.seq },
    at: { type: 'time', of: ({ event }) => event.at },
  },
}

import type { Event, EventField, Json, Where } from '@sluice/schema'
import { checkWhere } from '../store/conditions/check.ts'
import type { ListFields } from '../store/conditions/fields.ts'
import { predicate } from '../store/conditions/memory.ts'

/** An event as it is told, and what decides to whom. */
export interface Told {
  event: Event
  /** The workflow whose run it is of. */
  workflowId: string | null
  /** Whom alone, beside admins, it may be told to. */
  owner: string | null
}

/** What of a log a stream tells. */
export interface Sieve {
  /** Sieves of the same key let the same through: what one has sifted is not sifted again. */
  key: string
  fits(told: Told): boolean
}

/** Of the events within a scope those that `where` asks for. Throws a Fault `input_invalid` before anything is streamed. */
export function createSieve(where: Where<EventField> | undefined, scope: Sieve = all): Sieve {
  if (where === undefined) return scope
  const asked = predicate(checkWhere(where, eventList), eventList)
  return { key: `${scope.key} ${JSON.stringify(where)}`, fits: (told) => scope.fits(told) && asked(told) }
}

const all: Sieve = { key: '', fits: () => true }

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

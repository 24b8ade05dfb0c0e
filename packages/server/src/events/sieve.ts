import type { Event, EventField, Json, Where } from '@sluice/schema'
import { checkWhere } from '../store/conditions/check.ts'
import type { ListFields } from '../store/conditions/fields.ts'
import { predicate } from '../store/conditions/memory.ts'
import { hasSeen, type Moment, type Place } from './place.ts'

/** An event as it is told, and what decides to whom. */
export interface Told {
  event: Event
  /** The workflow whose run it is of. */
  workflowId: string | null
  /** Whom alone, beside admins, it may be told to. */
  owner: string | null
}

/** An event at its place in the log. */
export interface Entry extends Told {
  place: Place
}

/** What of a log a stream tells. */
export interface Sieve {
  /** Sieves of the same key let the same through: what one has sifted is not sifted again. */
  key: string
  sift(entries: readonly Entry[]): Sifted
}

export interface Sifted {
  /** The same array for all with the same sieve. */
  events: readonly Event[]
  /** How many were left out since the last of them, or since the page began. */
  silence: number
  /** What the rest of the log is to be sifted with, where that has changed; `anew`: the stream begins again from a snapshot, and what is left of the page is in it. */
  next?: Sieve | 'anew'
}

/** What may be told, whatever came before. */
export interface Scope {
  key: string
  fits(told: Told): boolean
}

/** Of the events within a scope those that `where` asks for. Throws a Fault `input_invalid` before anything is streamed. */
export function createScope(where: Where<EventField> | undefined, scope: Scope = all): Scope {
  if (where === undefined) return scope
  const asked = predicate(checkWhere(where, eventList), eventList)
  return { key: `${scope.key} ${JSON.stringify(where)}`, fits: (told) => scope.fits(told) && asked(told) }
}

const all: Scope = { key: '', fits: () => true }

export const createSieve = (where: Where<EventField> | undefined, scope?: Scope): Sieve => sieveOf(createScope(where, scope))

const sieveOf = ({ key, fits }: Scope): Sieve => ({ key, sift: (entries) => sifted(entries, fits) })

function sifted(entries: readonly Entry[], fits: (entry: Entry) => boolean): Sifted {
  const events: Event[] = []
  let silence = 0
  for (const entry of entries) {
    silence++
    if (!fits(entry)) continue
    events.push(entry.event)
    silence = 0
  }
  return { events, silence }
}

/** Leaves out what a snapshot of this moment has shown, until nothing more of the log can be in it. */
export function unseen(sieve: Sieve, moment: Moment): Sieve {
  if (moment.least === moment.end) return sieve
  return {
    key: `${sieve.key} since ${moment.least}:${moment.end}:${[...moment.open].join()}`,
    sift(entries) {
      const { next = sieve, ...told } = sieve.sift(entries.filter(({ place }) => !hasSeen(moment, place.xid)))
      const isPast = entries.some(({ place }) => place.xid >= moment.end)
      return { ...told, next: next === 'anew' || isPast ? next : unseen(next, moment) }
    },
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

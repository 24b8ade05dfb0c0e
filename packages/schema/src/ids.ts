import { z } from 'zod'

/** The one id form of Sluice: 15 characters, time-ordered; opaque to everyone but `newId`. */
export const Id = z.string().regex(/^[a-z0-9]{15}$/, 'expected an id of 15 characters a-z, 0-9')

/** A workflow's unique name for machines. An id wins over a handle of the same spelling. */
export const Handle = z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'expected 1 to 100 characters of A-Z a-z 0-9 . _ -')

/** Names one workflow: its id or its handle. */
export const WorkflowRef = z.string().min(1).max(100).meta({ description: 'The id or the handle of a workflow' })

/** What is counted up is kept as an integer of 32 bits: no version, revision, line or event has a higher number. */
const mostCounted = 2_147_483_647

// Functions, so that documents have no words of their own for them.

/** The number of a version, or of the draft it was. */
export const ordinal = () => z.int().min(1).max(mostCounted)

/** The number of what is known already, 0 for nothing. */
export const knownUpTo = () => z.int().min(0).max(mostCounted)

/** The instants that there are, in milliseconds: of years with four digits. */
export const instants = { first: Date.parse('0001-01-01T00:00:00.000Z'), last: Date.parse('9999-12-31T23:59:59.999Z') } as const

/** An instant that a caller names, in any zone. */
export const instant = () =>
  z.iso.datetime({ offset: true }).refine((text) => Date.parse(text) >= instants.first && Date.parse(text) <= instants.last, 'expected a time of the years 1 to 9999')

/** An instant, ISO 8601 in UTC with milliseconds. */
export const Timestamp = z.string().meta({ format: 'date-time', examples: ['2026-01-31T12:00:00.000Z'] })

import { z } from 'zod'

/** The one id form of Sluice: 15 characters, time-ordered; opaque to everyone but `newId`. */
export const Id = z.string().regex(/^[a-z0-9]{15}$/, 'expected an id of 15 characters a-z, 0-9')

/** A workflow's unique name for machines. An id wins over a handle of the same spelling. */
export const Handle = z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'expected 1 to 100 characters of A-Z a-z 0-9 . _ -')

/** Names one workflow: its id or its handle. */
export const WorkflowRef = z.string().min(1).max(100).meta({ description: 'The id or the handle of a workflow' })

/** An instant, ISO 8601 in UTC with milliseconds. */
export const Timestamp = z.string().meta({ format: 'date-time', examples: ['2026-01-31T12:00:00.000Z'] })

import type { JsonObject } from '@sluice/schema'
import { pickFields } from './fields.ts'

/** What of an object is told, where `fields` ask for some of it. Throws a Fault `filter_invalid`. */
export const shownBy = (fields: string | undefined): ((value: JsonObject) => JsonObject) => (fields ? pickFields(fields) : (value) => value)

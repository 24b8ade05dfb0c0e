import { z } from 'zod'
import { Json } from './json.ts'

/** Why a step failed: an outcome, not a fault. `code` is the node's own (`http_503`, `timed_out` …). */
export const StepError = z.object({ code: z.string(), message: z.string(), details: Json.optional() })
export type StepError = z.infer<typeof StepError>

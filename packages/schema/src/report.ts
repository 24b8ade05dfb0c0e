import { z } from 'zod'
import { Id, WorkflowRef } from './ids.ts'
import { Json } from './json.ts'
import { StepError } from './step-error.ts'

/** Names the run of a report: by its id, or by its transaction id among the runs of a workflow. */
export const RunRef = z.union([z.strictObject({ id: Id }), z.strictObject({ workflow: WorkflowRef, transactionId: z.string().min(1).max(200) })])
export type RunRef = z.infer<typeof RunRef>

/** The outcome of an external step, told from outside. The same report again succeeds, a different one is a conflict. */
export const Report = z.strictObject({
  run: RunRef,
  step: z.string().min(1).max(200).meta({ description: 'The name or the node id of the step' }),
  iteration: z.string().max(200).optional(),
  phase: z.enum(['invoke', 'compensate']).default('invoke'),
  outcome: z.enum(['completed', 'failed']),
  output: Json.optional(),
  compensateInput: Json.optional(),
  error: StepError.optional(),
})
export type Report = z.infer<typeof Report>

export const SendSignal = z.strictObject({
  runId: Id,
  name: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\n]*$/, 'expected one line'),
  payload: Json.optional(),
  idempotencyKey: z.string().min(1).max(200).optional(),
})
export type SendSignal = z.infer<typeof SendSignal>

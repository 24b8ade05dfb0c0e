import { z } from 'zod'
import { Id, WorkflowRef } from './ids.ts'
import { Json } from './json.ts'
import { DecisionInclude } from './pause.ts'
import { Run, Step, Wait } from './run.ts'
import { StepError } from './step-error.ts'

/** Names the run of a report: by its id, or by its transaction id among the runs of a workflow. */
export const RunRef = z.union([
  z.strictObject({ id: Id }),
  z.strictObject({ workflow: WorkflowRef, transactionId: z.string().min(1).max(200).meta({ description: 'Of a run without one its own id' }) }),
])
export type RunRef = z.infer<typeof RunRef>

/** The outcome of an external step, told from outside. The same report again succeeds, a different one is a conflict. */
export const Report = z
  .strictObject({
    run: RunRef,
    step: z.string().min(1).max(200).meta({ description: 'The name or the node id of the step' }),
    iteration: z.string().max(200).optional(),
    phase: z.enum(['invoke', 'compensate']).default('invoke'),
    outcome: z.enum(['completed', 'failed']),
    output: Json.optional(),
    compensateInput: Json.optional(),
    error: StepError.optional(),
    wait: Wait.optional().meta({ description: 'How long to wait for the run before the answer; not at all unless set. The report is taken first' }),
    include: z.array(DecisionInclude).max(DecisionInclude.options.length).optional().meta({
      description:
        'What to tell with the step: the `run` as it stands after the report, or after the wait, and with it its `version`, `pauses`, `iterations`, `steps`, and `outputs` as a whole. A run asks for the permission `runs.read` as well, and what is told with it as where runs are read',
    }),
  })
  .refine(({ include = [] }) => include.length === 0 || include.includes('run'), { error: 'What is told of the run is told with the run', path: ['include'] })
export type Report = z.infer<typeof Report>

/** The step of a report, with its run when that was asked for. */
export const ReportedStep = Step.extend({ run: Run.optional().meta({ description: 'When it is included: the run as it stands after the report, or after the wait' }) })
export type ReportedStep = z.infer<typeof ReportedStep>

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

import { z } from 'zod'
import { type DialectRow, route } from '../../dialect.ts'
import { offsetOf, PausedWorkflowResponseSchema, PauseHistoryResponseSchema, PageQuery, ResumeRunRequestSchema, RunPath, RunResponseSchema } from '../contract.ts'
import * as examples from '../examples.ts'
import { idOr } from '../mapping/ids.ts'
import { decisionOf, pausedOf, pauseOf } from '../mapping/pause.ts'
import { listedWith, runOf } from '../mapping/run.ts'

const tags = ['pauses']

/** As many as a run is likely to have had. */
const whole = 1_000

const resumed = 'Task completed and workflow execution resumed automatically.'

/** Of PySpur's page "Workflow management" what is about people. */
export const pauseRows: readonly DialectRow[] = [
  route('runs.list', {
    name: 'listPausedWorkflows',
    method: 'GET',
    path: '/wf/paused_workflows/',
    summary: 'List runs that ask for a decision, newest first',
    description: 'Each with the newest of its open pauses, and the definition that it goes by: that of its version, whatever has become of the draft.',
    tags,
    query: PageQuery,
    reply: z.array(PausedWorkflowResponseSchema),
    example: { query: { page: 1, page_size: 10 }, reply: [{ run: examples.pausedRun, current_pause: examples.openPause, workflow: examples.definition }] },
    ask: ({ query }) => ({ paused: true, whole: true, offset: offsetOf(query), limit: query.page_size, ...listedWith }),
    answer: ({ items }, { now }) => items.flatMap((item) => pausedOf(item, now)),
  }),

  route('pauses.list', {
    name: 'getPauseHistory',
    method: 'GET',
    path: '/wf/pause_history/{run_id}/',
    summary: 'List the pauses of a run, newest first',
    description: `All of them, open and decided: who decided what, when, and why. At most the newest ${whole}.`,
    tags,
    params: RunPath,
    reply: z.array(PauseHistoryResponseSchema),
    faults: ['run_missing'],
    example: { path: examples.oneRun, reply: [examples.decidedPause] },
    ask: ({ path }) => ({ runId: idOr('run_missing', path.run_id), limit: whole }),
    answer: ({ items }) => items.map(pauseOf),
  }),

  route('pauses.decide', {
    name: 'processPauseAction',
    method: 'POST',
    path: '/wf/process_pause_action/{run_id}/',
    summary: 'Approve, decline or override',
    description: [
      '`APPROVE`: what came in goes on, with `inputs` laid over it. `OVERRIDE`: `inputs` go on in its place. `DECLINE`: the way behind it is not gone; where no link leaves from `declined`, the run ends as canceled.',
      'The run goes on by the version it was started with. With several pauses open, the id of one of them (`PH_…`, of the pause history) stands in place of the run’s.',
      'A pause is decided once: the same decision again is answered alike, another one is refused with who decided what. `user_id` is a name to show; who decides, the credential says.',
    ].join('\n\n'),
    tags,
    params: RunPath,
    body: ResumeRunRequestSchema,
    reply: RunResponseSchema,
    faults: ['run_missing', 'run_not_paused', 'pause_missing', 'pause_ambiguous', 'pause_decided'],
    example: { path: examples.oneRun, body: examples.decision, reply: { ...examples.run, message: resumed } },
    ask: ({ path, body }) => decisionOf(path.run_id, body),
    // Why a declined run ended, it says itself.
    answer: ({ run }, { now }, { body }) => runOf(run!, { now, ...(body.action !== 'DECLINE' && { message: resumed }) }),
  }),
]

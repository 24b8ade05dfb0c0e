import type { Json } from '@sluice/schema'
import { type Difference, nothing } from './compare.ts'

/** Where ours is not as Medusa's engine, and is meant to be so. What is not here, and yet is found, fails; and so does what is here and is found no more. */
export interface Agreed {
  /** In the words of the page: what theirs does, what ours does, and why. */
  medusa: string
  here: string
  because: string
  parts: readonly Part[]
}

/** `**` is any number of segments, `*` one, and, of a value, any. It is found in each of these flows, or, where none is named, in some. */
interface Part extends Difference {
  flows?: readonly string[]
}

const any = '*'
const at = (path: string, theirs: string, ours: string, flows?: readonly string[]): Part => ({ path, theirs, ours, ...(flows && { flows }) })

const whenFalse = ['when-false', 'when-false-failure']
const hooks = ['hook-free', 'hook-taken', 'hook-failure']
const nestedAtOnce = ['nested', 'nested-failing', 'nested-retrying', 'nested-retries-spent', 'nested-then-failure']
const nestedWaiting = ['nested-waiting', 'nested-waiting-failing']
const nestedFailing = ['nested-failing', 'nested-retries-spent', 'nested-waiting-failing']
const timedOut = ['step-timeout', 'step-timeout-waiting', 'step-timeout-continued', 'timeout']
const cutOff = ['cancelled', 'reported-beside-failure']

/** The text of the response in which its server wraps what is reported. */
const reportedAs = (value: Json): string => JSON.stringify(JSON.stringify({ __type: 'Symbol(WorkflowStepResponse)', output: value, compensateInput: value }))

export const agreed: readonly Agreed[] = [
  {
    medusa: 'A step that a condition passes over begins, and counts an attempt',
    here: 'neither',
    because: 'nothing was tried',
    parts: [
      at('**/steps/*/attempts', '1', '0', whenFalse),
      at('**/steps/*/lastAttempt', '"a time"', 'null', whenFalse),
      at('**/steps/*/startedAt', '"a time"', nothing, whenFalse),
      at('events', 'onStepBegin b, onStepBegin c', nothing, whenFalse),
    ],
  },
  {
    medusa: 'What nothing undoes is `reverted` / `idle`, as soon as what comes after it is undone',
    here: '`reverted` / `ok`, with the end of the execution',
    because: 'it is as settled as the rest, and nothing of it is to be waited for',
    parts: [
      at('**/steps/*/compensate/status', '"idle"', '"ok"'),
      at('undoing/**/compensate/state', '"reverted"', '"dormant"', ['undoing-reported']),
      at('undoing/**/stepFailed', 'true', 'false', ['undoing-reported']),
      at('undoing/**/failures', '0', '1', ['undoing-reported']),
      at('undoing/**/hasRevertedSteps', 'true', 'false', ['undoing-reported']),
    ],
  },
  {
    medusa: 'The failure of a step that may fail (`continueOnPermanentFailure`, `skipOnPermanentFailure`) is the answer of `run`',
    here: 'an acknowledgement: the execution is done',
    because: 'nobody has to do anything about it',
    parts: [at('answers', '{"error":"broken"}', '{"hasFinished":true,"hasFailed":false}', ['continued', 'skipped', 'skipped-to'])],
  },
  {
    medusa: 'While one step fails, those beside it that wait for a report are waited for, and undone after it',
    here: 'they are closed at once, as nobody may report on them any more, and undone like what was cut off: without an output',
    because: 'an execution that has failed is not kept open by somebody who may never come',
    parts: [
      at('failed/state', '"waiting_to_compensate"', '"reverted"', ['reported-beside-failure']),
      at('failed/**', any, any, ['reported-beside-failure']),
      at('end/**/invoke/state', '"done"', '"dormant"', cutOff),
      at('end/**/invoke/status', '"ok"', '"idle"', cutOff),
      at('end/context/data/invoke/*', any, nothing, cutOff),
      at('answers', any, '"Cannot set step success when status is ok"', cutOff),
      at('calls', 'compensate c#1 {"c":1}', 'compensate c#1', ['reported-beside-failure']),
      at('events', 'onStepSuccess c, onResume', nothing, ['reported-beside-failure']),
    ],
  },
  {
    medusa: 'An execution that is cancelled waits for the reports that are open before it is undone',
    here: 'it is undone at once',
    because: 'a cancel is not kept up by what it cancels',
    parts: [
      at('cancelled/state', '"waiting_to_compensate"', '"reverted"', ['cancelled']),
      at('cancelled/**', any, any, ['cancelled']),
      at('calls', 'compensate pay#1 {"paid":7}', 'compensate pay#1', ['cancelled']),
      at('events', 'onResume, onStepSuccess pay', nothing, ['cancelled']),
    ],
  },
  {
    medusa: 'A step that is not async is let run although its time is up, and counts as done and as timed out',
    here: 'its attempt is told to abort, and what it still gives is refused',
    because: 'a time-out is a failed attempt, and its outcome is one',
    parts: [
      at('calls', 'compensate b#1 {"by":"b"}', 'compensate b#1', ['step-timeout']),
      at('events', 'onStepSuccess b', nothing, ['step-timeout']),
      at('end/context/data/invoke/b', any, nothing, ['step-timeout']),
    ],
  },
  {
    medusa: 'Of an error of time its name is kept, and no message',
    here: 'the message and the stack too',
    because: 'who reads of it wants to know whose time it was',
    parts: [
      at('**/errors/0/error/message', nothing, any, timedOut),
      at('**/errors/0/error/stack', nothing, '"a text"', timedOut),
      at('answers', '{"error":""}', '{"error":"The attempt took longer than 100 ms"}', ['step-timeout']),
    ],
  },
  {
    medusa: 'Errors have no code but one of their own',
    here: '`timed_out`, `reported_failure` or `child_failed` where nothing was thrown',
    because: 'a client can tell them apart',
    parts: [at('**/errors/0/error/code', nothing, any, [...timedOut, 'report-of-failure', 'reported-beside-failure', ...nestedFailing])],
  },
  {
    medusa: 'A failure that is reported is the JSON of the whole response as the message, and has no name',
    here: 'the message that was sent, beside it what else was sent, and the name `Error`',
    because: 'it is read by people',
    parts: [
      at('end/**/errors/0/error/message', reportedAs({ message: 'no money', left: 2 }), '"no money"', ['report-of-failure']),
      at('end/**/errors/0/error/message', reportedAs({ message: 'no' }), '"no"', ['reported-beside-failure']),
      at('**/errors/0/error/name', nothing, '"Error"', ['report-of-failure', 'reported-beside-failure']),
      at('**/errors/0/error/left', nothing, '2', ['report-of-failure']),
    ],
  },
  {
    medusa: 'The `compensate_input` of a report is kept, and undoing gets the `response`',
    here: 'undoing gets what was sent for it',
    because: 'it was sent for it',
    parts: [at('calls', 'compensate pay#1 {"paid":7}', 'compensate pay#1 {"refund":7}', ['reported-then-failure'])],
  },
  {
    medusa: 'A report is answered with the error of a later step, and one of an undoing with that of the failure before',
    here: 'with success',
    because: 'the report was taken',
    parts: [at('answers', '"broken"', '"success"', ['reported-then-failure']), at('answers', any, '{"hasFinished":false,"hasFailed":false}, "success"', ['undoing-reported'])],
  },
  {
    medusa: 'The same report twice is refused; of an execution that has ended it is a 404; one on the wrong side is an "Incorrect action type."',
    here: 'the same succeeds; any other is refused with the status of the step',
    because: 'a lost answer may be asked for again, and the caller can act on it',
    parts: [
      at('answers', '"Transaction order-42 could not be found.", "Transaction order-42 could not be found."', '"Cannot set step failure when status is ok", "success"', [
        'reported',
      ]),
      at(
        'answers',
        '"Incorrect action type.", "success", "Cannot set step success when status is ok"',
        '"Cannot set step success when status is waiting_response", "success", "success"',
        ['report-repeated'],
      ),
    ],
  },
  {
    medusa: 'What is reported of an undoing is kept with the mark of a response',
    here: 'as what any undoing gives',
    because: 'it is read in one way',
    parts: [at('end/context/data/compensate/b/*', any, nothing, ['undoing-reported'])],
  },
  {
    medusa: 'That an undoing waits for a report is an event',
    here: 'the execution tells it',
    because: 'in the log of events an undoing has begun, and ends',
    parts: [at('events', 'onStepAwaiting b, onResume', nothing, ['undoing-reported'])],
  },
  {
    medusa: '`run` is answered while an async step goes on by itself, and so does not tell of its failure',
    here: 'it is answered when nothing goes on by itself any more',
    because: 'who starts it learns what has come of it',
    parts: [
      at('answers', any, '{"hasFinished":true,"hasFailed":false}', ['background', 'nested-waiting']),
      at('answers', any, '{"error":"broken"}', ['background-failure', 'nested-waiting-failing']),
    ],
  },
  {
    medusa: 'An async step that ends by itself is told as `backgroundExecution` of its definition from then on',
    here: 'its definition does not change',
    because: 'it is that of the version, for all of its executions',
    parts: [at('end/**/definition/backgroundExecution', 'true', nothing, ['background'])],
  },
  {
    medusa: 'onResume is told whenever the engine looks at an execution again: when an async step has ended by itself, at each reminder, and when it is started once more',
    here: 'when somebody has answered, or the time of the next attempt has come',
    because: 'an event is something that has happened',
    parts: [at('events', 'onResume', nothing, ['background', 'background-failure', 'reminded', 'run-while-waiting'])],
  },
  {
    medusa: 'The end of an execution that is idempotent is told again when it is started again',
    here: 'once',
    because: 'it has ended once',
    parts: [at('events', 'onFinish', nothing, ['idempotent'])],
  },
  {
    medusa: 'A stream of a transaction goes on with the next execution that has its id',
    here: 'it ends after onFinish',
    because: 'an end can be told from silence; who wants all executions follows the workflow',
    parts: [at('events', 'onBegin, onStepBegin a, onStepSuccess a, onStepBegin b, onStepSuccess b, onFinish', nothing, ['run-again'])],
  },
  {
    medusa: 'A hook is told as undone with its execution, also where nobody gave it an undoing',
    here: 'it is `noCompensation` unless somebody gives an undoing',
    because: 'nothing is called, and so nothing is told',
    parts: [
      at('**/noCompensation', 'false', 'true', hooks),
      at('**/data/compensate/made', '{}', nothing, ['hook-failure']),
      at('events', 'onStepBegin made, onCompensateStepSuccess made', nothing, ['hook-failure']),
    ],
  },
  {
    medusa: 'A hook that nobody took up gives an empty response',
    here: 'null',
    because: 'what a step gives is a value',
    parts: [at('**/invoke/made/output/output', nothing, 'null', ['hook-free']), at('**/invoke/made/output/compensateInput', nothing, 'null', ['hook-free'])],
  },
  {
    medusa: 'A nested workflow is told by whether it has async steps: `async` and `nested`, both true or both false',
    here: 'it is `nested`',
    because: 'that depends on a version of its own, and whether it waits its own execution tells',
    parts: [
      at('**/definition/**/async', 'false', nothing, nestedAtOnce),
      at('**/definition/**/nested', 'false', 'true', nestedAtOnce),
      at('**/definition/**/async', 'true', nothing, nestedWaiting),
      at('**/definition/store', 'true', 'false', nestedWaiting),
      at('**/hasAsyncSteps', 'true', 'false', nestedWaiting),
      at('events', 'onStepAwaiting nested-waiting-child-as-step, onResume', nothing, ['nested-waiting']),
    ],
  },
  {
    medusa: 'When its parent is undone, an ended nested workflow is undone from within',
    here: 'by the `compensate` that its parent gives it',
    because: 'what has ended is not reopened, and a terminal state never changes',
    parts: [
      at('**/noCompensation', 'false', 'true', [...nestedAtOnce, ...nestedWaiting]),
      at('calls', 'compensate in-a#1 {"by":"in-a"}', nothing, ['nested-then-failure']),
      at('**/data/compensate/nested-then-failure-child-as-step', '{}', nothing, ['nested-then-failure']),
      at('events', 'onStepBegin nested-then-failure-child-as-step, onCompensateStepSuccess nested-then-failure-child-as-step', nothing, ['nested-then-failure']),
    ],
  },
  {
    medusa: 'A nested workflow leaves its whole transaction for its undoing; with async steps what it gave stands in the context without marks',
    here: 'what it gave, as of any step',
    because: 'what it is, its own execution tells',
    parts: [
      at('**/output/compensateInput/**', any, any, ['nested', 'nested-retrying', 'nested-then-failure']),
      at('**/invoke/nested-waiting-child-as-step/*', any, any, ['nested-waiting']),
    ],
  },
  {
    medusa: 'A nested workflow that failed cannot be found when it is to be undone, so that its parent ends `failed`',
    here: '`reverted`',
    because: 'it has been undone by itself, and nothing is left to be done',
    parts: [
      at('end/state', '"failed"', '"reverted"', nestedFailing),
      at('end/execution/state', '"failed"', '"reverted"', nestedFailing),
      at('**/compensate/state', '"failed"', '"reverted"', nestedFailing),
      at('**/compensate/status', '"permanent_failure"', '"ok"', nestedFailing),
      at('**/failures', '1', '0', nestedFailing),
      at('**/errors/1', any, nothing, nestedFailing),
      ...['nested-failing', 'nested-retries-spent'].map((flow) =>
        at('events', `onStepBegin ${flow}-child-as-step, onCompensateStepFailure ${flow}-child-as-step`, nothing, [flow]),
      ),
      at(
        'events',
        [
          'onStepAwaiting nested-waiting-failing-child-as-step, onResume, onStepFailure nested-waiting-failing-child-as-step',
          'onCompensateBegin, onStepBegin nested-waiting-failing-child-as-step, onCompensateStepFailure nested-waiting-failing-child-as-step',
        ].join(', '),
        'onStepFailure nested-waiting-failing-child-as-step, onCompensateBegin',
        ['nested-waiting-failing'],
      ),
    ],
  },
  {
    medusa: 'The error of a nested workflow is its first one, or, with async steps, the JSON of all of them as the message',
    here: 'the message of what failed in it, with the id of its run',
    because: 'it is read by people, and leads to the rest',
    parts: [
      at('**/errors/0/error/message', any, '"broken"', ['nested-waiting-failing']),
      at('**/errors/0/error/name', nothing, '"Error"', ['nested-waiting-failing']),
      at('**/errors/0/error/reason', nothing, '"step_failed"', nestedFailing),
      at('**/errors/0/error/runId', nothing, '"an id"', nestedFailing),
    ],
  },
  {
    medusa: '`_v` counts what was merged of what several wrote at once',
    here: '0',
    because: 'an execution is written by one at a time',
    parts: [at('**/execution/_v', any, '0', ['reported-two', 'reported-five', 'reminded']), at('**/steps/*/_v', any, '0', ['reported-two', 'reported-five', 'reminded'])],
  },
  {
    medusa: '`metadata.sourcePath` says in which file a workflow stands',
    here: 'it is not there',
    because: "files of the server are nobody's business outside",
    parts: [at('**/metadata/sourcePath', '"a text"', nothing)],
  },
  {
    medusa: '`compensate` of the context stands in `data`',
    here: 'beside it, too',
    because: 'there the document has it',
    parts: [at('*/context/compensate', nothing, any)],
  },
]

// ── which of them a difference is ──────────────────────────────────────────────────────────────────────────────────────

export const isOf = (part: Part, flow: string, { path, theirs, ours }: Difference): boolean =>
  (part.flows?.includes(flow) ?? true) && fits(part.path, path) && [any, theirs].includes(part.theirs) && [any, ours].includes(part.ours)

const shapes = new Map<string, RegExp>()

function fits(pattern: string, path: string): boolean {
  const shape = shapes.get(pattern) ?? new RegExp(`^${pattern.split('/').map(segment).join('').replace(/^\//, '/?')}$`)
  shapes.set(pattern, shape)
  return shape.test(`/${path}`)
}

const segment = (text: string): string => (text === '**' ? '(?:/[^/]+)*' : `/${text === '*' ? '[^/]+' : text.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`)}`)

/** As the page on this dialect has them. */
export const table = (): string => ['| Medusa | here | because |', '|---|---|---|', ...agreed.map(({ medusa, here, because }) => `| ${medusa} | ${here} | ${because} |`)].join('\n')

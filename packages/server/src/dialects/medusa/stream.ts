import { z } from 'zod'
import { type DialectStream, type Seen, stream, type StreamMessage } from '../dialect.ts'
import { TransactionPath, WorkflowPath } from './contract.ts'
import { transactionRef, workflowRef } from './mapping/ids.ts'
import { messagesOf, tells, type WorkflowEvent } from './messages.ts'

/** Where subscribers are told of executions. What they connect again with is an id that messages have here and had not in Medusa. */

const framed = (messages: readonly WorkflowEvent[]): StreamMessage[] => messages.map((data) => ({ event: data.event_type, data }))

const StepPath = z.object({ ...TransactionPath.shape, step_id: z.string().meta({ description: 'The name of the step, or its id among the steps of an execution' }) })

const transaction = ({ workflow_id, transaction_id }: z.output<typeof TransactionPath>, seen: Seen | null) => ({
  workflow: workflowRef(workflow_id),
  transactionId: transactionRef(transaction_id),
  ...(seen && { runId: seen.subjectId, lastEventId: seen.cursor }),
})

const ofOne =
  'An execution that has not begun yet is waited for: who brings a `transaction_id` of their own subscribes first. The stream ends after `onFinish`, which of one that is over already is all that is told.'

const tags = ['workflows executions']

export const streams: readonly DialectStream[] = [
  stream({
    name: 'GetWorkflowsExecutionsWorkflow_idSubscribe',
    path: '/admin/workflows-executions/{workflow_id}/subscribe',
    summary: "Subscribe to a Workflow's Execution",
    description: 'What happens in all executions of the workflow from now on. The stream has no end.',
    tags,
    params: WorkflowPath,
    faults: ['workflow_missing'],
    ask: ({ path }, seen) => ({ workflow: workflowRef(path.workflow_id), ...(seen && { lastEventId: seen.cursor }) }),
    tells,
    messages: (item, passage) => framed(messagesOf(item, passage)),
  }),
  stream({
    name: 'GetWorkflowsExecutionsWorkflow_idTransaction_idSubscribe',
    path: '/admin/workflows-executions/{workflow_id}/{transaction_id}/subscribe',
    summary: 'Subscribe to one execution of a workflow',
    description: ofOne,
    tags,
    extension: true,
    params: TransactionPath,
    faults: ['workflow_missing', 'run_missing'],
    ask: ({ path }, seen) => transaction(path, seen),
    tells,
    messages: (item, passage) => framed(messagesOf(item, passage)),
  }),
  stream({
    name: 'GetWorkflowsExecutionsWorkflow_idTransaction_idStep_idSubscribe',
    path: '/admin/workflows-executions/{workflow_id}/{transaction_id}/{step_id}/subscribe',
    summary: "Subscribe to Step of a Workflow's Execution",
    description: `What happens to one step, and \`onFinish\`. ${ofOne}`,
    tags,
    params: StepPath,
    faults: ['workflow_missing', 'run_missing'],
    ask: ({ path }, seen) => transaction(path, seen),
    tells,
    messages: (item, passage, { path }) => framed(messagesOf(item, passage, path.step_id)),
  }),
]

import type { Json } from '@sluice/schema'
import { framesOf, type Scene, type World } from '../executing.ts'
import { elsewhere, elsewhereHeld, full, general, outages } from './refusals.ts'

const conversation = 'wf_01k2v9m4w7qz8ba'
const message = 'msg_01k2v9n0b4xwt7c'
const file = 'file_01k2v9kz3r5t8ha'
const table = { file: { file: 'region,sales\nnorth,12\n', name: 'sales.csv', type: 'text/csv' } }

async function uploaded(world: World): Promise<void> {
  const { id } = await world.say('uploadFile', () => ({ content: 'multipart/form-data', body: table }))
  world.real.set(file, id)
}

async function started(world: World): Promise<void> {
  await uploaded(world)
  const { id, messageId } = await world.say('startWorkflow')
  world.real.set(conversation, id)
  world.real.set(message, messageId)
}

/** A conversation whose round is over. */
async function answered(world: World): Promise<void> {
  await started(world)
  const end = Date.now() + 30_000
  while ((await world.say('getWorkflowStatus')).status === 'running') {
    if (Date.now() > end) throw new Error('no answer within 30 s')
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

export const playground: Scene = {
  dialect: 'playground',
  begin: started,
  steps: [
    { operation: 'uploadFile', form: table },
    { operation: 'startWorkflow', ready: uploaded },
    { operation: 'getWorkflow', ready: answered },
    { operation: 'listWorkflows' },
    { operation: 'getWorkflowStatus' },
    { operation: 'getChatData' },
    { operation: 'getWorkflowMessages' },
    { operation: 'getWorkflowLogs' },
    { operation: 'updateWorkflow' },
    {
      operation: 'followWorkflow',
      path: { workflowId: conversation },
      ready: answered,
      async stream(_, open) {
        const told: [string, Json][] = []
        for await (const frame of framesOf(await open())) {
          told.push(frame)
          // The last of a round.
          if (frame[0] === 'stat') break
        }
        return told
      },
    },
    { operation: 'stopWorkflow', ready: started },
    { operation: 'deleteFileFromMessage' },
    { operation: 'deleteMessage' },
    { operation: 'deleteWorkflow' },
  ],
  refusals: {
    ...general,
    input_invalid: ({ query }) => ({ query: { ...query, '\u0000': 'x' } }),
    session_missing: elsewhere('workflowId'),
    line_missing: elsewhere('messageId'),
    file_missing: ({ body }) => ({ body: { ...(body as object), files: [{ id: 'file_01k2v9absent000', name: 'sales.csv' }] } }),
  },
  apart: [
    { at: '**.currentStep', because: 'is null while nothing is done', sometimes: true },
    { at: '**.logIds[]', because: 'nothing has been logged at the beginning', sometimes: true },
    { operations: ['stopWorkflow'], at: 'stoppedAt', because: 'it may have ended by itself before', sometimes: true },
    { operations: ['getChatData'], at: 'messages[]', because: 'all is later than the moment of the example, the messages, too' },
    { operations: ['followWorkflow'], at: 'unit', because: 'a number of steps has none', sometimes: true },
    { operations: ['followWorkflow'], at: 'files[]', because: 'the answer has none' },
    { operations: ['getChatData'], at: 'stats[].unit', because: 'a number of steps has none' },
    { operations: ['getWorkflowMessages'], at: '[].files[]', because: 'the answer has none' },
    { operations: ['getWorkflowMessages'], at: '[].metadata', because: 'is free JSON', sometimes: true },
  ],
  unreached: [
    ...outages,
    full,
    { code: 'deleted', operations: ['followWorkflow'], because: 'nobody deletes it meanwhile: test/dialects/playground/events.test.ts does' },
    { code: 'token', operations: ['followWorkflow'], because: 'the model that is built in says all at once' },
    ...elsewhereHeld('test/dialects/playground', 'cursor_invalid', 'workflow_missing', 'definition_invalid', 'idempotency_conflict', 'lane_full', 'files_full', 'file_too_large'),
  ],
}

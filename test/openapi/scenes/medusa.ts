import { defineWorkflow, done, type Flow } from '@sluice/server'
import type { Scene, World } from '../executing.ts'
import { elsewhere, elsewhereHeld, full, general, outages } from './refusals.ts'

/** The order of the examples, whose shipment is reported by the carrier. */
export const order = defineWorkflow('order', { retainForSeconds: 2_592_000 }, (w: Flow<{ customer: string; amount: number }>) => {
  w.step('charge', { invoke: () => done({ payment: 'p_1' }, { payment: 'p_1' }), compensate: () => {} })
  w.step('ship', { async: true, invoke: () => {} })
})

let orders = 0
/** An order that waits for its carrier. */
async function ordered(world: World): Promise<void> {
  world.real.set('order-42', `order-${++orders}`)
  await world.say('PostWorkflowsExecutionsWorkflow_idRun')
  const { workflow_execution } = await world.say('GetWorkflowsExecutionsWorkflow_idTransaction_id')
  world.real.set('wf_exec_01k2v9n0b4xwt7c', workflow_execution.id)
  await world.server.wait(workflow_execution.execution.runId, 'parked')
}

export const medusa: Scene = {
  dialect: 'medusa',
  begin: ordered,
  steps: [
    { operation: 'GetWorkflowsExecutions', ready: ordered },
    { operation: 'GetWorkflowsExecutionsId' },
    { operation: 'GetWorkflowsExecutionsWorkflow_idTransaction_id' },
    { operation: 'PostWorkflowsExecutionsWorkflow_idStepsSuccess' },
    { operation: 'PostWorkflowsExecutionsWorkflow_idStepsFailure', ready: ordered },
    { operation: 'PostWorkflowsExecutionsWorkflow_idRun', ready: async ({ real }) => void real.set('order-42', `order-${++orders}`) },
    { operation: 'PostActor_typeAuth_provider' },
    { operation: 'PostSession' },
    { operation: 'PostAdminAuthTokenRefresh' },
    { operation: 'GetUsersMe' },
    // It ends the session of whom all this is asked.
    { operation: 'DeleteSession' },
  ],
  refusals: {
    ...general,
    permission_denied: (_, { powerless }) => ({ token: '', headers: { authorization: `Basic ${powerless}` } }),
    input_invalid: ({ query }) => ({ query: { ...query, '\u0000': 'x' } }),
    workflow_missing: elsewhere('workflow_id'),
    run_missing: (asked, world, operation) =>
      'transaction_id' in asked.path || 'id' in asked.path ? elsewhere('transaction_id', 'id')(asked, world, operation) : elsewhere('transaction_id')(asked, world, operation),
    step_missing: ({ body }) => ({ body: { ...(body as object), step_id: 'another' } }),
    login_failed: ({ body }) => ({ body: { ...(body as object), password: 'another' } }),
  },
  apart: [],
  unreached: [
    ...outages,
    full,
    { code: '', operations: ['PostActor_typeAuth_provider_register'], because: 'has no example: it only ever refuses' },
    ...['', 'Transaction_id', 'Transaction_idStep_id'].map((of) => ({
      code: '',
      operations: [`GetWorkflowsExecutionsWorkflow_id${of}Subscribe`],
      because: 'is a stream: test/dialects/medusa/stream.test.ts holds its events',
    })),
    ...elsewhereHeld('test/dialects/medusa', 'limit_exceeded', 'step_ambiguous', 'step_not_waiting', 'report_conflict'),
  ],
}

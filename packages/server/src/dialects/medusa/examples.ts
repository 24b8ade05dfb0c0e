/** What the document shows. An order, whose shipment is reported by the carrier. */

export const transaction = { workflow_id: 'order', transaction_id: 'order-42' }

export const input = { customer: 'c_42', amount: 1250 }

export const acknowledgement = { transactionId: transaction.transaction_id, workflowId: transaction.workflow_id, hasFinished: false, hasFailed: false }

export const success = { transaction_id: transaction.transaction_id, step_id: 'ship', response: { parcel: 'p_7' } }
export const failure = { transaction_id: transaction.transaction_id, step_id: 'ship', response: { message: 'The parcel was lost' } }

const uuids = { charge: '01K2V9M3H58ZQ3T4W5X6Y7Z8AB', ship: '01K2V9M3H5C1D2E3F4G5H6J7KM' }
const state = { stepFailed: false, saveResponse: true, compensate: { state: 'dormant' as const, status: 'idle' as const }, attempts: 1, failures: 0, _v: 0 }
const charge = { action: 'charge', uuid: uuids.charge, noCompensation: false }
const ship = { action: 'ship', name: 'ship', async: true as const, uuid: uuids.ship, noCompensation: true }

export const execution = {
  id: 'wf_exec_01k2v9n0b4xwt7c',
  ...transaction,
  context: {
    data: {
      payload: input,
      invoke: {
        charge: { __type: 'Symbol(WorkflowWorkflowData)', output: { __type: 'Symbol(WorkflowStepResponse)', output: { payment: 'p_1' }, compensateInput: { payment: 'p_1' } } },
      },
      compensate: {},
    },
    compensate: {},
    errors: [],
  },
  execution: {
    modelId: 'order',
    options: { name: 'order', retentionTime: 2_592_000, store: true as const },
    transactionId: transaction.transaction_id,
    runId: '01k2v9n0b4xwt7c',
    metadata: { eventGroupId: '01k2v9n0b4xwt7c' },
    hasAsyncSteps: true,
    hasFailedSteps: false,
    hasSkippedOnFailureSteps: false,
    hasSkippedSteps: false,
    hasWaitingSteps: true,
    hasRevertedSteps: false,
    timedOutAt: null,
    startedAt: 1_769_860_805_250,
    state: 'invoking' as const,
    definition: { ...charge, next: ship },
    steps: {
      _root: { id: '_root' as const, next: ['_root.charge'] },
      '_root.charge': {
        ...state,
        id: '_root.charge',
        uuid: uuids.charge,
        depth: 1,
        definition: { ...charge, store: false },
        invoke: { state: 'done' as const, status: 'ok' as const },
        lastAttempt: 1_769_860_805_260,
        next: ['_root.charge.ship'],
        startedAt: 1_769_860_805_260,
      },
      '_root.charge.ship': {
        ...state,
        id: '_root.charge.ship',
        uuid: uuids.ship,
        depth: 2,
        definition: { ...ship, store: true },
        invoke: { state: 'invoking' as const, status: 'waiting_response' as const },
        lastAttempt: 1_769_860_805_300,
        next: [],
        startedAt: 1_769_860_805_300,
      },
    },
    _v: 0,
  },
  state: 'invoking' as const,
  created_at: '2026-01-31T12:00:05.250Z',
  updated_at: '2026-01-31T12:00:05.300Z',
  deleted_at: null,
}

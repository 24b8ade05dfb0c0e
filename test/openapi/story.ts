import type { Definition } from '@sluice/schema'
import { admin } from '../support/server.ts'

/** What has been answered so far, the newest answer of each operation. */
// oxlint-disable-next-line typescript/no-explicit-any -- a story looks where it knows something to be
export type Told = Record<string, any>

/** An operation by its id, with all that it takes: path, query and body alike. */
export interface Chapter {
  id: string
  input(told: Told): object
  /** How many items of a long list an example shows. */
  show?: number
  /** What is answered depends on who is faster: its recording is kept, and is held against the schema alone. */
  races?: true
}

const definition: Definition = {
  kind: 'workflow',
  nodes: [
    {
      id: 'order',
      type: 'input',
      config: { schema: { type: 'object', required: ['customer', 'amount'], properties: { customer: { type: 'string' }, amount: { type: 'number' } } } },
    },
    { id: 'approval', type: 'human', config: { kind: 'approval', message: 'Charge {{ input.amount }} to {{ input.customer }}?' } },
    { id: 'shipping', type: 'external' },
    { id: 'paid', type: 'signal', config: { name: 'paid' } },
    { id: 'receipt', type: 'output', config: { map: { charged: '{{ nodes.paid.amount }}' } } },
  ],
  links: [
    { source: 'order', target: 'approval' },
    { source: 'approval', target: 'shipping' },
    { source: 'shipping', target: 'paid' },
    { source: 'paid', target: 'receipt' },
  ],
}

const rates: Definition = {
  kind: 'workflow',
  nodes: [{ id: 'fetch', type: 'code', config: { source: "throw new Error('no rates yet')" }, settings: { retry: { maxAttempts: 5, backoffMs: 3_600_000, jitter: 0 } } }],
  links: [],
}

const helpdesk: Definition = {
  kind: 'chatbot',
  nodes: [
    { id: 'message', type: 'input' },
    { id: 'which', type: 'human', config: { kind: 'question', message: 'Which invoice is it?' } },
    { id: 'answer', type: 'template', config: { text: 'We look into {{ nodes.which.text }}' } },
  ],
  links: [
    { source: 'message', target: 'which' },
    { source: 'which', target: 'answer' },
  ],
}

/** An order comes in, somebody approves, a parcel is sent, money arrives: once, each operation of the API has its place in it. */
export const story: readonly Chapter[] = [
  { id: 'auth.login', input: () => ({ email: admin.email, password: admin.password }) },
  { id: 'auth.me', input: () => ({}) },
  { id: 'auth.renew', input: () => ({ forSeconds: 36_000 }) },
  { id: 'auth.ticket', input: () => ({}) },
  { id: 'nodeTypes.list', input: () => ({}), show: 2 },
  { id: 'nodeTypes.get', input: () => ({ type: 'delay' }) },
  { id: 'nodeTypes.options', input: () => ({ type: 'router', field: 'mode', values: {} }) },
  { id: 'nodeTypes.try', input: () => ({ type: 'counter', config: { from: 1, to: '{{ data.last }}' }, data: { last: 3 }, session: 'tab-1' }) },
  { id: 'nodeTypes.forget', input: () => ({ type: 'counter', session: 'tab-1' }) },
  { id: 'secrets.set', input: () => ({ name: 'stripe', value: 'rk_example' }) },
  { id: 'secrets.list', input: () => ({ limit: 20 }) },
  { id: 'model.set', input: () => ({ url: 'https://api.example.com/v1', model: 'large-1', key: 'sk-example' }) },
  { id: 'model.get', input: () => ({}) },
  { id: 'model.remove', input: () => ({}) },
  { id: 'queues.put', input: () => ({ queue: 'refunds' }) },
  { id: 'queues.push', input: () => ({ queue: 'refunds', items: [{ customer: 'c_7', amount: 80 }], idempotencyKey: 'refund_3' }) },
  { id: 'queues.list', input: () => ({ limit: 20 }) },
  { id: 'queues.get', input: () => ({ queue: 'refunds' }) },
  { id: 'queues.items', input: () => ({ queue: 'refunds', status: 'waiting', limit: 20 }) },
  { id: 'queues.item', input: (told) => ({ queue: 'refunds', id: told['queues.push'].ids[0] }) },
  { id: 'queues.retry', input: () => ({ queue: 'refunds' }) },
  { id: 'queues.delete', input: () => ({ queue: 'refunds' }) },

  { id: 'workflows.create', input: () => ({ name: 'Invoice', description: 'Charges a customer, once', definition }) },
  { id: 'workflows.list', input: () => ({ limit: 20, count: true }) },
  { id: 'workflows.get', input: () => ({ workflow: 'invoice' }) },
  { id: 'workflows.update', input: () => ({ workflow: 'invoice', description: 'Charges a customer, once, after somebody agreed' }) },
  {
    id: 'workflows.edit',
    input: (told) => ({
      workflow: 'invoice',
      operations: [
        { op: 'moveNode', nodeId: 'order', position: { x: 40, y: 80 } },
        { op: 'setConfig', nodeId: 'approval', config: { kind: 'approval', message: 'Charge {{ input.amount }} to {{ input.customer }}?', expiresInMs: 604_800_000 } },
      ],
      revision: told['workflows.update'].revision,
    }),
  },
  { id: 'workflows.outputs', input: () => ({ workflow: 'invoice', of: 'leaves' }) },
  {
    id: 'workflows.try',
    input: () => ({ workflow: 'invoice', nodeId: 'receipt', outputs: { paid: { amount: 1250 } }, save: true }),
  },
  { id: 'workflows.node', input: () => ({ workflow: 'invoice', nodeId: 'receipt' }) },
  { id: 'nodeFiles.add', input: () => ({ workflow: 'invoice', nodeId: 'receipt', key: 'letterhead', file: ['Acme Inc.\n'] }) },
  { id: 'nodeFiles.list', input: () => ({ workflow: 'invoice', nodeId: 'receipt', limit: 20 }) },
  {
    id: 'nodeFiles.change',
    input: (told) => ({ workflow: 'invoice', nodeId: 'receipt', id: told['nodeFiles.add'].id, key: 'letterhead', file: ['Acme Corporation\n'] }),
  },
  { id: 'nodeFiles.get', input: (told) => ({ workflow: 'invoice', nodeId: 'receipt', id: told['nodeFiles.add'].id }) },
  { id: 'nodeFiles.delete', input: (told) => ({ workflow: 'invoice', nodeId: 'receipt', id: told['nodeFiles.add'].id }) },
  { id: 'workflows.publish', input: () => ({ workflow: 'invoice' }) },
  { id: 'workflows.versions', input: () => ({ workflow: 'invoice' }) },
  { id: 'workflows.version', input: () => ({ workflow: 'invoice', version: 1 }) },
  { id: 'workflows.duplicate', input: () => ({ workflow: 'invoice', name: 'Invoice, next year', handle: 'invoice-next' }) },
  { id: 'workflows.reset', input: () => ({ workflow: 'invoice-next', drafts: { workflow: { nodes: [{ id: 'order', type: 'input' }], links: [] } } }) },
  { id: 'workflows.delete', input: () => ({ workflow: 'invoice-next' }) },
  { id: 'workflows.export', input: () => ({ workflow: 'invoice' }) },
  { id: 'workflows.import', input: (told) => ({ ...told['workflows.export'], name: 'Invoice, brought along' }) },

  {
    id: 'runs.start',
    input: () => ({
      workflow: 'invoice',
      input: { customer: 'c_42', amount: 1250 },
      idempotencyKey: 'inv-42',
      transactionId: 'inv-42',
      tags: ['november'],
      wait: { until: 'parked', ms: 10_000 },
    }),
  },
  { id: 'runs.list', input: () => ({ workflow: 'invoice', status: 'waiting', where: { tags: { has: 'november' } }, order: '-created,id', limit: 20 }) },
  { id: 'runs.get', input: (told) => ({ id: told['runs.start'].id, include: ['version', 'pauses'] }) },
  { id: 'runs.find', input: () => ({ workflow: 'invoice', transactionId: 'inv-42', include: ['steps'] }) },
  { id: 'runs.current', input: () => ({ workflow: 'invoice' }) },
  { id: 'runs.hold', input: (told) => ({ id: told['runs.start'].id }) },
  { id: 'runs.release', input: (told) => ({ id: told['runs.start'].id }) },
  { id: 'pauses.list', input: (told) => ({ runId: told['runs.start'].id, status: 'open' }) },
  { id: 'pauses.get', input: (told) => ({ id: told['pauses.list'].items[0].id }) },
  { id: 'pauses.decide', input: (told) => ({ id: told['pauses.list'].items[0].id, action: 'approve', comments: 'fine', label: 'Ada', include: ['run'] }), races: true },
  { id: 'runs.wait', input: (told) => ({ id: told['runs.start'].id, until: 'parked', ms: 10_000 }) },
  {
    id: 'steps.report',
    input: (told) => ({
      run: { id: told['runs.start'].id },
      step: 'shipping',
      outcome: 'completed',
      output: { parcel: 'p_7' },
      wait: { until: 'parked', ms: 10_000 },
      include: ['run'],
    }),
  },
  { id: 'runs.wait', input: (told) => ({ id: told['runs.start'].id, until: 'parked', ms: 10_000 }) },
  { id: 'signals.send', input: (told) => ({ runId: told['runs.start'].id, name: 'paid', payload: { amount: 1250 }, idempotencyKey: 'pay_9' }) },
  { id: 'queues.put', input: (told) => ({ queue: 'orders', trigger: { workflow: told['runs.start'].workflowId, concurrency: 5 } }) },
  { id: 'runs.wait', input: (told) => ({ id: told['runs.start'].id, until: 'finished', ms: 10_000 }) },
  { id: 'runs.steps', input: (told) => ({ id: told['runs.start'].id }), show: 2 },
  { id: 'runs.events', input: (told) => ({ id: told['runs.start'].id, after: 0 }), show: 3 },
  { id: 'runs.fork', input: (told) => ({ id: told['runs.start'].id, step: 'shipping', wait: { until: 'parked', ms: 10_000 } }) },
  { id: 'runs.cancel', input: (told) => ({ id: told['runs.fork'].id, compensate: false }) },
  { id: 'runs.wait', input: (told) => ({ id: told['runs.fork'].id, until: 'finished', ms: 10_000 }) },
  { id: 'runs.delete', input: (told) => ({ id: told['runs.fork'].id }) },

  {
    id: 'webhooks.create',
    input: () => ({
      name: 'payments',
      signature: { scheme: 'hmac-sha256', header: 'x-signature', timestampHeader: 'x-timestamp', secret: 'known to both' },
      trigger: { workflow: 'invoice' },
    }),
  },
  { id: 'webhooks.list', input: () => ({ limit: 20 }) },
  { id: 'webhooks.get', input: () => ({ webhook: 'payments' }) },
  { id: 'webhooks.update', input: () => ({ webhook: 'payments', trigger: null }) },
  { id: 'webhooks.rotate', input: () => ({ webhook: 'payments' }) },
  { id: 'webhooks.deliver', input: () => ({ name: 'payments', body: { order: 'o_7', paid: true }, headers: { 'x-sent-by': 'the bank' }, query: {}, idempotencyKey: 'o_7' }) },
  { id: 'webhooks.deliveries', input: () => ({ webhook: 'payments', status: 'unheard', limit: 20 }) },
  { id: 'webhooks.redeliver', input: (told) => ({ webhook: 'payments', id: told['webhooks.deliver'].id }) },
  { id: 'webhooks.delete', input: () => ({ webhook: 'payments' }) },

  { id: 'schedules.preview', input: () => ({ cron: '30 2 * * MON-FRI', timeZone: 'Europe/Berlin', after: '2026-03-26T12:00:00Z', count: 3 }) },
  {
    id: 'schedules.create',
    input: () => ({ workflow: 'invoice', name: 'nightly', cron: '30 2 * * MON-FRI', timeZone: 'Europe/Berlin', input: { customer: 'c_7', amount: 80 }, overlap: 'queue' }),
  },
  { id: 'schedules.list', input: () => ({ workflow: 'invoice', limit: 20 }) },
  { id: 'schedules.get', input: (told) => ({ id: told['schedules.create'].id }) },
  { id: 'schedules.update', input: (told) => ({ id: told['schedules.create'].id, missed: 'skip', times: 20 }) },
  { id: 'schedules.start', input: (told) => ({ id: told['schedules.create'].id }), races: true },
  { id: 'schedules.pause', input: (told) => ({ id: told['schedules.create'].id }) },
  { id: 'schedules.resume', input: (told) => ({ id: told['schedules.create'].id }) },
  { id: 'schedules.delete', input: (told) => ({ id: told['schedules.create'].id }) },

  { id: 'workflows.create', input: () => ({ name: 'Rates', definition: rates }) },
  { id: 'runs.start', input: () => ({ workflow: 'rates', wait: { until: 'parked', ms: 10_000 } }) },
  { id: 'runs.retryStep', input: (told) => ({ id: told['runs.start'].id, step: 'fetch' }), races: true },
  { id: 'runs.stop', input: () => ({ workflow: 'rates' }), races: true },

  { id: 'workflows.create', input: () => ({ name: 'Helpdesk', definition: helpdesk }) },
  { id: 'sessions.send', input: () => ({ to: 'helpdesk', text: 'My invoice is wrong', metadata: { channel: 'web' }, idempotencyKey: 'msg-1' }), races: true },
  { id: 'runs.wait', input: (told) => ({ id: told['sessions.send'].runId, until: 'parked', ms: 10_000 }) },
  { id: 'sessions.get', input: (told) => ({ id: told['sessions.send'].session.id, lineIds: true, messages: 100 }) },
  { id: 'sessions.list', input: () => ({ status: 'waiting', order: '-updated', limit: 20 }) },
  { id: 'sessions.lines', input: (told) => ({ id: told['sessions.send'].session.id, kind: 'message', after: 0, limit: 100 }) },
  { id: 'sessions.events', input: (told) => ({ id: told['sessions.send'].session.id, after: 0 }), show: 2 },
  { id: 'sessions.update', input: (told) => ({ id: told['sessions.get'].id, title: 'Invoice', tags: ['billing'], ifUpdated: told['sessions.get'].updated }) },
  { id: 'sessions.ask', input: (told) => ({ to: told['sessions.get'].id, text: 'It is the one of May', waitMs: 10_000, idempotencyKey: 'msg-2' }), races: true },
  { id: 'sessions.chatbots', input: () => ({ limit: 20 }) },
  { id: 'sessions.stop', input: (told) => ({ id: told['sessions.get'].id }) },
  { id: 'sessions.delete', input: (told) => ({ id: told['sessions.get'].id }) },
  {
    id: 'sessions.create',
    input: () => ({
      externalId: 'onboarding-7',
      title: 'Onboarding',
      status: 'idle',
      currentStepId: 'topic-discovery',
      steps: [{ id: 'topic-discovery' }],
      context: { topic: 'AI' },
    }),
  },
  { id: 'sessions.put', input: (told) => ({ id: told['sessions.create'].id, title: 'Onboarding', status: 'running' }) },
  { id: 'files.upload', input: () => ({ file: ['Ada,Lovelace\n'] }) },
  { id: 'sessions.send', input: (told) => ({ to: told['sessions.create'].id, text: 'Who starts today', files: [told['files.upload'].files[0].id] }), races: true },
  {
    id: 'sessions.detachFile',
    input: (told) => ({ id: told['sessions.create'].id, messageId: told['sessions.send'].message.id, fileId: told['files.upload'].files[0].id }),
  },
  { id: 'sessions.deleteMessage', input: (told) => ({ id: told['sessions.create'].id, messageId: told['sessions.send'].message.id }) },

  { id: 'collections.list', input: () => ({}), show: 1 },
  { id: 'collections.get', input: () => ({ collection: 'workflow_sessions' }) },
  {
    id: 'records.create',
    input: (told) => ({
      collection: 'workflow_sessions',
      values: { title: 'Training', status: 'idle', currentStepId: 'topic-discovery', steps: [], context: { topic: 'sales' }, user: told['auth.me'].user.id },
      expand: 'user',
    }),
  },
  { id: 'records.list', input: () => ({ collection: 'workflow_sessions', filter: 'title = "Training" && context.topic ~ "sal"', sort: '-created', limit: 20 }) },
  { id: 'records.get', input: (told) => ({ collection: 'workflow_sessions', id: told['records.create'].id }) },
  { id: 'records.update', input: (told) => ({ collection: 'workflow_sessions', id: told['records.create'].id, values: { status: 'completed' } }) },
  {
    id: 'records.batch',
    input: (told) => ({ requests: [{ do: 'update', collection: 'workflow_sessions', id: told['records.create'].id, values: { title: 'Training, done' } }] }),
  },
  { id: 'records.delete', input: (told) => ({ collection: 'workflow_sessions', id: told['records.create'].id }) },

  { id: 'keys.create', input: () => ({ name: 'billing', scopes: ['runs', 'pauses.read'] }) },
  { id: 'keys.list', input: () => ({ limit: 20 }) },
  { id: 'keys.revoke', input: (told) => ({ id: told['keys.create'].id }) },
  { id: 'secrets.delete', input: () => ({ name: 'stripe' }) },

  { id: 'files.upload', input: () => ({ file: ['customer,limit\nc_42,1250\n'] }) },
  { id: 'files.list', input: () => ({ limit: 20 }) },
  { id: 'files.get', input: (told) => ({ id: told['files.upload'].files[0].id }) },
  { id: 'files.content', input: (told) => ({ id: told['files.upload'].files[0].id }) },
  { id: 'files.delete', input: (told) => ({ id: told['files.upload'].files[0].id }) },

  { id: 'members.invite', input: () => ({ email: 'grace@example.com', role: 'operator', name: 'Grace' }) },
  { id: 'auth.setPassword', input: (told) => ({ token: told['members.invite'].setPassword.token, password: 'nanoseconds of wire' }) },
  { id: 'members.setRole', input: (told) => ({ userId: told['members.invite'].userId, role: 'editor' }) },
  { id: 'members.list', input: () => ({ limit: 20 }) },
  { id: 'users.list', input: () => ({ limit: 20 }) },
  { id: 'users.get', input: (told) => ({ id: told['members.invite'].userId }) },
  { id: 'users.update', input: (told) => ({ id: told['members.invite'].userId, name: 'Grace Hopper' }) },
  { id: 'users.resetPassword', input: (told) => ({ id: told['members.invite'].userId }) },
  { id: 'users.delete', input: (told) => ({ id: told['members.invite'].userId }) },
  { id: 'members.invite', input: () => ({ email: 'ada@example.com', role: 'viewer' }) },
  { id: 'members.remove', input: (told) => ({ userId: told['members.invite'].userId }) },
  { id: 'audit.list', input: () => ({ action: 'workflows.publish', limit: 20 }) },

  { id: 'users.changePassword', input: () => ({ current: admin.password, next: 'staple battery horse correct' }) },
  { id: 'workspaces.list', input: () => ({ limit: 20 }) },
  { id: 'workspaces.create', input: () => ({ name: 'Staging', handle: 'staging' }) },
  { id: 'workspaces.get', input: () => ({ workspace: 'default' }) },
  { id: 'workspaces.update', input: () => ({ workspace: 'default', name: 'Acme' }) },
  { id: 'auth.switch', input: () => ({ workspace: 'staging' }) },
  { id: 'workspaces.delete', input: () => ({ workspace: 'staging' }) },
  { id: 'auth.refresh', input: (told) => ({ refreshToken: told['users.changePassword'].refreshToken }) },
  { id: 'auth.leave', input: () => ({}) },
  { id: 'auth.login', input: () => ({ email: admin.email, password: 'staple battery horse correct' }) },
  { id: 'auth.logout', input: () => ({}) },
]

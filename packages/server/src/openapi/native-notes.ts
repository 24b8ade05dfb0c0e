import type { inferRouterInputs } from '@trpc/server'
import type { AppRouter } from '../rpc/router.ts'
import type { Note } from './description.ts'

/** `runs.get` and the like. */
type Name = keyof { [Name in keyof inferRouterInputs<AppRouter> as `${Name}.${Extract<keyof inferRouterInputs<AppRouter>[Name], string>}`]: true }

/** What each procedure refuses beside what all like it do, and what it does not take where its path says it. */
const notes = {
  'auth.login': { faults: ['login_failed', 'permission_denied', 'workspace_missing'] },
  'auth.refresh': { faults: ['credential_invalid'] },
  'auth.renew': { faults: ['permission_denied'] },
  'auth.leave': { faults: ['permission_denied'] },
  'auth.setPassword': { faults: ['credential_invalid'] },
  'auth.switch': { faults: ['workspace_missing', 'permission_denied'] },
  'auth.logout': { faults: ['permission_denied'] },

  'workflows.list': { faults: ['cursor_invalid', 'limit_exceeded'] },
  'workflows.get': { faults: ['workflow_missing'] },
  'workflows.create': { faults: ['handle_taken', 'idempotency_conflict'] },
  'workflows.update': { faults: ['workflow_missing', 'workflow_in_code', 'handle_taken', 'revision_stale'] },
  'workflows.reset': { faults: ['workflow_missing', 'workflow_in_code', 'revision_stale'] },
  'workflows.delete': { faults: ['workflow_missing'] },
  'workflows.duplicate': { faults: ['workflow_missing', 'handle_taken', 'idempotency_conflict'] },
  'workflows.export': { faults: ['workflow_missing', 'limit_exceeded'] },
  'workflows.import': { faults: ['definition_invalid', 'handle_taken', 'idempotency_conflict'] },
  'workflows.publish': { faults: ['definition_invalid', 'workflow_missing', 'revision_stale', 'hash_mismatch'] },
  'workflows.versions': { faults: ['cursor_invalid', 'workflow_missing', 'limit_exceeded'] },
  'workflows.version': { faults: ['workflow_missing', 'version_missing'] },
  'workflows.outputs': { faults: ['workflow_missing'] },
  'workflows.edit': { faults: ['workflow_missing', 'workflow_in_code', 'node_missing', 'link_missing', 'link_exists', 'revision_stale'] },
  'workflows.node': { faults: ['workflow_missing', 'node_missing'] },
  'workflows.try': { faults: ['definition_invalid', 'trial_refused', 'workflow_missing', 'workflow_in_code', 'node_missing', 'lane_busy'] },

  'nodeTypes.get': { faults: ['node_type_missing'] },
  'nodeTypes.options': { faults: ['node_type_missing'] },
  'nodeTypes.try': { faults: ['definition_invalid', 'trial_refused', 'node_type_missing', 'lane_busy'] },

  'runs.start': {
    faults: [
      'definition_invalid',
      'workflow_missing',
      'version_missing',
      'hash_mismatch',
      'idempotency_conflict',
      'transaction_conflict',
      'lane_busy',
      'lane_full',
      'session_missing',
    ],
  },
  'runs.list': { faults: ['cursor_invalid', 'workflow_missing', 'limit_exceeded'] },
  'runs.get': { faults: ['run_missing'] },
  'runs.find': { faults: ['workflow_missing', 'run_missing'] },
  'runs.current': { faults: ['workflow_missing', 'run_missing'] },
  'runs.wait': { faults: ['run_missing'] },
  'runs.cancel': { faults: ['run_missing', 'run_compensating'], at: { '/v1/runs/{id}/cancel': { hides: ['workflow'] } } },
  'runs.stop': { faults: ['workflow_missing', 'run_missing'] },
  'runs.hold': { faults: ['run_missing', 'run_ended', 'run_not_holdable'] },
  'runs.release': { faults: ['run_missing', 'run_ended', 'run_not_held'] },
  'runs.retryStep': { faults: ['run_missing', 'step_missing', 'run_ended', 'step_not_retrying', 'step_ambiguous'] },
  'runs.fork': { faults: ['run_missing', 'step_missing', 'node_missing'] },
  'runs.delete': { faults: ['run_missing', 'run_live', 'run_is_child'] },
  'runs.steps': { faults: ['cursor_invalid', 'run_missing'] },
  'runs.events': { faults: ['run_missing'] },

  'steps.report': { faults: ['workflow_missing', 'run_missing', 'step_missing', 'step_ambiguous', 'step_not_waiting', 'report_conflict'] },

  'pauses.list': { faults: ['cursor_invalid', 'workflow_missing', 'run_missing', 'limit_exceeded'] },
  'pauses.get': { faults: ['pause_missing'] },
  'pauses.decide': { faults: ['pause_missing', 'pause_decided', 'idempotency_conflict'], at: { '/v1/pauses/{id}/decide': { hides: ['runId'] } } },

  'signals.send': { faults: ['run_missing', 'run_ended', 'idempotency_conflict', 'signals_full'] },

  'sessions.list': { faults: ['cursor_invalid', 'workflow_missing'] },
  'sessions.get': { faults: ['session_missing'] },
  'sessions.create': { faults: ['definition_invalid', 'workflow_missing', 'id_taken'] },
  'sessions.put': { faults: ['definition_invalid', 'session_missing', 'workflow_missing', 'id_taken', 'session_stale'] },
  'sessions.update': { faults: ['definition_invalid', 'session_missing', 'session_stale'] },
  'sessions.delete': { faults: ['session_missing'] },
  'sessions.send': { faults: ['definition_invalid', 'session_missing', 'workflow_missing', 'file_missing', 'idempotency_conflict', 'lane_full'] },
  'sessions.ask': {
    faults: ['definition_invalid', 'session_missing', 'workflow_missing', 'run_missing', 'file_missing', 'idempotency_conflict', 'calls_pending', 'call_not_waiting', 'lane_full'],
  },
  'sessions.chatbots': { faults: ['cursor_invalid'] },
  'sessions.stop': { faults: ['session_missing'] },
  'sessions.lines': { faults: ['cursor_invalid', 'session_missing'] },
  'sessions.deleteMessage': { faults: ['session_missing', 'line_missing'] },
  'sessions.detachFile': { faults: ['session_missing', 'line_missing'] },
  'sessions.events': { faults: ['session_missing'] },

  'events.subscribe': {
    faults: ['cursor_invalid'],
    at: {
      '/v1/events': { faults: ['run_missing', 'workflow_missing', 'session_missing'] },
      '/v1/runs/{runId}/events': { hides: ['workflow', 'sessionId'], faults: ['run_missing'] },
      '/v1/sessions/{sessionId}/events': { hides: ['runId', 'workflow'], faults: ['session_missing'] },
      '/v1/workflows/{workflow}/events': { hides: ['runId', 'sessionId'], faults: ['workflow_missing'] },
    },
  },

  'files.upload': { faults: ['file_too_large', 'files_full', 'workflow_missing'] },
  'files.get': { faults: ['file_missing'] },
  'files.content': { faults: ['file_missing'] },
  'files.list': { faults: ['cursor_invalid', 'user_missing'] },
  'files.delete': { faults: ['file_missing', 'file_in_use'] },

  'nodeFiles.list': { faults: ['cursor_invalid', 'workflow_missing', 'node_missing'] },
  'nodeFiles.get': { faults: ['workflow_missing', 'node_missing', 'file_missing'] },
  'nodeFiles.add': { faults: ['workflow_missing', 'node_missing', 'key_taken', 'file_too_large', 'files_full'] },
  'nodeFiles.change': { faults: ['workflow_missing', 'node_missing', 'file_missing', 'key_taken', 'file_too_large', 'files_full'] },
  'nodeFiles.delete': { faults: ['workflow_missing', 'node_missing', 'file_missing'] },

  'keys.list': { faults: ['cursor_invalid', 'user_missing'] },
  'keys.create': { faults: ['limit_exceeded'] },
  'keys.revoke': { faults: ['key_missing'] },

  'webhooks.create': { faults: ['name_taken', 'workflow_missing', 'limit_exceeded'] },
  'webhooks.list': { faults: ['cursor_invalid'] },
  'webhooks.get': { faults: ['webhook_missing'] },
  'webhooks.update': { faults: ['webhook_missing', 'name_taken', 'workflow_missing'] },
  'webhooks.rotate': { faults: ['webhook_missing'] },
  'webhooks.delete': { faults: ['webhook_missing'] },
  'webhooks.deliveries': { faults: ['webhook_missing', 'cursor_invalid', 'limit_exceeded'] },
  'webhooks.redeliver': { faults: ['webhook_missing', 'delivery_missing'] },
  'webhooks.deliver': { faults: ['limit_exceeded', 'idempotency_conflict'] },

  'schedules.list': { faults: ['cursor_invalid', 'workflow_missing'] },
  'schedules.get': { faults: ['schedule_missing'] },
  'schedules.create': { faults: ['name_taken', 'workflow_missing', 'limit_exceeded'] },
  'schedules.update': { faults: ['schedule_missing', 'schedule_in_code', 'name_taken'] },
  'schedules.pause': { faults: ['schedule_missing'] },
  'schedules.resume': { faults: ['schedule_missing'] },
  'schedules.start': { faults: ['schedule_missing', 'definition_invalid', 'lane_busy', 'lane_full'] },
  'schedules.delete': { faults: ['schedule_missing'] },

  'collections.get': { faults: ['collection_missing'] },
  'records.list': { faults: ['collection_missing', 'filter_invalid', 'superusers_only', 'cursor_invalid', 'limit_exceeded'] },
  'records.get': { faults: ['collection_missing', 'record_missing', 'filter_invalid', 'superusers_only', 'limit_exceeded'] },
  'records.create': { faults: ['collection_missing', 'record_invalid', 'record_refused', 'superusers_only', 'collection_read_only', 'filter_invalid', 'limit_exceeded'] },
  'records.update': { faults: ['collection_missing', 'record_missing', 'record_invalid', 'superusers_only', 'collection_read_only', 'filter_invalid', 'limit_exceeded'] },
  'records.delete': { faults: ['collection_missing', 'record_missing', 'record_in_use', 'superusers_only', 'collection_read_only', 'limit_exceeded'] },
  'records.batch': { faults: ['batch_failed', 'limit_exceeded'] },

  'queues.list': { faults: ['cursor_invalid'] },
  'queues.get': { faults: ['queue_missing'] },
  'queues.put': { faults: ['workflow_missing', 'limit_exceeded'] },
  'queues.delete': { faults: ['queue_missing'] },
  'queues.push': { faults: ['queue_full', 'limit_exceeded', 'idempotency_conflict'] },
  'queues.items': { faults: ['queue_missing', 'limit_exceeded', 'cursor_invalid'] },
  'queues.item': { faults: ['item_missing'] },
  'queues.retry': { faults: ['queue_missing'] },
  'secrets.list': { faults: ['cursor_invalid'] },
  'secrets.set': { faults: ['limit_exceeded'] },
  'secrets.delete': { faults: ['secret_missing'] },

  'users.list': { faults: ['cursor_invalid'] },
  'users.changePassword': { faults: ['permission_denied'] },
  'users.get': { faults: ['user_missing'] },
  'users.update': { faults: ['user_missing', 'workspace_missing', 'name_taken'] },
  'users.delete': { faults: ['user_missing', 'last_owner', 'user_in_use'] },
  'users.resetPassword': { faults: ['user_missing'] },

  'members.list': { faults: ['cursor_invalid'] },
  'members.invite': { faults: ['user_missing', 'member_exists'] },
  'members.setRole': { faults: ['user_missing', 'last_owner'] },
  'members.remove': { faults: ['user_missing', 'last_owner'] },

  'workspaces.list': { faults: ['cursor_invalid'] },
  'workspaces.get': { faults: ['workspace_missing'] },
  'workspaces.create': { faults: ['handle_taken', 'limit_exceeded'] },
  'workspaces.update': { faults: ['workspace_missing', 'workspace_in_use', 'handle_taken'] },
  'workspaces.delete': { faults: ['workspace_missing', 'workspace_in_use'] },

  'audit.list': { faults: ['cursor_invalid'] },
} satisfies Partial<Record<Name, Note>>

export const nativeNotes: Readonly<Record<string, Note | undefined>> = notes

import type { Calls } from '../calls/calls.ts'

/** Each with a JWT over kept connections. */
export const starts = {
  'start-native': 'native `POST /v1/runs`, answered when the run is accepted',
  'start-trpc': 'tRPC `runs.start`, likewise',
  'start-pyspur': 'PySpur `POST /wf/{id}/start_run/`',
  'start-orchestrator': 'Orchestrator `POST /api/workflow/{id}/start_execution/`, of 128 workflows in turn: one of them has one run at a time',
  'start-medusa': 'Medusa `POST /admin/workflows-executions/{id}/run`',
  'start-pocketbase': 'PocketBase `POST /api/collections/workflow_sessions/records` with the status `running`: a conversation, its first message, its run',
  'start-playground': 'playground `POST /api/chat/playground/start`: the same',
  'start-openai-chatbot': 'OpenAI gateway `POST /v1/chat/completions` of the chatbot: a conversation, its message, its run, and the answer that it gave',
  'start-openai-offline': 'the same of the mode `React` with the offline model',
} as const satisfies Calls<string>

export type Start = keyof typeof starts

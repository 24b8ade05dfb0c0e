import type { Calls } from '../calls/calls.ts'

/** Each with a JWT over kept connections, but where it says otherwise. */
export const reads = {
  'read-row-bare': "a bare fastify route that reads the run's row with `pg`, by a named statement, and sends it as JSON: nobody is asked who they are",
  'get-run': 'native `GET /v1/runs/{id}`: a completed run of three steps, with its nodes and its pauses',
  'get-run-key': 'the same with an API key',
  'get-run-trpc': 'tRPC `runs.get`',
  'list-runs': 'native `GET /v1/runs`: 50 of 1,000',
  'list-runs-trpc': 'tRPC `runs.list`: 50 of 1,000',
  'list-pauses': 'native `GET /v1/pauses?status=open`: 50 of 1,000',
  'list-steps': 'native `GET /v1/runs/{id}/steps`: three',
  'list-events': 'native `GET /v1/runs/{id}/events`: all eleven of a run of three steps',
  'pyspur-status': 'PySpur `GET /run/{id}/status/`',
  'orchestrator-status': 'Orchestrator `GET /api/workflow/{id}/task_status/`',
  'medusa-execution': 'Medusa `GET /admin/workflows-executions/{id}`',
  'pocketbase-record': 'PocketBase `GET /api/collections/runs/records/{id}`',
  'pocketbase-list': 'PocketBase `GET /api/collections/runs/records`: 30 of 1,000, without a count',
  'playground-status': 'playground `GET /api/workflows/{id}/status`',
  'openai-models': 'OpenAI gateway `GET /v1/models`: what it reads',
} as const satisfies Calls<string>

export type Read = keyof typeof reads

import type { OpenCalls } from '../calls/calls.ts'
import type { Repeated } from '../http-load/requests.ts'
import { openCopier } from '../sluice/copies.ts'
import { openBare } from './bare-route.ts'
import { completedRun } from '../sluice/completed-run.ts'
import { approvalAlone, chat } from '../sluice/definitions.ts'
import { openServed } from '../sluice/served.ts'
import type { Read } from './contestants.ts'

const kept = 1_000

export const open: OpenCalls<Read> = async (databaseUrl) => {
  const served = await openServed(databaseUrl)
  const { call, url, token } = served
  const id = await completedRun(served)
  const waiting = (await call('POST', '/v1/runs', { workflow: await served.draw(approvalAlone), wait: { until: 'parked' } })) as { id: string; pauses: string[] }
  const { secret } = (await call('POST', '/v1/keys', { name: 'Measured' })) as { secret: string }
  const chatbot = await served.draw(chat)
  const { session } = (await call('POST', '/v1/sessions/send', { to: chatbot, text: 'Ada' })) as { session: { id: string } }
  const { workflowId } = (await call('GET', `/v1/runs/${id}`)) as { workflowId: string }
  const copier = await openCopier(databaseUrl)
  await copier.wholeRuns(id, 1, kept - 1)
  await copier.wholeRuns(waiting.id, kept, 2 * kept - 1)
  await copier.settle()
  await copier.close()
  const bare = await openBare(databaseUrl)

  const get = (path: string, text: string = id, as: string = token): Repeated => ({ url, path, method: 'GET', token: as, expect: { statusCode: 200, text } })
  const trpc = (procedure: string, input: object): string => `/trpc/${procedure}?input=${encodeURIComponent(JSON.stringify(input))}`
  return {
    requests: {
      'read-row-bare': { ...get(`/runs/${id}`), url: bare.url },
      'get-run': get(`/v1/runs/${id}`),
      'get-run-key': get(`/v1/runs/${id}`, id, secret),
      'get-run-trpc': get(trpc('runs.get', { id })),
      'list-runs': get('/v1/runs?limit=50', '"items"'),
      'list-runs-trpc': get(trpc('runs.list', { limit: 50 }), '"items"'),
      'list-pauses': get('/v1/pauses?status=open&limit=50', waiting.pauses[0]),
      'list-steps': get(`/v1/runs/${id}/steps`, '"third"'),
      'list-events': get(`/v1/runs/${id}/events`, 'run.completed'),
      'pyspur-status': get(`/run/${id}/status/`, 'COMPLETED'),
      'orchestrator-status': get(`/api/workflow/${workflowId}/task_status/?task_id=${id}`, 'SUCCESS'),
      'medusa-execution': get(`/admin/workflows-executions/wf_exec_${id}`),
      'pocketbase-record': get(`/api/collections/runs/records/${id}`),
      'pocketbase-list': get('/api/collections/runs/records?perPage=30&skipTotal=1', '"items"'),
      'playground-status': get(`/api/workflows/wf_${session.id}/status`, '"status"'),
      'openai-models': get('/v1/models', '"data"'),
    },
    async close() {
      await bare.close()
      await served.close()
    },
  }
}

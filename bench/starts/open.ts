import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { OpenCalls } from '../calls/calls.ts'
import type { Repeated } from '../http-load/requests.ts'
import { chat } from '../sluice/definitions.ts'
import { openServed } from '../sluice/served.ts'
import type { Start } from './contestants.ts'

const canvases = 128
const lookMs = 20
/** Who leaves more behind than ends by then has begun more than the server can do. */
const withinMs = 60_000

export const open: OpenCalls<Start> = async (databaseUrl) => {
  const served = await openServed(databaseUrl)
  const { call, url, token, draw } = served
  const client = new pg.Client(databaseUrl)
  await client.connect()
  const workflow = await draw(chat)
  const { handle } = (await call('POST', `/v1/workflows/${workflow}/publish`, {})) as { handle?: string }
  const named = handle ?? ((await call('GET', `/v1/workflows/${workflow}`)) as { handle: string }).handle
  const several: string[] = []
  for (let at = 0; at < canvases; at++) {
    const canvas = await draw(chat)
    several.push(canvas)
    // The first start of a workflow makes a version of it, which is not what is measured.
    await call('POST', '/v1/runs', { workflow: canvas, wait: { until: 'finished' } })
  }

  const post = (path: Repeated['path'], body: object, statusCode = 200, text = 'd"'): Repeated => ({
    url,
    path,
    method: 'POST',
    token,
    body: JSON.stringify(body),
    expect: { statusCode, text },
  })
  const said = { messages: [{ role: 'user', content: 'Hello' }] }
  return {
    requests: {
      'start-native': post('/v1/runs', { workflow, input: { text: 'Ada' } }, 201),
      'start-trpc': post('/trpc/runs.start', { workflow, input: { text: 'Ada' } }),
      'start-pyspur': post(`/wf/${workflow}/start_run/`, { initial_inputs: { in: { text: 'Ada' } } }),
      'start-orchestrator': post(
        several.map((each) => `/api/workflow/${each}/start_execution/`),
        {},
      ),
      'start-medusa': post(`/admin/workflows-executions/${named}/run`, { input: { text: 'Ada' } }),
      'start-pocketbase': post('/api/collections/workflow_sessions/records', { title: 'Ada', user: served.userId, workflow, status: 'running', context: { text: 'Ada' } }),
      'start-playground': post(`/api/chat/playground/start?workflowId=${named}`, { input: 'Ada' }),
      'start-openai-chatbot': post('/v1/chat/completions', { model: named, ...said }, 200, 'It is done'),
      'start-openai-offline': post('/v1/chat/completions', { model: 'React', ...said }, 200, 'choices'),
    },
    async settled() {
      const end = performance.now() + withinMs
      while (performance.now() < end) {
        const { rows } = await client.query<{ live: boolean }>('select exists (select from runs where ended_at is null) as live')
        if (!rows[0]!.live) return
        await sleep(lookMs)
      }
      throw new Error(`Runs still go on ${withinMs / 1000} s after the last was started`)
    },
    async close() {
      await client.end()
      await served.close()
    },
  }
}

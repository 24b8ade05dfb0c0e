import createClient, { type Middleware } from 'openapi-fetch'
import type { components, paths } from './sluice.ts'

type Run = components['schemas']['Run']
type Definition = components['schemas']['DefinitionInput']

const definition: Definition = {
  nodes: [
    { id: 'order', type: 'input' },
    { id: 'approval', type: 'human', config: { kind: 'approval', message: 'Charge {{ input.amount }}?' } },
    { id: 'receipt', type: 'output', config: { map: { amount: '{{ input.amount }}' } } },
  ],
  links: [
    { source: 'order', target: 'approval' },
    { source: 'approval', target: 'receipt' },
  ],
}

/** What somebody does who has the document and nothing else. Throws what the server refused. */
export async function mainJob(baseUrl: string, login: { email: string; password: string }) {
  const api = createClient<paths, 'application/json'>({ baseUrl })
  const { token } = must(await api.POST('/v1/auth/login', { body: login }))
  const authorize: Middleware = { onRequest: ({ request }) => request.headers.set('authorization', `Bearer ${token}`) }
  api.use(authorize)

  const workflow = must(await api.POST('/v1/workflows', { body: { name: 'Generated', definition } }))
  const body = { workflow: workflow.id, input: { amount: 1250 }, wait: { until: 'parked' } } as const
  const run = must(await api.POST('/v1/runs', { params: { header: { 'Idempotency-Key': 'once' } }, body }))
  const again = must(await api.POST('/v1/runs', { params: { header: { 'Idempotency-Key': 'once' } }, body }))

  const pauses = must(await api.GET('/v1/pauses', { params: { query: { runId: run.id, status: 'open' } } }))
  const params = { path: { id: pauses.items[0]!.id } }
  must(await api.POST('/v1/pauses/{id}/decide', { params, body: { action: 'approve', comments: 'fine' } }))
  const { error, response } = await api.POST('/v1/pauses/{id}/decide', { params, body: { action: 'decline' } })

  const ended: Run = must(await api.GET('/v1/runs/{id}/wait', { params: { path: { id: run.id }, query: { until: 'finished', ms: 10_000 } } }))
  const events = must(await api.GET('/v1/runs/{id}/events', { params: { path: { id: run.id }, query: { after: 0 } } }))
  const amounts = events.items.flatMap((event) => (event.type === 'run.completed' ? [event.output] : []))
  const where = JSON.stringify({ status: { in: ['completed', 'failed'] }, or: [{ workflowId: workflow.id }, { tags: { has: 'vip' } }] })
  const found = must(await api.GET('/v1/runs', { params: { query: { where, order: '-created,id', trigger: 'manual', limit: 10, count: true } } }))
  const wrong = await api.GET('/v1/runs', { params: { query: { where: '{"password_hash":null}' } } })
  await api.DELETE('/v1/workflows/{workflow}', { params: { path: { workflow: workflow.handle } } })
  return {
    status: ended.status,
    output: ended.output,
    same: again.id === run.id,
    refused: [response.status, error?.error.code],
    found: [found.total, found.items[0]?.id === run.id, wrong.error?.error.issues[0]?.path],
    types: events.items.map(({ type }) => type),
    amounts,
    live: await follow(baseUrl, token, run.id),
  }
}

/** The stream, by what the document says of it. */
async function follow(baseUrl: string, token: string, id: string): Promise<components['schemas']['StreamEvent']['type'][]> {
  const api = createClient<paths, 'text/event-stream'>({ baseUrl, headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } })
  const { data } = await api.GET('/v1/runs/{id}/events', { params: { path: { id }, query: { after: '0' } }, parseAs: 'text' })
  return [...data!.matchAll(/^data: (.*)$/gm)].map((line) => (JSON.parse(line[1] ?? '') as components['schemas']['StreamEvent']).type)
}

function must<T>({ data, error }: { data?: T; error?: components['schemas']['ErrorBody'] }): T {
  if (data === undefined) throw new Error(error ? `${error.error.code}: ${error.error.message}` : 'no answer')
  return data
}

// What must not compile: each line below would, if a type were `any` or nothing were required.
export function refused(api: ReturnType<typeof createClient<paths, 'application/json'>>, run: Run): unknown {
  return [
    // @ts-expect-error -- no such path
    api.GET('/v1/walks'),
    // @ts-expect-error -- a run is started of a workflow
    api.POST('/v1/runs', { body: { input: 1 } }),
    // @ts-expect-error -- no such status
    api.GET('/v1/runs', { params: { query: { status: 'walking' } } }),
    // @ts-expect-error -- the path names a run
    api.GET('/v1/runs/{id}', { params: { path: {} } }),
    // @ts-expect-error -- a status is one of ten words
    run.status satisfies 'completed',
    // @ts-expect-error -- an output is a JSON value, which may be no object
    run.output.amount,
  ]
}

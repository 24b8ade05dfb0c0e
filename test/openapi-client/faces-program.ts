import createClient from 'openapi-fetch'
import type { paths as MedusaPaths } from './medusa.ts'
import type { paths as OpenaiPaths } from './openai.ts'
import type { components as OrchestratorSchemas, paths as OrchestratorPaths } from './orchestrator.ts'
import type { paths as PlaygroundPaths } from './playground.ts'
import type { paths as PocketbasePaths } from './pocketbase.ts'

/** What somebody does who has the document of a face and nothing else. Each throws what the server refused. */

interface Login {
  email: string
  password: string
}

/** Draws a canvas, runs it, and asks for its task until that has ended. */
export async function orchestrator(baseUrl: string, { email, password }: Login) {
  const open = createClient<OrchestratorPaths>({ baseUrl })
  const { access } = must(await open.POST('/api/auth/login/', { body: { username: email, password } }))
  const api = createClient<OrchestratorPaths>({ baseUrl, headers: { authorization: `Bearer ${access}` } })
  const { id } = must(await api.POST('/api/workflow/', { body: { name: 'Generated', description: 'of its document' } }))
  const path = { workflow_id: id }
  const values = { min_value: 0, max_value: 2, direction: 'increment', step: 1 }
  const first = must(await api.POST('/api/workflow/{workflow_id}/nodes/add/', { params: { path }, body: { nodeTemplate: 'counter', form_values: values } }))
  const second = must(await api.POST('/api/workflow/{workflow_id}/nodes/add/', { params: { path }, body: { nodeTemplate: 'counter', form_values: values } }))
  must(await api.POST('/api/workflow/{workflow_id}/connections/add/', { params: { path }, body: { source: first.id, target: second.id } }))
  const task = must(await api.POST('/api/workflow/{workflow_id}/start_execution/', { params: { path } }))
  const ended = await ending<OrchestratorSchemas['schemas']['Task']>(
    async () => must(await api.GET('/api/workflow/{workflow_id}/task_status/', { params: { path, query: { task_id: task.task_id! } } })),
    ({ status }) => status === 'SUCCESS' || status === 'FAILURE' || status === 'REVOKED',
  )
  const missing = await api.GET('/api/workflow/{workflow_id}/', { params: { path: { workflow_id: 'none' } } })
  const deleted = await api.DELETE('/api/workflow/{workflow_id}/', { params: { path } })
  return { status: ended.status, missing: [missing.response.status, typeof missing.error?.error], deleted: deleted.response.status }
}

/** Runs a workflow that waits for somebody else, reports its step, and looks at the execution. */
export async function medusa(baseUrl: string, login: Login, workflow_id: string, transaction_id: string) {
  const open = createClient<MedusaPaths>({ baseUrl })
  const { token } = must(await open.POST('/auth/user/emailpass', { body: login }))
  const api = createClient<MedusaPaths>({ baseUrl, headers: { authorization: `Bearer ${token}` } })
  const params = { path: { workflow_id } }
  const { acknowledgement } = must(await api.POST('/admin/workflows-executions/{workflow_id}/run', { params, body: { input: { amount: 1250 }, transaction_id } }))
  const look = async () =>
    must(await api.GET('/admin/workflows-executions/{workflow_id}/{transaction_id}', { params: { path: { workflow_id, transaction_id } } })).workflow_execution
  await ending(look, ({ execution }) => {
    const step = execution?.steps?.['_root.ship']
    return step !== undefined && 'invoke' in step && step.invoke.status === 'waiting_response'
  })
  const reported = must(await api.POST('/admin/workflows-executions/{workflow_id}/steps/success', { params, body: { transaction_id, step_id: 'ship', response: { parcel: 7 } } }))
  const ended = await ending(look, ({ state }) => state === 'done')
  const missing = await api.GET('/admin/workflows-executions/{id}', { params: { path: { id: 'none' } } })
  return { started: acknowledgement.transactionId, reported: reported.success, state: ended.state, missing: [missing.response.status, missing.error?.type] }
}

/** Keeps a record, finds it, changes it and puts it away. */
export async function pocketbase(baseUrl: string, { email, password }: Login) {
  const open = createClient<PocketbasePaths>({ baseUrl })
  const { token = '', record = {} } = must(
    await open.POST('/api/collections/{collection}/auth-with-password', { params: { path: { collection: 'users' } }, body: { identity: email, password } }),
  )
  const api = createClient<PocketbasePaths>({ baseUrl, headers: { authorization: token } })
  const collection = 'workflow_sessions'
  const made = must(
    await api.POST('/api/collections/{collection}/records', {
      params: { path: { collection } },
      body: { title: 'Generated', status: 'idle', currentStepId: 'a', steps: [], user: record['id'] },
    }),
  )
  const id = String(made['id'])
  const found = must(await api.GET('/api/collections/{collection}/records', { params: { path: { collection }, query: { filter: `id = "${id}"`, perPage: 5 } } }))
  const changed = must(await api.PATCH('/api/collections/{collection}/records/{id}', { params: { path: { collection, id } }, body: { title: 'Changed' } }))
  const deleted = await api.DELETE('/api/collections/{collection}/records/{id}', { params: { path: { collection, id } } })
  const missing = await api.GET('/api/collections/{collection}/records/{id}', { params: { path: { collection, id } } })
  return { found: found.items.map(({ title }) => title), changed: changed['title'], deleted: deleted.response.status, missing: [missing.response.status, missing.error?.status] }
}

/** Talks with a chatbot, and reads what was said. */
export async function playground(baseUrl: string, token: string, workflowId: string) {
  const api = createClient<PlaygroundPaths>({ baseUrl, headers: { authorization: `Bearer ${token}` } })
  const { id } = must(await api.POST('/api/chat/playground/start', { params: { query: { workflowId } }, body: { input: 'Hello' } }))
  const path = { workflowId: id }
  const ended = await ending(
    async () => must(await api.GET('/api/workflows/{workflowId}/status', { params: { path } })),
    ({ status }) => status !== 'running',
  )
  const { messages } = must(await api.GET('/api/chat/playground/{workflowId}/chatData', { params: { path } }))
  const renamed = must(await api.PUT('/api/workflows/{workflowId}', { params: { path }, body: { name: 'Generated' } }))
  const missing = await api.GET('/api/workflows/{workflowId}', { params: { path: { workflowId: 'wf_none' } } })
  return {
    status: ended.status,
    said: messages.map(({ role, content }) => `${role}: ${content}`),
    name: renamed.name,
    missing: [missing.response.status, missing.error?.detail],
  }
}

/** Asks a model. */
export async function openai(baseUrl: string, token: string, model: string) {
  const api = createClient<OpenaiPaths, 'application/json'>({ baseUrl, headers: { authorization: `Bearer ${token}` } })
  const models = must(await api.GET('/v1/models'))
  const completion = must(await api.POST('/v1/chat/completions', { body: { model, messages: [{ role: 'user', content: 'Hello' }] } }))
  const missing = await api.GET('/v1/models/{model}', { params: { path: { model: 'none' } } })
  return { known: models.data.some(({ id }) => id === model), said: completion.choices[0]?.message.content, missing: [missing.response.status, missing.error?.error.code] }
}

/** Looks as often as a client does that is not told. */
async function ending<T>(look: () => Promise<T>, holds: (found: T) => boolean): Promise<T> {
  for (let looks = 0; looks < 400; looks++) {
    const found = await look()
    if (holds(found)) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`it never came to it: ${JSON.stringify(await look())}`)
}

function must<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error) ?? 'no answer')
  return data
}

// What must not compile: each line below would, if a type were `any` or nothing were required.
export function refused(url: string): unknown {
  const flows = createClient<OrchestratorPaths>({ baseUrl: url })
  const executions = createClient<MedusaPaths>({ baseUrl: url })
  const base = createClient<PocketbasePaths>({ baseUrl: url })
  const chat = createClient<PlaygroundPaths>({ baseUrl: url })
  const gateway = createClient<OpenaiPaths>({ baseUrl: url })
  return [
    // @ts-expect-error -- a form has values by name
    flows.POST('/api/workflow/{workflow_id}/nodes/add/', { params: { path: { workflow_id: 'x' } }, body: { form_values: 1 } }),
    // @ts-expect-error -- a report is of a transaction
    executions.POST('/admin/workflows-executions/{workflow_id}/steps/success', { params: { path: { workflow_id: 'x' } }, body: { step_id: 'ship' } }),
    // @ts-expect-error -- a page is a number
    base.GET('/api/collections/{collection}/records', { params: { path: { collection: 'x' }, query: { page: 'one' } } }),
    // @ts-expect-error -- something is said
    chat.POST('/api/chat/playground/start', { body: {} }),
    // @ts-expect-error -- a model is asked
    gateway.POST('/v1/chat/completions', { body: { messages: [] } }),
  ]
}

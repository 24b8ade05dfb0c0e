import { createClient, createConfig } from './sdk/sluice/client/index.ts'
import * as medusaSdk from './sdk/medusa/sdk.gen.ts'
import * as openaiSdk from './sdk/openai/sdk.gen.ts'
import * as orchestratorSdk from './sdk/orchestrator/sdk.gen.ts'
import * as playgroundSdk from './sdk/playground/sdk.gen.ts'
import * as pocketbaseSdk from './sdk/pocketbase/sdk.gen.ts'
import * as pyspurSdk from './sdk/pyspur/sdk.gen.ts'
import * as sluiceSdk from './sdk/sluice/sdk.gen.ts'
import type { Run } from './sdk/sluice/types.gen.ts'

/** The same with the functions that openapi-ts makes, one for each operation. */

interface Login {
  email: string
  password: string
}

const clientOf = (baseUrl: string, auth?: string) => createClient(createConfig({ baseUrl, ...(auth !== undefined && { auth: () => auth }) }))

/** Draws, starts, waits, decides and reads. */
export async function sluice(baseUrl: string, login: Login) {
  const { token } = must(await sluiceSdk.authLogin({ client: clientOf(baseUrl), body: login }))
  const client = clientOf(baseUrl, token)
  const workflow = must(
    await sluiceSdk.workflowsCreate({
      client,
      body: {
        name: 'Functions',
        definition: {
          nodes: [
            { id: 'order', type: 'input' },
            { id: 'approval', type: 'human', config: { kind: 'approval', message: 'May we?' } },
          ],
          links: [{ source: 'order', target: 'approval' }],
        },
      },
    }),
  )
  const run = must(await sluiceSdk.runsStart({ client, body: { workflow: workflow.id, input: { amount: 1 }, wait: { until: 'parked' } } }))
  const [pause] = must(await sluiceSdk.pausesList({ client, query: { runId: run.id, status: 'open' } })).items
  must(await sluiceSdk.pausesDecide({ client, path: { id: pause!.id }, body: { action: 'approve' } }))
  const ended: Run = must(await sluiceSdk.runsWait({ client, path: { id: run.id }, query: { until: 'finished', ms: 20_000 } }))
  const missing = await sluiceSdk.runsGet({ client, path: { id: '00unknown000000' } })
  return { parked: run.status, ended: ended.status, missing: [missing.response?.status, missing.error?.error.code] }
}

export async function pyspur(baseUrl: string, key: string) {
  const client = clientOf(baseUrl, key)
  const workflow = must(
    await pyspurSdk.createWorkflow({
      client,
      body: { name: 'Functions', definition: { nodes: [{ id: 'input_node', node_type: 'InputNode', config: { output_schema: { amount: 'number' } } }], links: [] } },
    }),
  )
  const path = { workflow_id: workflow.id }
  const outputs = must(await pyspurSdk.runWorkflow({ client, path, body: { initial_inputs: { input_node: { amount: 3 } } } }))
  const missing = await pyspurSdk.getWorkflow({ client, path: { workflow_id: 'none' } })
  return { outputs, missing: [missing.response?.status, missing.error?.detail] }
}

export async function orchestrator(baseUrl: string, { email, password }: Login) {
  const { access } = must(await orchestratorSdk.login({ client: clientOf(baseUrl), body: { username: email, password } }))
  const client = clientOf(baseUrl, access)
  const { id } = must(await orchestratorSdk.createWorkflow({ client, body: { name: 'Functions' } }))
  const path = { workflow_id: id }
  must(await orchestratorSdk.addNode({ client, path, body: { nodeTemplate: 'counter', form_values: { min_value: 0, max_value: 1, direction: 'increment', step: 1 } } }))
  must(await orchestratorSdk.postStartExecution({ client, path }))
  const ended = await ending(
    async () => must(await orchestratorSdk.getTaskStatus({ client, path })),
    ({ status }) => status === 'SUCCESS',
  )
  return { status: ended.status, nodes: must(await orchestratorSdk.listNodes({ client, path })).length }
}

export async function medusa(baseUrl: string, login: Login, workflow_id: string, transaction_id: string) {
  const { token } = must(await medusaSdk.postActorTypeAuthProvider({ client: clientOf(baseUrl), body: login }))
  const client = clientOf(baseUrl, token)
  const path = { workflow_id }
  must(await medusaSdk.postWorkflowsExecutionsWorkflowIdRun({ client, path, body: { transaction_id } }))
  const look = async () => must(await medusaSdk.getWorkflowsExecutionsWorkflowIdTransactionId({ client, path: { workflow_id, transaction_id } })).workflow_execution
  await ending(look, ({ execution }) => {
    const step = execution?.steps?.['_root.ship']
    return step !== undefined && 'invoke' in step && step.invoke.status === 'waiting_response'
  })
  must(await medusaSdk.postWorkflowsExecutionsWorkflowIdStepsSuccess({ client, path, body: { transaction_id, step_id: 'ship', response: {} } }))
  return { state: (await ending(look, ({ state }) => state === 'done')).state }
}

export async function pocketbase(baseUrl: string, { email, password }: Login) {
  const { token = '', record = {} } = must(await pocketbaseSdk.authWithPassword({ client: clientOf(baseUrl), path: { collection: 'users' }, body: { identity: email, password } }))
  const client = clientOf(baseUrl, token)
  const collection = 'workflow_sessions'
  const body = { title: 'Functions', status: 'idle', currentStepId: 'a', steps: [], user: record['id'] }
  const made = must(await pocketbaseSdk.recordsCreate({ client, path: { collection }, body }))
  const seen = must(await pocketbaseSdk.recordsView({ client, path: { collection, id: String(made['id']) } }))
  return { title: seen['title'] }
}

export async function playground(baseUrl: string, token: string, workflowId: string) {
  const client = clientOf(baseUrl, token)
  const { id } = must(await playgroundSdk.startWorkflow({ client, query: { workflowId }, body: { input: 'Hello' } }))
  const path = { workflowId: id }
  await ending(
    async () => must(await playgroundSdk.getWorkflowStatus({ client, path })),
    ({ status }) => status !== 'running',
  )
  return { said: must(await playgroundSdk.getWorkflowMessages({ client, path })).map(({ content }) => content) }
}

export async function openai(baseUrl: string, token: string, model: string) {
  const client = clientOf(baseUrl, token)
  const completion = must(await openaiSdk.createChatCompletion({ client, body: { model, messages: [{ role: 'user', content: 'Hello' }] } }))
  return { said: completion.choices[0]?.message.content }
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

function must<T>({ data, error }: { data: T | undefined; error: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error) ?? 'no answer')
  return data
}

// What must not compile: each line below would, if a type were `any` or nothing were required.
export function refused(run: Run): unknown {
  return [
    // @ts-expect-error -- a run is started of a workflow
    sluiceSdk.runsStart({ body: { input: 1 } }),
    // @ts-expect-error -- a status is one of ten words
    run.status satisfies 'completed',
    // @ts-expect-error -- a workflow has a name
    pyspurSdk.createWorkflow({ body: { description: 'x' } }),
    // @ts-expect-error -- the path names a workflow
    orchestratorSdk.getWorkflow({ path: {} }),
    // @ts-expect-error -- a report is of a transaction
    medusaSdk.postWorkflowsExecutionsWorkflowIdStepsSuccess({ path: { workflow_id: 'x' }, body: { step_id: 'x' } }),
    // @ts-expect-error -- the path names a collection
    pocketbaseSdk.recordsList({ path: {} }),
    // @ts-expect-error -- something is said
    playgroundSdk.startWorkflow({ body: {} }),
    // @ts-expect-error -- a model is asked
    openaiSdk.createChatCompletion({ body: { messages: [] } }),
  ]
}

import createClient from 'openapi-fetch'
import type { components, paths } from './pyspur.ts'

type Schemas = components['schemas']
type Run = Schemas['RunResponseSchema']
type Decision = Schemas['ResumeRunRequestSchema']

const definition: Schemas['WorkflowDefinitionSchemaInput'] = {
  nodes: [
    { id: 'input_node', node_type: 'InputNode', config: { output_schema: { amount: 'number' } } },
    { id: 'approval', node_type: 'HumanInterventionNode', config: { message: 'Charge it?' }, title: 'The question' },
    { id: 'receipt', node_type: 'OutputNode', config: { output_map: { amount: 'The question.input_node.amount', remark: 'The question.remark' } } },
  ],
  links: [
    { source_id: 'input_node', target_id: 'approval' },
    { source_id: 'approval', target_id: 'receipt' },
  ],
}

/** What somebody does who has the document of PySpur's API and nothing else. Throws what the server refused. */
export async function mainJob(baseUrl: string, key: string) {
  const api = createClient<paths, 'application/json'>({ baseUrl, headers: { 'x-api-key': key } })
  const workflow = must(await api.POST('/wf/', { body: { name: 'Generated', definition } }))
  const path = { workflow_id: workflow.id }

  const asked: [string | null, unknown][] = []
  const outputs: unknown[] = []
  const history: (string | null)[] = []
  for (const decision of [
    { action: 'APPROVE', inputs: { remark: 'fine' }, user_id: 'generated' },
    { action: 'OVERRIDE', inputs: { remark: 'mine' }, user_id: 'generated', comments: 'better' },
  ] satisfies Decision[]) {
    const paused = must(
      await api.POST('/wf/{workflow_id}/runv2/', { params: { path, query: { run_type: 'generated' } }, body: { initial_inputs: { input_node: { amount: 1250 } } } }),
    )
    const open = must(await api.GET('/wf/paused_workflows/')).find(({ run }) => run.id === paused.id)
    if (history.length === 0) asked.push([open?.current_pause.pause_message ?? null, open?.current_pause.input_data])
    const run = { path: { run_id: paused.id } }
    must(await api.POST('/wf/process_pause_action/{run_id}/', { params: run, body: decision }))
    const ended = await ending(async () => must(await api.GET('/run/{run_id}/status/', { params: run })))
    outputs.push(ended.outputs?.['receipt'])
    history.push(...must(await api.GET('/wf/pause_history/{run_id}/', { params: run })).map(({ resume_action }) => resume_action))
  }

  const missing = await api.GET('/wf/{workflow_id}/', { params: { path: { workflow_id: 'none' } } })
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- somebody forgets a key
  const unfit = await api.POST('/wf/', { body: { name: 'Unfit', definition: { links: [] } as unknown as typeof definition } })
  const page = async (number: number) => must(await api.GET('/wf/{workflow_id}/runs/', { params: { path, query: { page: number, page_size: 1, status: 'COMPLETED' } } })).length
  const paged = await Promise.all([1, 2, 3].map(page))
  const deleted = await api.DELETE('/wf/{workflow_id}/', { params: { path } })
  return {
    nodes: workflow.definition.nodes.map(({ node_type }) => node_type),
    asked,
    outputs,
    history,
    refused: [missing.response.status, missing.error?.detail],
    unfit: [unfit.response.status, Array.isArray(unfit.error?.detail) ? unfit.error.detail[0]?.loc : null],
    paged,
    gone: [deleted.response.status, (await api.GET('/wf/{workflow_id}/', { params: { path } })).response.status],
  }
}

/** Looks as often as a client does that is not told. */
async function ending(look: () => Promise<Run>): Promise<Run> {
  for (let looks = 0; looks < 200; looks++) {
    const run = await look()
    if (run.status === 'COMPLETED' || run.status === 'FAILED' || run.status === 'CANCELED') return run
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the run never ended')
}

function must<T>({ data, error }: { data?: T; error?: Schemas['HTTPError'] }): T {
  if (data === undefined) throw new Error(error ? JSON.stringify(error.detail) : 'no answer')
  return data
}

// What must not compile: each line below would, if a type were `any` or nothing were required.
export function refused(api: ReturnType<typeof createClient<paths, 'application/json'>>, run: Run): unknown {
  return [
    // @ts-expect-error -- no such path
    api.GET('/walks/'),
    // @ts-expect-error -- a workflow has a name
    api.POST('/wf/', { body: { description: 'x' } }),
    // @ts-expect-error -- no such action
    api.POST('/wf/process_pause_action/{run_id}/', { params: { path: { run_id: 'x' } }, body: { action: 'approve', inputs: {}, user_id: 'x' } }),
    // @ts-expect-error -- no such status
    api.GET('/wf/{workflow_id}/runs/', { params: { path: { workflow_id: 'x' }, query: { status: 'CANCELLED' } } }),
    // @ts-expect-error -- a status is one of six words
    run.status satisfies 'COMPLETED',
    // @ts-expect-error -- there may be no outputs
    run.outputs.receipt,
  ]
}

import type { Json, JsonObject } from '@sluice/schema'
import { expect, test } from 'vitest'
import { medusa } from '../packages/server/src/dialects/medusa/index.ts'
import { orchestrator } from '../packages/server/src/dialects/orchestrator/index.ts'
import { pyspur } from '../packages/server/src/dialects/pyspur/index.ts'
import { describeDialect } from '../packages/server/src/openapi/dialect.ts'
import { describeNative } from '../packages/server/src/openapi/native.ts'
import { contractOf, type Operation } from '../packages/server/test/openapi/contract.ts'
import { said, send } from './openapi/sending.ts'
import { story, type Told } from './openapi/story.ts'
import { readSocket } from './support/events.ts'
import { external, flow } from './support/flow.ts'
import { admin, type Caller, callerOf, testServer } from './support/server.ts'

/**
 * The story of the API is told in one workspace. Just before each of its calls, while everything it names is there, the
 * owner of another workspace makes the same call, naming the same things by their ids. The story knows each operation, so
 * this knows it too.
 */

const contract = contractOf(describeNative())
const idForm = /\b0[a-z0-9]{14}\b/g
/** Stands in what only the first workspace says. */
const mark = 'known-to-one'
const password = 'another correct horse'

const idsIn = (value: unknown): string[] => JSON.stringify(value ?? null).match(idForm) ?? []

/** The same value with other texts. */
function retold(value: Json, change: (text: string, key: string) => string, key = ''): Json {
  if (typeof value === 'string') return change(value, key)
  if (Array.isArray(value)) return value.map((each) => retold(each, change, key))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, retold(each, change, name)]))
}

/** Where the caller gives a new thing its id: ids are one name space for all, so one that is taken is refused, and nothing else is told. */
const claimed: Readonly<Record<string, readonly [number, string]>> = { 'sessions.put': [409, 'id_taken'] }

interface Answer {
  status: number
  body: Json
}

async function ask(url: string, operation: Operation, token: string, input: JsonObject): Promise<Answer> {
  const response = await send(operation, input, { url, token })
  return { status: response.status, body: (await said(response)) ?? null }
}

/** An answer without the id of its request. */
const told = ({ status, body }: Answer): Json => ({ status, body: retold(body, (text, key) => (key === 'requestId' ? '' : text)) })

/** An id of the same form, which nobody has. */
const unknown = (id: string): string => `0${id.slice(8)}${id.slice(1, 8)}`

/** Its owner has nothing to do with the first workspace and its admin. */
async function elsewhere(owner: Caller, url: string): Promise<{ login(): Promise<string>; id: string }> {
  const workspace = await owner.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere', handle: 'elsewhere' })
  const there = await owner.call<{ token: string; user: { id: string } }>('POST', '/v1/auth/switch', { workspace: workspace.id })
  const email = 'stranger@elsewhere.example'
  await owner.call('POST', '/v1/members', { email, role: 'owner', password }, { as: there.token })
  const login = async (): Promise<string> => (await owner.call<{ token: string }>('POST', '/v1/auth/login', { email, password }, { as: '' })).token
  await callerOf(url, await login()).call('DELETE', `/v1/members/${there.user.id}`)
  return { login, id: workspace.id }
}

test('of two workspaces neither sees a trace of the other by any procedure', { timeout: 120_000 }, async () => {
  await using server = await testServer()
  const adminId = (await server.call<{ user: { id: string } }>('GET', '/v1/auth/me')).user.id
  const stranger = await elsewhere(server, server.url)
  const known: Told = {}
  const handles = new Map<string, string>()
  const first = new Set<string>()
  const second = new Set<string>()
  /** What the stranger said itself: its audit log knows it again. */
  const named = new Set<string>()
  const met = { refused: new Set<string>(), answered: new Set<string>() }
  let token = ''
  let strange = await stranger.login()

  const watching = new AbortController()
  const seen: string[] = []
  const stream = fetch(`${server.url}/v1/events`, { headers: { authorization: `Bearer ${strange}`, accept: 'text/event-stream' }, signal: watching.signal })
    .then(async (response) => {
      expect(response.status).toBe(200)
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) seen.push(chunk)
    })
    .catch((error: unknown) => {
      if (!watching.signal.aborted) throw error
    })

  const socket = readSocket(`${server.url}/v1/events`, { authorization: `Bearer ${strange}` })
  const heard: string[] = []
  const listening = (async () => {
    for await (const item of socket) heard.push(JSON.stringify(item))
  })()

  const own = await callerOf(server.url, strange).run(flow({ go: 'input', out: 'output' }, ['go > out']))
  for (const id of idsIn(own)) second.add(id)

  /** What the stranger sends: the first workspace's things by their ids, and names of its own for what is one for all: emails, and workspaces. */
  const foreign = (input: Json, id: string): JsonObject =>
    retold(input, (text, key) => {
      if (key === 'email') return text.replace('@', '@not-')
      if (key === 'handle' && id === 'workspaces.create') return `not-${text}`
      return handles.get(`${key} ${text}`) ?? text
    }) as JsonObject

  for (const { id, input: inputOf } of story) {
    const operation = contract.operations.get(id)!
    const plain = inputOf(known) as JsonObject
    const input = retold(plain, (text) => (text === 'c_42' || text === 'november' ? `${text} ${mark}` : text)) as JsonObject
    const isPublic = operation.security?.length === 0

    if (!isPublic) {
      const sent = foreign(input, id)
      let answer = await ask(server.url, operation, strange, sent)
      // The story ends logins too; the stranger's own among them.
      if (answer.status === 401) answer = await ask(server.url, operation, (strange = await stranger.login()), sent)
      for (const each of idsIn(sent)) named.add(each)
      expect(answer.status, `${id} by a stranger: ${JSON.stringify(answer.body)}`).toBeLessThan(500)
      const traces = idsIn(answer.body).filter((each) => first.has(each) && !named.has(each))
      expect(traces, `${id} shows a stranger what it did not name`).toEqual([])
      if (!JSON.stringify(sent).includes(mark)) expect(JSON.stringify(answer.body), id).not.toContain(mark)
      const foreigners = idsIn(sent).filter((each) => first.has(each))
      const isClaim = Object.hasOwn(claimed, id)
      if (isClaim) expect([answer.status, (answer.body as { error: JsonObject }).error['code']], id).toEqual(claimed[id])
      if (foreigners.length > 0) {
        // Nothing tells what is another's from what is nobody's.
        const nobodys = (text: string): string => text.replaceAll(idForm, (each) => (first.has(each) ? unknown(each) : each))
        const nobody = isClaim ? null : await ask(server.url, operation, strange, retold(sent, nobodys) as JsonObject)
        if (nobody) expect(retold(told(answer), nobodys), `${id}: another's and nobody's`).toEqual(told(nobody))
        met.refused.add(id)
      } else {
        met.answered.add(id)
        if (answer.status < 400) for (const each of idsIn(answer.body)) if (!first.has(each)) second.add(each)
      }
    }

    const reply = await ask(server.url, operation, token, input)
    expect(reply.status, `${id} after a stranger tried: ${JSON.stringify(reply.body)}`).toBeLessThan(400)
    known[id] = reply.body
    const { token: renewed, handle, id: made } = (reply.body ?? {}) as { token?: string; handle?: string; id?: string; refreshToken?: string }
    if (renewed && 'refreshToken' in (reply.body as object)) token = renewed
    if (handle && made) for (const key of ['workflow', 'workspace', 'to']) handles.set(`${key} ${handle}`, made)
    for (const each of idsIn(reply.body)) if (each !== adminId) first.add(each)
    expect(
      idsIn(reply.body).filter((each) => second.has(each) || each === stranger.id),
      `${id} shows the first workspace what is the second's`,
    ).toEqual([])
  }

  watching.abort()
  await stream
  // Its login has ended, and the socket with it.
  await listening
  for (const told of [seen.join(''), heard.join('')]) {
    expect(idsIn(told), 'the stream did flow').toContain(own.id)
    expect(idsIn(told).filter((each) => first.has(each))).toEqual([])
    expect(told).not.toContain(mark)
  }
  // Both ways were gone, and often: a story that names nothing would prove nothing.
  expect(met.refused.size).toBeGreaterThan(30)
  expect(met.answered.size).toBeGreaterThan(15)
  const doors = [...contract.operations.values()].filter(({ security }) => security?.length !== 0).map(({ id }) => id)
  expect([...met.refused, ...met.answered].length).toBeGreaterThan(doors.length * 0.9)
})

// ── in the words of a dialect ──────────────────────────────────────────────────────────────────────────────────────────

/** Things of the first workspace, by what PySpur's API names them with. */
interface Things {
  workflow: string
  handle: string
  run: string
  ended: string
  pause: string
  session: string
  externalId: string
  file: string
  user: string
  /** Of the stranger itself: a chatbot. */
  own: string
}

const approve = { inputs: {}, user_id: 'stranger', action: 'APPROVE' }
const wanted = { name: 'Mine now', description: '', definition: { nodes: [], links: [] } }
const workflowOf = ({ workflow, handle }: Things): JsonObject[] => [{ workflow_id: workflow }, { workflow_id: handle }]
const runOf = ({ run, ended }: Things): JsonObject[] => [{ run_id: run }, { run_id: ended }]
const sessionOf = ({ session }: Things): JsonObject[] => [{ session_id: session }]
/** A start of what is another's, and of what is one's own with another's session or run. */
const startOf = (things: Things): JsonObject[] => [
  ...workflowOf(things).map((each) => ({ ...each, initial_inputs: { in: {} } })),
  { workflow_id: things.own, initial_inputs: { in: { user_message: 'Hello', session_id: things.session } } },
]

/** Of each row what a stranger sends: every id that it takes is another's. */
const cases: Readonly<Record<string, (things: Things) => object[]>> = {
  createWorkflow: () => [wanted],
  listWorkflows: () => [{}, { page_size: 100 }],
  getWorkflow: workflowOf,
  updateWorkflow: (things) =>
    workflowOf(things).flatMap((each) => [
      { ...each, ...wanted },
      { ...each, name: 'No definition' },
    ]),
  resetWorkflow: workflowOf,
  deleteWorkflow: workflowOf,
  duplicateWorkflow: workflowOf,
  getWorkflowOutputVariables: workflowOf,
  uploadTestFiles: (things) => workflowOf(things).map((each) => ({ ...each, node_id: 'in', files: ['a,b'] })),
  getTestFile: ({ workflow, own, file }) => [
    { workflow_id: workflow, name: file },
    { workflow_id: own, name: file },
  ],
  getWorkflowVersions: workflowOf,
  listPausedWorkflows: () => [{}, { page_size: 100 }],
  getPauseHistory: runOf,
  processPauseAction: ({ run, pause }) => [
    { run_id: run, ...approve },
    { run_id: pause, ...approve },
    { run_id: pause, ...approve, action: 'DECLINE' },
  ],
  runWorkflow: startOf,
  runWorkflowV2: startOf,
  startRun: startOf,
  runPartialWorkflow: (things) => workflowOf(things).map((each) => ({ ...each, node_id: 'in', initial_inputs: { in: {} } })),
  getWorkflowRuns: (things) => workflowOf(things).flatMap((each) => [each, { ...each, status: 'PAUSED' }]),
  cancelWorkflow: runOf,
  listRuns: () => [{}, { page_size: 100, parent_only: false }, { run_type: mark }],
  getRun: runOf,
  getRunStatus: runOf,
  getRunStatusOfDeployment: runOf,
  getRunTasks: runOf,
  getRunChildren: runOf,
  deleteRun: runOf,
  createSession: ({ workflow, handle, own, user, externalId }) => [
    { user_id: 'me', workflow_id: workflow },
    { user_id: 'me', workflow_id: handle },
    { user_id: user, workflow_id: own },
    { user_id: 'me', workflow_id: own, external_id: externalId },
  ],
  createTestSession: workflowOf,
  listSessions: ({ user }) => [{}, { limit: 100 }, { user_id: user }, { user_id: `known ${mark}` }],
  getSession: sessionOf,
  deleteSession: sessionOf,
  getSupportedNodeTypes: () => [{}],
}

interface Trying {
  url: string
  /** The stranger's. */
  token: string
  /** Ids of the first workspace. */
  first: ReadonlySet<string>
  /** The same text with what nobody has. */
  nobodys(text: string): string
}

/** The stranger sends all of it, and is answered as if there were nothing. */
async function tryAll({ url, token, first, nobodys: unnamed }: Trying, sent: readonly (readonly [Operation, JsonObject])[]): Promise<void> {
  for (const [operation, input] of sent) {
    const answer = await ask(url, operation, token, input)
    const at = `${operation.id} ${JSON.stringify(input)}: ${answer.status} ${JSON.stringify(answer.body)?.slice(0, 500)}`
    expect(answer.status, at).toBeLessThan(500)
    const named = idsIn(input)
    expect(
      idsIn(answer.body).filter((each) => first.has(each) && !named.includes(each)),
      at,
    ).toEqual([])
    if (!JSON.stringify(input).includes(mark)) expect(JSON.stringify(answer.body), at).not.toContain(mark)

    // What is another's is answered as what is nobody's.
    const nobodys = (text: string): string => unnamed(text.replaceAll(idForm, (each) => (first.has(each) ? unknown(each) : each)))
    const nobody = await ask(url, operation, token, retold(input, nobodys) as JsonObject)
    expect(nobody.status, at).toBe(answer.status)
    if (answer.status >= 400) expect(retold(told(answer), nobodys), at).toEqual(retold(told(nobody), nobodys))
    else if (operation.method === 'GET') expect(retold(answer as unknown as Json, nobodys), at).toEqual(retold(nobody as unknown as Json, nobodys))
  }
}

test("of two workspaces neither sees a trace of the other by any row of PySpur's API", { timeout: 120_000 }, async () => {
  const spur = contractOf(describeDialect(pyspur))
  // A row that is new has its case here.
  expect(Object.keys(cases).toSorted()).toEqual(pyspur.rows.map(({ name }) => name).toSorted())
  expect([...spur.operations.keys()].toSorted()).toEqual(Object.keys(cases).toSorted())

  await using server = await testServer()
  const stranger = await elsewhere(server, server.url)
  // The admin has been there, and logs in at home again.
  const home = (await server.call<{ token: string }>('POST', '/v1/auth/login', admin, { as: '' })).token
  const known = callerOf(server.url, home)
  const token = await stranger.login()
  const strange = callerOf(server.url, token)
  const bot = (name: string) => ({
    name,
    definition: {
      spur_type: 'workflow',
      nodes: ['InputNode in', 'HumanInterventionNode ask'].map((node) => ({ node_type: node.split(' ')[0], id: node.split(' ')[1] })),
      links: [{ source_id: 'in', target_id: 'ask' }],
    },
  })
  const own = await strange.call<{ id: string }>('POST', '/api/wf/', bot('Own'))

  // What there is to see: a paused run, one that has ended, a session with something said in it, a file.
  const { id: workflow } = await known.call<{ id: string }>('POST', '/api/wf/', bot(`Known ${mark}`))
  const { handle } = await known.call<{ handle: string }>('GET', `/v1/workflows/${workflow}`)
  const externalId = 'customer 7'
  const { id: session } = await known.call<{ id: string }>('POST', '/session/', { user_id: `known ${mark}`, workflow_id: workflow, external_id: externalId })
  const inputs = { initial_inputs: { in: { user_message: mark, session_id: session } } }
  const { id: ended } = await known.call<{ id: string }>('POST', `/wf/${workflow}/start_run/?run_type=${mark}`, inputs)
  await known.wait(ended, 'parked')
  await known.call('POST', `/wf/cancel_workflow/${ended}/`)
  await known.wait(ended)
  const { id: run } = await known.call<{ id: string }>('POST', `/wf/${workflow}/start_run/?run_type=${mark}`, { initial_inputs: { in: { text: mark } } })
  await known.wait(run, 'paused')
  const [{ id: pause }] = await known.call<[{ id: string }]>('GET', `/wf/pause_history/${run}/`)
  const form = await send(spur.operations.get('uploadTestFiles')!, { workflow_id: workflow, node_id: 'in', files: [mark] }, { url: server.url, token: home })
  const [path] = ((await form.json()) as { in: [string] }).in
  const { user } = await known.call<{ user: { id: string } }>('GET', '/v1/auth/me')
  const things: Things = { workflow, handle, run, ended, pause, session, externalId, file: path.split('/').at(-1)!, user: user.id, own: own.id }

  const looks = [
    `/wf/${workflow}/`,
    `/wf/?page_size=100`,
    `/run/${run}/tasks/`,
    `/run/?page_size=100`,
    `/wf/pause_history/${run}/`,
    `/wf/${workflow}/versions/`,
    `/session/?limit=100`,
  ]
  // How long a run has been going on is told by the clock.
  const look = async (): Promise<Json[]> =>
    (await Promise.all(looks.map((at) => known.call('GET', at)))).map((seen) => JSON.parse(JSON.stringify(seen).replaceAll(/"duration":[\d.]+/g, '"duration":0')) as Json)
  const found = await look()
  const first = new Set([...idsIn(found), ...idsIn(Object.values({ ...things, own: '' })), ...idsIn(things.file)])
  expect(first.size).toBeGreaterThan(5)
  first.delete(stranger.id)

  const sent = Object.entries(cases).flatMap(([name, inputsOf]) => (inputsOf(things) as JsonObject[]).map((input) => [spur.operations.get(name)!, input] as const))
  await tryAll({ url: server.url, token, first, nobodys: (text) => text.replace(handle, 'no-such-handle') }, sent)
  // All of it is still there, and as it was.
  expect(await look()).toEqual(found)
})

// ── in the words of another ────────────────────────────────────────────────────────────────────────────────────────────

/** Things of the first workspace, by what the Orchestrator's API names them with. */
interface Canvas {
  workflow_id: string
  handle: string
  node_id: string
  connection_id: string
  file_id: string
  task_id: string
  webhook_id: string
  /** Of the stranger itself: a workflow with a node. */
  own: string
  ownNode: string
}

const flowOf = ({ workflow_id, handle }: Canvas): JsonObject[] => [{ workflow_id }, { workflow_id: handle }]
/** What is another's, and what is another's in a workflow of one's own. */
const partOf =
  (key: 'node_id' | 'connection_id', more: JsonObject = {}) =>
  (canvas: Canvas): JsonObject[] => [...flowOf(canvas).map((each) => ({ ...each, [key]: canvas[key], ...more })), { workflow_id: canvas.own, [key]: canvas[key], ...more }]
const filesOf =
  (more: JsonObject = {}) =>
  (canvas: Canvas): JsonObject[] => [
    ...partOf('node_id', { file_id: canvas.file_id, ...more })(canvas),
    { workflow_id: canvas.own, node_id: canvas.ownNode, file_id: canvas.file_id, ...more },
  ]
const flowWith =
  (more: JsonObject) =>
  (canvas: Canvas): JsonObject[] =>
    flowOf(canvas).map((each) => ({ ...each, ...more }))
const taskOf = (canvas: Canvas): JsonObject[] => [
  ...flowOf(canvas),
  ...flowOf(canvas).map((each) => ({ ...each, task_id: canvas.task_id })),
  { workflow_id: canvas.own, task_id: canvas.task_id },
]
const ends = { source_node: 'a', target_node: 'b' }
const nothing = (): JsonObject[] => [{}]

const canvasCases: Readonly<Record<string, (canvas: Canvas) => JsonObject[]>> = {
  createWorkflow: () => [{ name: 'Mine now' }],
  listWorkflows: () => [{ ordering: 'name' }],
  getWorkflow: flowOf,
  updateWorkflow: flowWith({ name: 'Mine now' }),
  patchWorkflow: flowWith({ category: 'mine' }),
  deleteWorkflow: flowOf,
  duplicateWorkflow: flowOf,
  activateWorkflow: flowOf,
  deactivateWorkflow: flowOf,
  getCanvasData: flowOf,
  getRawConfig: flowOf,
  startExecution: flowOf,
  postStartExecution: flowOf,
  stopExecution: taskOf,
  postStopExecution: taskOf,
  getTaskStatus: taskOf,
  getCeleryTaskStatus: ({ task_id }) => [{ task_id }],
  listNodes: flowOf,
  createNode: flowWith({ node_type: 'counter' }),
  addNode: flowWith({ nodeTemplate: 'counter' }),
  getNode: partOf('node_id'),
  updateNode: partOf('node_id', { node_type: 'counter' }),
  patchNode: partOf('node_id', { x: 1 }),
  deleteNode: partOf('node_id'),
  removeNode: partOf('node_id'),
  updateNodePosition: partOf('node_id', { position: { x: 1, y: 1 } }),
  getNodeInput: partOf('node_id'),
  getNodeOutput: partOf('node_id'),
  executeAndSaveNode: partOf('node_id', { input_data: {} }),
  listConnections: flowOf,
  createConnection: flowWith(ends),
  addConnection: flowWith({ source: 'a', target: 'b' }),
  getConnection: partOf('connection_id'),
  updateConnection: partOf('connection_id', ends),
  patchConnection: partOf('connection_id', { source_handle: 'yes' }),
  deleteConnection: partOf('connection_id'),
  removeConnection: partOf('connection_id'),
  listNodeFiles: partOf('node_id'),
  uploadNodeFile: partOf('node_id', { key: 'mine', file: ['a,b'] }),
  getNodeFile: filesOf(),
  deleteNodeFile: filesOf(),
  updateNodeFile: filesOf({ file: ['a,b'] }),
  patchNodeFile: filesOf({ key: 'mine', file: ['a,b'] }),
  getNodeTree: nothing,
  listNodeTypes: nothing,
  countNodeTypes: nothing,
  refreshNodeTypes: nothing,
  getNodeType: () => [{ identifier: 'counter' }],
  getNodeForm: () => [{ identifier: 'counter' }],
  // Under a session of the first workspace: a producer of its own begins anew all the same.
  executeNodeType: () => [{ identifier: 'counter', form_data: { min_value: 0, max_value: 5, direction: 'increment', step: 1 }, session_id: mark }],
  resetNodeSession: () => [{ identifier: 'counter', session_id: `${mark} nobody` }],
  getFieldOptions: () => [{ identifier: 'counter', parent_field: 'step', dependent_field: 'direction' }],
  postWebhook: ({ webhook_id }) => [{ webhook_id, order: 1 }],
  getMe: nothing,
}

/** They ask for no workspace, or end the credential that the others are tried with. */
const elsewhereTried = ['login', 'refreshToken', 'logout', 'register']

test("of two workspaces neither sees a trace of the other by any row of the Orchestrator's API", { timeout: 120_000 }, async () => {
  const flows = contractOf(describeDialect(orchestrator))
  // A row that is new has its case here.
  expect([...Object.keys(canvasCases), ...elsewhereTried].toSorted()).toEqual(orchestrator.rows.map(({ name }) => name).toSorted())

  await using server = await testServer()
  const stranger = await elsewhere(server, server.url)
  const home = (await server.call<{ token: string }>('POST', '/v1/auth/login', admin, { as: '' })).token
  const known = callerOf(server.url, home)
  const token = await stranger.login()
  const strange = callerOf(server.url, token)
  const added = (caller: Caller, workflow: string, nodeTemplate: string, form_values: JsonObject) =>
    caller.call<{ id: string }>('POST', `/api/workflow/${workflow}/nodes/add/`, { nodeTemplate, form_values })
  const own = await strange.call<{ id: string }>('POST', '/api/workflow/', { name: 'Own' })
  const ownNode = await added(strange, own.id, 'counter', {})

  // What there is to see: a run that waits for a webhook, what was tried on a node, a file, a connection.
  const { id: workflow_id } = await known.call<{ id: string }>('POST', '/api/workflow/', { name: `Known ${mark}`, tags: [mark] })
  const { handle } = await known.call<{ handle: string }>('GET', `/v1/workflows/${workflow_id}`)
  const webhook_id = 'orders'
  const producer = await added(known, workflow_id, 'webhook-producer', { webhook_id })
  const { id: node_id } = await added(known, workflow_id, 'static-delay-node', { interval: 1, unit: 'seconds' })
  const { id: connection_id } = await known.call<{ id: string }>('POST', `/api/workflow/${workflow_id}/connections/add/`, { source: producer.id, target: node_id })
  await known.call('PATCH', `/api/workflow/${workflow_id}/nodes/${node_id}/`, { input_data: { mark }, output_data: { mark } })
  const form = await send(flows.operations.get('uploadNodeFile')!, { workflow_id, node_id, key: mark, file: [mark] }, { url: server.url, token: home })
  const { id: file_id, file } = (await form.json()) as { id: string; file: string }
  const { task_id } = await known.call<{ task_id: string }>('POST', `/api/workflow/${workflow_id}/start_execution/`)
  await known.wait(task_id, ({ waitingOn }) => waitingOn.some(({ kind }) => kind === 'signal'))
  const counted = { form_data: { min_value: 0, max_value: 5, direction: 'increment', step: 1 }, session_id: mark }
  await known.call('POST', '/api/nodes/counter/execute/', counted)
  const canvas: Canvas = { workflow_id, handle, node_id, connection_id, file_id, task_id, webhook_id, own: own.id, ownNode: ownNode.id }

  const looks = ['', 'canvas_data/', 'rawconfig/', 'task_status/', `nodes/${node_id}/files/`].map((at) => `/api/workflow/${workflow_id}/${at}`)
  const look = async (): Promise<Json[]> => Promise.all(looks.map((at) => known.call('GET', at)))
  const found = await look()
  const first = new Set([...idsIn(found), ...idsIn({ ...canvas, own: '', ownNode: '' }), ...idsIn(file), producer.id])
  expect(first.size).toBeGreaterThan(5)

  const sent = Object.entries(canvasCases).flatMap(([name, inputsOf]) => inputsOf(canvas).map((input) => [flows.operations.get(name)!, input] as const))
  await tryAll({ url: server.url, token, first, nobodys: (text) => text.replace(handle, 'no-such-handle') }, sent)
  // All of it is still there, and as it was; the run still waits, and the counter goes on where it stood.
  expect(await look()).toEqual(found)
  expect(await known.call('POST', '/api/nodes/counter/execute/', counted)).toMatchObject({ output: { data: { counter: { current: 1 } } } })
})

// ── executions ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What the first workspace has of executions. */
interface Executed {
  workflow: string
  handle: string
  run: string
  transaction: string
}

const workflowsOf = ({ workflow, handle }: Executed): { workflow_id: string }[] => [{ workflow_id: workflow }, { workflow_id: handle }]
const transactionsOf = (executed: Executed): { workflow_id: string; transaction_id: string }[] =>
  workflowsOf(executed).flatMap((each) => [
    { ...each, transaction_id: executed.transaction },
    { ...each, transaction_id: executed.run },
  ])
const reportsOf = (executed: Executed): JsonObject[] => transactionsOf(executed).map((each) => ({ ...each, step_id: 'ship', response: 1 }))

const executionCases: Readonly<Record<string, (executed: Executed) => object[]>> = {
  GetWorkflowsExecutions: ({ workflow, handle, run, transaction }) => [
    {},
    { limit: 1_000, order: 'created_at' },
    { workflow_id: [workflow, handle] },
    { transaction_id: [transaction, run] },
    { q: transaction },
    { q: run },
    { state: 'invoking' },
  ],
  GetWorkflowsExecutionsId: ({ run }) => [{ id: run }, { id: `wf_exec_${run}` }],
  GetWorkflowsExecutionsWorkflow_idTransaction_id: transactionsOf,
  PostWorkflowsExecutionsWorkflow_idRun: (executed) => [...workflowsOf(executed), ...transactionsOf(executed)],
  PostWorkflowsExecutionsWorkflow_idStepsSuccess: reportsOf,
  PostWorkflowsExecutionsWorkflow_idStepsFailure: reportsOf,
  GetUsersMe: nothing,
}

/** As above. */
const loginsOfMedusa = ['PostActor_typeAuth_provider', 'PostActor_typeAuth_provider_register', 'PostSession', 'DeleteSession', 'PostAdminAuthTokenRefresh']

test("of two workspaces neither sees a trace of the other by any row of Medusa's API", { timeout: 120_000 }, async () => {
  const flows = contractOf(describeDialect(medusa))
  // A row that is new has its case here.
  expect([...Object.keys(executionCases), ...loginsOfMedusa].toSorted()).toEqual(medusa.rows.map(({ name }) => name).toSorted())

  await using server = await testServer()
  const stranger = await elsewhere(server, server.url)
  const home = (await server.call<{ token: string }>('POST', '/v1/auth/login', admin, { as: '' })).token
  const known = callerOf(server.url, home)
  const token = await stranger.login()

  // What there is to see: an execution that waits for a report.
  const { id: workflow, handle } = await known.workflow(flow({ in: 'input', ship: external() }, ['in > ship']), `Known ${mark}`)
  const transaction = `order-${mark}`
  const { id: run } = await known.start(workflow, { input: { mark }, transactionId: transaction, wait: { until: 'parked' } })
  const look = (): Promise<Json> => known.call('GET', `/admin/workflows-executions/${handle}/${transaction}`)
  const found = await look()

  const executed: Executed = { workflow, handle, run, transaction }
  const sent = Object.entries(executionCases).flatMap(([name, inputsOf]) => inputsOf(executed).map((input) => [flows.operations.get(name)!, input as JsonObject] as const))
  const nobodys = (text: string): string => text.replaceAll(handle, 'no-such-handle').replaceAll(transaction, 'no-such-transaction')
  await tryAll({ url: server.url, token, first: new Set([workflow, run]), nobodys }, sent)
  // It still waits, as it was.
  expect(await look()).toEqual(found)
})

import type { Definition, Schedule, Version, Workflow } from '@sluice/schema'
import { expect, test } from 'vitest'
import { eventually } from '../support/processes.ts'
import { type Served, type TestServer, inTurn, refusal, testServer } from '../support/server.ts'
import { type Folder, folder, saying } from './folder.ts'

/** A server that has no folder, and runs nothing: those that tests add to it do. */
const doors = (settings: Record<string, string> = {}): Promise<TestServer> => testServer({ SLUICE_ROLE: 'api', ...settings })
const worker = (server: TestServer, modules: Folder | null, more: Record<string, string> = {}): Promise<Served> =>
  server.another({ SLUICE_ROLE: 'all', ...(modules && { SLUICE_WORKFLOWS: modules.path }), ...more })

const known = (server: Served, handle: string): Promise<Workflow> => server.call('GET', `/v1/workflows/${handle}`)
const versionsOf = async (server: Served, handle: string): Promise<number[]> =>
  (await server.call<{ items: Version[] }>('GET', `/v1/workflows/${handle}/versions`)).items.map(({ number }) => number)

/** Says something, waits to be told to go on, and says something else. */
const waiting = (first: string, last: string, options = '{}', name = 'close'): string => `
  export const ${name}Version = defineWorkflow('greet', ${options}, (w) => {
    const said = w.step('say', { invoke: () => '${first}' })
    w.signal('go')
    return [said, w.step('${name}', { invoke: () => '${last}' })]
  })`

test('what the modules of a folder export is published when the server is ready, and runs', async () => {
  await using modules = await folder({
    'one.ts': saying('one', 'first', `{ title: 'Number one', description: 'It says so', input: type({ type: 'object' }) }`),
    'below/two.mts': `${saying('two', 'second')}\nexport const nothing = 7`,
    'below/deeper/three.mjs': saying('three', 'third'),
    // What stands in several modules is one.
    'index.js': `export * from './one.ts'\nexport { two as default, two } from './below/two.mts'`,
    'one.test.ts': `throw new Error('a test is no module of it')`,
    'types.d.ts': `this is not even read`,
    '.hidden/four.ts': saying('four', 'nobody hears'),
    'node_modules/five/index.js': saying('five', 'nobody hears'),
    'notes.txt': 'nor this',
  })
  await using server = await testServer({ SLUICE_WORKFLOWS: modules.path })
  const { items } = await server.call<{ items: Workflow[] }>('GET', '/v1/workflows?order=handle')
  expect(items.map(({ handle, origin, version }) => [handle, origin, version])).toEqual([
    ['one', 'code', 1],
    ['three', 'code', 1],
    ['two', 'code', 1],
  ])
  expect(items[0]).toMatchObject({ name: 'Number one', description: 'It says so' })
  for (const [handle, said] of [
    ['one', 'first'],
    ['two', 'second'],
    ['three', 'third'],
  ] as const)
    expect(await server.start(handle, { input: {}, wait: { until: 'finished' } })).toMatchObject({ status: 'completed', output: said })

  await server.workflow({ kind: 'workflow', nodes: [], links: [] }, 'Drawn')
  const drawn = await server.call<{ items: Workflow[] }>('GET', `/v1/workflows?where=${encodeURIComponent(JSON.stringify({ origin: 'drawn' }))}`)
  expect(drawn.items.map(({ handle }) => handle)).toEqual(['drawn'])
})

test('of what is as it was nothing is written, and of what is new one version, by however many servers that start at once', async () => {
  await using before = await folder({ 'greet.ts': saying('greet', 'hello') })
  await using after = await folder({ 'greet.ts': saying('greet', 'hello', `{ retainForSeconds: 60 }`) })
  await using server = await doors()
  const started = await Promise.all(Array.from({ length: 4 }, () => worker(server, before)))
  const first = await known(server, 'greet')
  expect(first).toMatchObject({ version: 1, revision: 1 })
  await worker(server, before)
  expect(await known(server, 'greet')).toEqual(first)
  await Promise.all(started.map((each) => each[Symbol.asyncDispose]()))

  await Promise.all(Array.from({ length: 3 }, () => worker(server, after)))
  expect(await known(server, 'greet')).toMatchObject({ id: first.id, version: 2, revision: 2 })
  expect(await versionsOf(server, 'greet')).toEqual([2, 1])
  // Back to what it was: that is a version already.
  await worker(server, before)
  expect(await versionsOf(server, 'greet')).toEqual([2, 1])
  expect(await known(server, 'greet')).toMatchObject({ revision: 3 })
  expect(await server.start('greet', { wait: { until: 'finished' } })).toMatchObject({ version: 1, status: 'completed' })
})

test('a changed definition is a new version, and a run in flight finishes on its own, with the handlers of its own', async () => {
  await using before = await folder({ 'greet.ts': waiting('hello', 'goodbye') })
  await using after = await folder({
    'greet.ts': waiting('hi', 'bye', '{}', 'leave'),
    'older/greet.ts': waiting('hello', 'goodbye', '{ superseded: true }'),
  })
  await using server = await doors()
  const old = await worker(server, before)
  const run = await server.wait(await server.start('greet'), 'parked')
  expect(run).toMatchObject({ version: 1, waitingOn: [{ kind: 'signal' }] })
  await old[Symbol.asyncDispose]()

  await worker(server, after)
  expect(await known(server, 'greet')).toMatchObject({ version: 2 })
  const newer = await server.wait(await server.start('greet'), 'parked')
  for (const { id } of [run, newer]) await server.call('POST', '/v1/signals', { runId: id, name: 'go' })
  expect(await server.wait(run)).toMatchObject({ version: 1, status: 'completed', output: ['hello', 'goodbye'] })
  expect(await server.wait(newer)).toMatchObject({ version: 2, status: 'completed', output: ['hi', 'bye'] })
})

test('a run whose handlers are nowhere waits and says for which, and goes on when a server comes that has them', async () => {
  await using before = await folder({ 'greet.ts': waiting('hello', 'goodbye') })
  await using after = await folder({ 'greet.ts': waiting('hi', 'bye', '{}', 'leave') })
  await using server = await doors()
  const old = await worker(server, before)
  const run = await server.wait(await server.start('greet'), 'parked')
  await old[Symbol.asyncDispose]()

  const newer = await worker(server, after)
  await server.call('POST', '/v1/signals', { runId: run.id, name: 'go' })
  const stuck = await server.wait(run, (found) => found.waitingKind === 'version')
  expect(stuck).toMatchObject({ status: 'waiting', waitingOn: [{ kind: 'version', missing: ['greet/close'] }], endedAt: null })
  await newer[Symbol.asyncDispose]()

  await worker(server, before)
  await eventually('the run goes on', async () => (await server.get(run)).endedAt !== null, 60_000)
  expect(await server.get(run)).toMatchObject({ status: 'completed', version: 1, output: ['hello', 'goodbye'] })
})

test('beside a server that has no folder runs are carried on by the one that has it, and are not passed to and fro meanwhile', { timeout: 240_000 }, async () => {
  await using modules = await folder({ 'greet.ts': waiting('hello', 'goodbye') })
  await using server = await testServer()
  const other = await worker(server, modules)
  const starters = [server, other]
  const runs = await inTurn(
    Array.from({ length: 12 }, (_, at) => starters[at % 2]!),
    (each) => each.start('greet'),
  )
  for (const { id } of runs) await server.call('POST', '/v1/signals', { runId: id, name: 'go' })
  await eventually('all are done', async () => (await Promise.all(runs.map((run) => server.get(run)))).every(({ status }) => status === 'completed'), 150_000)
  const [claims] = await server.db.database.query<{ most: number; all: number }>('select max(epoch) as most, sum(epoch) as all from runs')
  // Each look takes a claim. One that is lost to the server without the folder comes again 15 s later, and no sooner.
  expect(claims!.all).toBeLessThan(12 * 12)
})

test('a server of the role api starts workflows in code without their folder', async () => {
  await using modules = await folder({ 'greet.ts': saying('greet', 'hello') })
  await using server = await doors()
  await worker(server, modules, { SLUICE_ROLE: 'worker' })
  expect(await server.start('greet', { wait: { until: 'finished' } })).toMatchObject({ status: 'completed', output: 'hello' })
})

test('what is written in code is changed there alone, by whatever face one comes', async () => {
  await using modules = await folder({ 'greet.ts': saying('greet', 'hello') })
  await using server = await testServer({ SLUICE_WORKFLOWS: modules.path })
  const { id, draft } = await known(server, 'greet')
  const there = `/v1/workflows/${id}`
  const empty: Definition = { kind: 'workflow', nodes: [], links: [] }
  const changes: [string, string, object][] = [
    ['PATCH', there, { definition: empty }],
    ['PATCH', there, { name: 'Mine' }],
    ['PATCH', there, { handle: 'mine' }],
    ['PATCH', there, { description: '' }],
    ['POST', `${there}/reset`, {}],
    ['POST', `${there}/edit`, { operations: [{ op: 'removeNode', nodeId: 'say' }] }],
    ['POST', `${there}/nodes/say/try`, { config: { workflow: 'greet', name: 'say' }, save: true }],
  ]
  for (const [method, path, body] of changes)
    expect(await refusal(server.call(method, path, body)), `${method} ${path} ${JSON.stringify(body)}`).toMatchObject({
      status: 409,
      code: 'workflow_in_code',
      details: { workflow: id },
    })

  const as = async (method: string, path: string, body: object): Promise<[number, string]> => {
    const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' }
    const response = await fetch(server.url + path, { method, headers, body: JSON.stringify(body) })
    return [response.status, await response.text()]
  }
  const pyspur = await as('PUT', `/api/wf/${id}/`, { name: 'Mine', description: '', definition: { nodes: [], links: [], test_inputs: [] } })
  expect(pyspur).toEqual([409, '{"detail":"The workflow is written in code, and is changed there"}'])
  const orchestrator = await as('PATCH', `/api/workflow/${id}/`, { name: 'Mine' })
  expect(orchestrator[0]).toBe(409)
  expect(JSON.parse(orchestrator[1])).toMatchObject({ code: 'CONFLICT', error: 'The workflow is written in code, and is changed there' })
  expect(await known(server, 'greet')).toMatchObject({ draft, revision: 1, name: 'greet', handle: 'greet' })

  // What is not in the code is nobody else's to say.
  expect(await server.call('PATCH', there, { extra: { orchestrator: { category: 'talk' } } })).toMatchObject({ extra: { orchestrator: { category: 'talk' } }, origin: 'code' })
  expect(await server.call('POST', `${there}/edit`, { operations: [{ op: 'setSample', nodeId: 'say', input: {} }] })).toMatchObject({ origin: 'code', revision: 1 })

  const copy = await server.call<Workflow>('POST', `${there}/duplicate`, { name: 'Copy' })
  expect(copy).toMatchObject({ origin: 'drawn', draft })
  expect(await server.call('PATCH', `/v1/workflows/${copy.id}`, { name: 'Mine' })).toMatchObject({ name: 'Mine' })
  expect(await server.start(copy, { wait: { until: 'finished' } })).toMatchObject({ status: 'completed', output: 'hello' })

  await server.call('DELETE', there)
  expect(await refusal(known(server, 'greet'))).toMatchObject({ code: 'workflow_missing' })
  await worker(server, modules)
  const again = await known(server, 'greet')
  expect(again).toMatchObject({ origin: 'code', version: 1 })
  expect(again.id).not.toBe(id)
})

test('what is taken out of the folder stays, with its runs, and its schedule does not', async () => {
  await using both = await folder({
    'greet.ts': saying('greet', 'hello', `{ schedule: { name: 'daily', cron: '0 8 * * *', timeZone: 'Europe/Berlin' } }`),
    'other.ts': saying('other', 'else'),
  })
  await using one = await folder({ 'greet.ts': saying('greet', 'hello') })
  await using server = await doors()
  const before = await worker(server, both)
  const ran = await server.start('other', { wait: { until: 'finished' } })
  const schedules = async (): Promise<Schedule[]> => (await server.call<{ items: Schedule[] }>('GET', '/v1/schedules')).items
  expect(await schedules()).toMatchObject([{ name: 'daily', cron: '0 8 * * *', timeZone: 'Europe/Berlin' }])
  await before[Symbol.asyncDispose]()

  await worker(server, one)
  expect(await schedules()).toEqual([])
  expect(await known(server, 'other')).toMatchObject({ origin: 'code', version: 1 })
  expect(await server.get(ran)).toMatchObject({ status: 'completed' })
  const run = await server.start('other')
  await eventually('it waits', async () => (await server.get(run)).waitingKind === 'version')
  expect(await server.get(run)).toMatchObject({ status: 'queued', waitingOn: [{ kind: 'version', missing: ['other/say'] }], endedAt: null })
})

test('functions belong to the workspace that their workflow is published in: no other one calls them by drawing a node', async () => {
  await using modules = await folder({ 'greet.ts': saying('greet', 'hello') })
  await using server = await testServer({ SLUICE_WORKFLOWS: modules.path })
  const calls: Definition = { kind: 'workflow', nodes: [{ id: 'call', type: 'function', config: { workflow: 'greet', name: 'say' } }], links: [] }
  expect(await server.run(calls)).toMatchObject({ status: 'completed', output: { call: 'hello' } })

  const { id } = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere', handle: 'elsewhere' })
  const { token: as } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: id })
  // By the handle of one of its own, too.
  await server.call('POST', '/v1/workflows', { name: 'Greet', handle: 'greet', definition: calls }, { as })
  const run = await server.call('POST', '/v1/runs', { workflow: 'greet', wait: { until: 'finished' } }, { as })
  expect(run).toMatchObject({ status: 'failed', reason: { code: 'step_failed', step: 'call' } })
  expect(JSON.stringify(run)).toContain('function_missing')
})

const refusals: Record<string, [Record<string, string>, RegExp]> = {
  'a module throws': [{ 'bad.ts': `throw new Error('no warehouse\\nand more')` }, /^\S*bad\.ts cannot be loaded: no warehouse/],
  'a module cannot be found': [{ 'bad.ts': `import './nowhere.ts'` }, /^\S*bad\.ts cannot be loaded: .*nowhere\.ts/],
  'two are named alike': [{ 'a.ts': saying('greet', 'a'), 'b.ts': saying('greet', 'b') }, /^Two workflows are named greet, in \S*a\.ts and in \S*b\.ts: rename one/],
  'a definition cannot be composed': [
    { 'bad.ts': `export const bad = defineWorkflow('bad', (w) => { w.step('say', { invoke: () => 1 }); w.step('say', { invoke: () => 2 }) })` },
    /^\S*bad\.ts cannot be loaded: .*say/,
  ],
  'a definition is not valid': [
    { 'bad.ts': `export const bad = defineWorkflow('bad', (w) => w.node('call', 'http-request', { method: 'GET' }))`, 'fine.ts': saying('fine', 'x') },
    /^\S*bad\.ts: the workflow bad is not valid: step call, config\.url, /,
  ],
  'a schedule is not valid': [{ 'bad.ts': saying('bad', 'x', `{ schedule: { cron: '0 8 * * 9' } }`) }, /^\S*bad\.ts: the workflow bad is not valid: schedules\.schedule\.cron, /],
}

test.for(Object.entries(refusals))('the start is refused when %s, and nothing is published', async ([, [texts, line]]) => {
  await using modules = await folder(texts)
  await using server = await doors()
  const error: unknown = await worker(server, modules).catch((failure: unknown) => failure)
  expect(error).toMatchObject({ name: 'StartRefused' })
  expect((error as Error).message).toMatch(line)
  expect((error as Error).message).not.toContain('\n')
  expect(await server.call('GET', '/v1/workflows')).toMatchObject({ items: [] })
})

test('a workflow that was drawn is not taken over by one in code of its handle', async () => {
  await using modules = await folder({ 'first.ts': saying('first', 'x'), 'greet.ts': saying('greet', 'hello') })
  await using server = await doors()
  const drawn = await server.workflow({ kind: 'workflow', nodes: [], links: [] }, 'Greet')
  await expect(worker(server, modules)).rejects.toMatchObject({
    name: 'StartRefused',
    message: expect.stringMatching(/greet\.ts: there is a workflow of the handle greet that was drawn\. Give one/),
  })
  expect(await known(server, 'greet')).toEqual(drawn)
  expect(await refusal(known(server, 'first'))).toMatchObject({ code: 'workflow_missing' })
})

test('a handle that is taken by a drawing at the same moment is found taken', async () => {
  await using modules = await folder({ 'greet.ts': saying('greet', 'hello') })
  await using server = await doors()
  const drawing = await server.db.database.dedicated()
  try {
    await drawing.query('begin')
    await drawing.query(
      `insert into workflows (id, workspace_id, handle, name, draft) select '00000drawing000', id, 'greet', 'Greet', '{"kind":"workflow","nodes":[],"links":[]}' from workspaces`,
    )
    const starting = worker(server, modules).catch((error: unknown) => error)
    const waits = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into workflows%'`
    await eventually('the server waits for who draws', async () => (await server.db.database.query(waits)).length > 0)
    await drawing.query('commit')
    expect(await starting).toMatchObject({ name: 'StartRefused' })
  } finally {
    await drawing.end()
  }
})

test('a folder that does not exist, or exports nothing, is told of', async () => {
  await using modules = await folder({ 'values.ts': 'export const seven = 7' })
  await using server = await doors()
  await expect(server.another({ SLUICE_WORKFLOWS: `${modules.path}/nowhere` })).rejects.toMatchObject({
    name: 'StartRefused',
    message: `The folder of workflows ${modules.path}/nowhere does not exist`,
  })
  const { lines } = await server.another({ SLUICE_WORKFLOWS: modules.path, SLUICE_LOG_LEVEL: 'warn' })
  expect(lines.join('')).toContain('No module of the folder of workflows exports one')
})

test('a module that never has done loading does not hold the start up for ever', async () => {
  await using modules = await folder({ 'bad.ts': 'await new Promise(() => {})' })
  const { loadWorkflows } = await import('../../packages/server/src/code/load.ts')
  const begun = performance.now()
  await expect(loadWorkflows(modules.path, { patienceMs: 300 })).rejects.toMatchObject({
    name: 'StartRefused',
    message: expect.stringMatching(/bad\.ts is not loaded after 0\.3 s/),
  })
  expect(performance.now() - begun).toBeLessThan(15_000)
})

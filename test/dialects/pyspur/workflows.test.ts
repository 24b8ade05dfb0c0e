import { setTimeout as sleep } from 'node:timers/promises'
import type { Definition, Workflow } from '@sluice/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { flow } from '../../support/flow.ts'
import { given, input, made, node, output, stranger, wireOf } from './graphs.ts'
import { type Answer, type Client, pyspurServer, type PySpur } from './server.ts'

/** PySpur's page "Workflow management", but for its pauses. */

let spur: PySpur
beforeAll(async () => {
  spur = await pyspurServer()
})
afterAll(() => spur[Symbol.asyncDispose]())

const ok = async (answer: Promise<Answer>, status = 200) => {
  const { status: got, body } = await answer
  expect([got, got === status ? null : body]).toEqual([status, null])
  return body
}
const make = (body: object, client: Client = spur) => ok(client.call('POST', '/wf/', body))
const naive = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?$/

// ── create ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test('a workflow without a definition begins with an input node; its times do not say that they are UTC', async () => {
  const made = await make({ name: 'Begun' })
  expect(Object.keys(made)).toEqual(['id', 'name', 'description', 'definition', 'created_at', 'updated_at'])
  expect(made).toMatchObject({
    name: 'Begun',
    description: '',
    definition: { links: [], test_inputs: [], spur_type: 'workflow', nodes: [{ id: 'input_node', node_type: 'InputNode' }] },
  })
  for (const time of [made.created_at, made.updated_at]) {
    expect(time).toMatch(naive)
    // As the front end reads it.
    expect(Math.abs(Date.parse(`${time}Z`) - Date.now())).toBeLessThan(60_000)
  }
})

test('no nodes, as the editor sends them, are those that the kind begins with: a chatbot has the fields of a chat, an agent stays one', async () => {
  const kinds = ['workflow', 'chatbot', 'agent'] as const
  const begun = await Promise.all(kinds.map((spur_type) => make({ name: `New ${spur_type}`, definition: { nodes: [], links: [], spur_type } })))
  expect(begun.map(({ definition }) => [definition.spur_type, definition.nodes.map(({ id }: { id: string }) => id)])).toEqual([
    ['workflow', ['input_node']],
    ['chatbot', ['input_node', 'output_node']],
    ['agent', ['input_node']],
  ])
})

test('a blank name is made one, and names are unique, also when many are made at once', async () => {
  expect((await make({ name: '' })).name).toBe('Untitled Workflow')
  expect((await make({ name: '  ' })).name).toBe('Untitled Workflow (2)')
  const many = await Promise.all(Array.from({ length: 12 }, () => make({ name: 'Same' })))
  expect(many.map(({ name }) => name).toSorted()).toEqual(['Same', ...Array.from({ length: 11 }, (_, at) => `Same (${at + 2})`)].toSorted())
})

test('keys that code could take for something else are dropped, in a config too, and nothing beside them', async () => {
  const sent =
    '{"name":"Odd keys","definition":{"nodes":[{"id":"in","node_type":"InputNode","config":{"__proto__":{"a":1},"constructor":{"b":2},"toString":{"prototype":3,"c":4}}}],"links":[]}}'
  const { status, body } = await spur.call('POST', '/wf/', sent)
  expect([status, body.definition.nodes[0].config]).toEqual([200, { toString: { c: 4 } }])
})

test('keys that are not known are dropped, but those of a config are kept', async () => {
  const one = { id: 'in', node_type: 'InputNode', config: { mine: { deep: [1, null, { x: 'y' }] } }, other: 2 }
  const { definition: stored, more } = await make({ name: 'Extra', definition: { nodes: [one], links: [], more: 1 }, more: 3 })
  expect([more, stored.more, stored.nodes[0].other]).toEqual([undefined, undefined, undefined])
  expect(stored.nodes[0].config).toEqual({ mine: { deep: [1, null, { x: 'y' }] } })
})

test('what a workflow is made of may be of types that nobody knows, and is made settings that PySpur runs by', async () => {
  const id = await made(spur, { nodes: [input, node('x', 'MCTSNode', { depth: 3 }), output()], links: [['in', 'x']] })
  const { draft } = await spur.server.call<Workflow>('GET', `/v1/workflows/${id}`)
  expect(draft.settings).toEqual({ join: 'all', onFailure: 'continue' })
})

// ── read ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

test('every operation is found with and without the slash at the end, and below /api', async () => {
  const { id } = await make({ name: 'Everywhere' })
  for (const client of [spur, spur.api])
    for (const end of ['/', '']) {
      expect((await ok(client.call('GET', `/wf/${id}${end}`))).id).toBe(id)
      expect((await ok(client.call('GET', `/wf${end}?page_size=100`))).some((each: { id: string }) => each.id === id)).toBe(true)
      expect(await ok(client.call('GET', `/wf/${id}/output_variables${end}`))).toHaveLength(1)
      expect(await ok(client.call('GET', `/wf/${id}/versions${end}`))).toEqual([])
      const copy = await ok(client.call('POST', `/wf/${id}/duplicate${end}`))
      expect((await ok(client.call('PUT', `/wf/${copy.id}${end}`, { name: 'Put', definition: copy.definition }))).name).toBe('Put')
      expect((await ok(client.call('PUT', `/wf/${copy.id}/reset${end}`))).id).toBe(copy.id)
      expect((await ok(client.call('POST', `/wf/upload_test_files${end}`, form(copy.id, ['a.txt']))))['in']).toHaveLength(1)
      await ok(client.call('DELETE', `/wf/${copy.id}${end}`), 204)
      const another = await ok(client.call('POST', `/wf${end}`, { name: 'More' }))
      await ok(client.call('DELETE', `/wf/${another.id}${end}`), 204)
    }
})

test('workflows are listed newest first, and no page is short although drafts that cannot be said lie between', { timeout: 60_000 }, async () => {
  await using own = await pyspurServer()
  const wanted: string[] = []
  for (let at = 0; at < 25; at++) {
    wanted.unshift((await ok(own.call('POST', '/wf/', { name: `Flow ${at}` }))).id)
    const unfit: Definition = at % 2 === 0 ? { ...flow({ a: 'input' }), testInputs: ['no object'] } : flow({ a: 'SingleLLMCallNode' })
    await own.server.workflow(unfit, `Unfit ${at}`)
  }
  const page = async (number: number, size: number) => (await ok(own.call('GET', `/wf/?page=${number}&page_size=${size}`))).map(({ id }: { id: string }) => id)
  expect(await page(1, 10)).toEqual(wanted.slice(0, 10))
  expect(await page(2, 10)).toEqual(wanted.slice(10, 20))
  expect(await page(3, 10)).toEqual(wanted.slice(20))
  expect(await page(4, 10)).toEqual([])
  expect(await ok(own.call('GET', '/wf/'))).toHaveLength(10)
  expect(await page(1, 100)).toEqual(wanted)
})

test('a draft that was made sayable, or unsayable, natively enters the list, or leaves it', async () => {
  const { id } = await make({ name: 'In and out' })
  const isListed = async () => (await ok(spur.call('GET', '/wf/?page_size=100'))).some((each: { id: string }) => each.id === id)
  const { draft } = await spur.server.call<Workflow>('GET', `/v1/workflows/${id}`)
  await spur.server.call('PATCH', `/v1/workflows/${id}`, { definition: { ...draft, testInputs: [[]] } })
  expect(await isListed()).toBe(false)
  const hidden = await spur.call('GET', `/wf/${id}/`)
  expect([hidden.status, hidden.body.detail]).toEqual([409, expect.stringContaining('test inputs')])
  await spur.server.call('PATCH', `/v1/workflows/${id}`, { definition: { ...draft, testInputs: [{}] } })
  expect(await isListed()).toBe(true)
})

test('the outputs of the nodes that no link leaves are listed under their nodes, of loops too', async () => {
  const schema = (...names: string[]) => ({ output_schema: Object.fromEntries(names.map((name) => [name, 'string'])) })
  const id = await made(spur, {
    nodes: [
      node('in', 'InputNode', schema('input_1')),
      node('loop', 'ForLoopNode', { ...schema('n'), num_iterations: 2 }),
      node('inner', 'StaticValueNode', { ...schema('x', 'y'), values: {} }, { parent_id: 'loop' }),
      node('silent', 'HumanInterventionNode'),
    ],
    links: [
      ['in', 'loop'],
      ['in', 'silent'],
    ],
  })
  const variables = await ok(spur.call('GET', `/wf/${id}/output_variables/`))
  expect(variables).toEqual([
    { node_id: 'loop', variable_name: 'n', prefixed_variable: 'loop-n' },
    { node_id: 'inner', variable_name: 'x', prefixed_variable: 'inner-x' },
    { node_id: 'inner', variable_name: 'y', prefixed_variable: 'inner-y' },
  ])
})

// ── change ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test('an update replaces name, description and definition, even by a name that is taken; a description that is not sent is empty', async () => {
  await make({ name: 'Taken' })
  const { id, created_at, updated_at } = await make({ name: 'Before', description: 'words' })
  await sleep(5)
  const definition = wireOf({ nodes: [input, output({ text: 'in.text' })], links: [['in', 'out']] })
  const put = await ok(spur.call('PUT', `/wf/${id}/`, { name: 'Taken', definition }))
  expect(put).toMatchObject({ id, name: 'Taken', description: '', created_at })
  expect(put.updated_at > updated_at).toBe(true)
  expect(put.definition.nodes.map((each: { id: string }) => each.id)).toEqual(['in', 'out'])
  expect(await ok(spur.call('GET', `/wf/${id}/`))).toEqual(put)
  expect((await ok(spur.call('PUT', `/wf/${id}/`, { name: ' ', definition }))).name).toBe('Untitled Workflow')
  const { handle } = await spur.server.call<Workflow>('GET', `/v1/workflows/${id}`)
  expect((await ok(spur.call('GET', `/wf/${handle}/`))).id).toBe(id)
})

test('an update without a definition is refused, changes nothing, and first misses what is not there', async () => {
  const workflow = await make({ name: 'Kept', description: 'words' })
  for (const body of [{ name: 'Other' }, { name: 'Other', definition: null }])
    expect(await spur.call('PUT', `/wf/${workflow.id}/`, body)).toMatchObject({ status: 400, body: { detail: 'Workflow definition is required to update a workflow' } })
  expect(await ok(spur.call('GET', `/wf/${workflow.id}/`))).toEqual(workflow)
  expect(await spur.call('PUT', '/wf/nothing/', { name: 'Other' })).toMatchObject({ status: 404, body: { detail: 'Workflow not found' } })
})

test('reset begins anew by its kind, and leaves name, description, versions and runs alone', async () => {
  const chat = await make({ name: 'Chat', description: 'talks', definition: { nodes: [], links: [], spur_type: 'chatbot' } })
  const more = { ...chat.definition, nodes: [...chat.definition.nodes, node('x', 'StaticValueNode', { values: { a: 1 } })] }
  await ok(spur.call('PUT', `/wf/${chat.id}/`, { name: 'Chat', description: 'talks', definition: more }))
  expect(await ok(spur.call('PUT', `/wf/${chat.id}/reset/`))).toEqual({ ...chat, updated_at: expect.stringMatching(naive) })

  const id = await made(spur, { nodes: [input], links: [] }, 'Plain')
  await ok(spur.call('POST', `/wf/${id}/runv2/`, given()))
  const reset = await ok(spur.call('PUT', `/wf/${id}/reset/`))
  expect(reset).toMatchObject({ id, name: 'Plain', definition: { nodes: [{ id: 'input_node' }] } })
  expect(await ok(spur.call('GET', `/wf/${id}/versions/`))).toHaveLength(1)
  expect(await ok(spur.call('GET', `/wf/${id}/runs/`))).toHaveLength(1)
})

test('a copy has the definition and the description, a name of its own, and neither versions nor runs', async () => {
  const id = await made(spur, { nodes: [input], links: [] }, 'Original')
  await ok(spur.call('POST', `/wf/${id}/runv2/`, given()))
  const source = await ok(spur.call('GET', `/wf/${id}/`))
  const copies = [await ok(spur.call('POST', `/wf/${id}/duplicate/`)), await ok(spur.call('POST', `/wf/${id}/duplicate/`))]
  expect(copies.map(({ name }) => name)).toEqual(['Original (Copy)', 'Original (Copy) (2)'])
  for (const copy of copies) {
    expect(copy.definition).toEqual(source.definition)
    expect(copy.id).not.toBe(id)
    expect(await ok(spur.call('GET', `/wf/${copy.id}/versions/`))).toEqual([])
    expect(await ok(spur.call('GET', `/wf/${copy.id}/runs/`))).toEqual([])
  }
})

test('a workflow that is deleted is gone, with its runs and its files', async () => {
  const id = await made(spur, { nodes: [input], links: [] }, 'Short-lived')
  const paths: string[] = (await ok(spur.call('POST', '/wf/upload_test_files/', form(id, ['a.txt', 'b.txt']))))['in']
  expect((await spur.call('GET', `/files/${paths[0]}`)).body.toString()).toBe('bytes of a.txt')
  await ok(spur.call('DELETE', `/wf/${id}/`), 204)
  for (const path of paths) expect(await spur.call('GET', `/files/${path}`)).toMatchObject({ status: 404, body: { detail: 'File not found' } })
  expect((await spur.call('GET', `/wf/${id}/`)).status).toBe(404)
  expect((await spur.call('DELETE', `/wf/${id}/`)).status).toBe(404)
})

// ── versions ───────────────────────────────────────────────────────────────────────────────────────────────────────────

test('a version is made by a start, not by a save; one of an old definition is that of then; newest first, in pages', async () => {
  const first = wireOf({ nodes: [input], links: [] })
  const { id } = await make({ name: 'Versioned', definition: first })
  const put = (definition: object) => ok(spur.call('PUT', `/wf/${id}/`, { name: 'Versioned', definition }))
  const start = () => ok(spur.call('POST', `/wf/${id}/runv2/`, given()))
  const versions = (query = '') => ok(spur.call('GET', `/wf/${id}/versions/${query}`))
  expect(await versions()).toEqual([])
  await start()
  await put({ ...first, test_inputs: [{ a: 1 }] })
  expect(await versions()).toHaveLength(1)
  await start()
  await put(first)
  await start()
  const all = await versions()
  expect(all.map(({ version }: { version: number }) => version)).toEqual([2, 1])
  for (const version of all) {
    expect(Object.keys(version)).toEqual(['version', 'name', 'description', 'definition', 'definition_hash', 'created_at', 'updated_at'])
    expect(version.definition_hash).toMatch(/^[0-9a-f]{64}$/)
    expect([version.created_at, version.created_at === version.updated_at]).toEqual([expect.stringMatching(naive), true])
  }
  expect(all[0].definition_hash).not.toBe(all[1].definition_hash)
  expect(all[0].definition.test_inputs).toEqual([{ a: 1 }])
  expect(await versions('?page=1&page_size=1')).toEqual(all.slice(0, 1))
  expect(await versions('?page=2&page_size=1')).toEqual(all.slice(1))
  expect(await versions('?page=3&page_size=1')).toEqual([])
})

test('to look at a workflow and to save it as it is makes no other version', async () => {
  const { id } = await make({ name: 'Saved' })
  const { definition } = await ok(spur.call('GET', `/wf/${id}/`))
  await ok(spur.call('POST', `/wf/${id}/runv2/`, { initial_inputs: { input_node: { input_1: 'a' } } }))
  await ok(spur.call('PUT', `/wf/${id}/`, { name: 'Saved', definition }))
  await ok(spur.call('POST', `/wf/${id}/runv2/`, { initial_inputs: { input_node: { input_1: 'b' } } }))
  expect(await ok(spur.call('GET', `/wf/${id}/versions/`))).toHaveLength(1)
})

// ── files ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

function form(workflow: string | null, names: string[], node_id: string | null = 'in'): FormData {
  const form = new FormData()
  if (workflow !== null) form.append('workflow_id', workflow)
  if (node_id !== null) form.append('node_id', node_id)
  for (const name of names) form.append('files', new Blob([`bytes of ${name}`], { type: 'text/plain' }), name)
  return form
}

test('files are stored under names of the server, told under the id of the node, and given back at their paths', async () => {
  const { id } = await make({ name: 'With files' })
  for (const client of [spur, spur.api]) {
    const stored = await ok(client.call('POST', '/wf/upload_test_files/', form(id, ['report.PDF', '../../../etc/passwd', 'report.PDF'], 'node_7')))
    expect(Object.keys(stored)).toEqual(['node_7'])
    const paths: string[] = stored.node_7
    expect(new Set(paths).size).toBe(3)
    for (const [at, path] of paths.entries()) {
      expect(path).toMatch(new RegExp(String.raw`^test_files/${id}/\d{8}_\d{6}_[a-z0-9]{15}${at === 1 ? '' : String.raw`\.pdf`}$`))
      expect((await client.call('GET', `/files/${path}`)).body.toString()).toBe(`bytes of ${at === 1 ? '../../../etc/passwd' : 'report.PDF'}`)
    }
  }
})

test('an upload to no workflow, or without what it has to have, keeps nothing', async () => {
  const { id } = await make({ name: 'Empty-handed' })
  const count = async () => (await spur.server.call<{ total: number }>('GET', '/v1/files?count=true')).total
  const before = await count()
  expect(await spur.call('POST', '/wf/upload_test_files/', form('nothing', ['a.txt']))).toMatchObject({ status: 404, body: { detail: 'Workflow not found' } })
  for (const [sent, missing] of [
    [form(null, ['a.txt']), 'workflow_id'],
    [form(id, ['a.txt'], null), 'node_id'],
    [form(id, []), 'files'],
  ] as const) {
    const { status, body } = await spur.call('POST', '/wf/upload_test_files/', sent)
    expect([status, body.detail]).toEqual([422, [{ type: 'missing', loc: ['body', missing], msg: 'Field required', input: expect.anything() }]])
  }
  expect(await count()).toBe(before)
})

// ── others ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

test("what is another tenant's is not there, whatever is asked of it", async () => {
  const { id } = await make({ name: 'Mine' })
  const [path] = (await ok(spur.call('POST', '/wf/upload_test_files/', form(id, ['a.txt']))))['in']
  const as = await stranger(spur)
  const definition = wireOf({ nodes: [input], links: [] })
  const asked: [string, string, unknown?][] = [
    ['GET', `/wf/${id}/`],
    ['PUT', `/wf/${id}/`, { name: 'Theirs', definition }],
    ['PUT', `/wf/${id}/`, { name: 'Theirs' }],
    ['PUT', `/wf/${id}/reset/`],
    ['DELETE', `/wf/${id}/`],
    ['POST', `/wf/${id}/duplicate/`],
    ['GET', `/wf/${id}/output_variables/`],
    ['GET', `/wf/${id}/versions/`],
    ['POST', '/wf/upload_test_files/', form(id, ['b.txt'])],
  ]
  for (const [method, at, body] of asked)
    expect(await spur.call(method, at, body, { as }), `${method} ${at}`).toMatchObject({ status: 404, body: { detail: 'Workflow not found' } })
  expect((await spur.call('GET', `/files/${path}`, undefined, { as })).status).toBe(404)
  expect(await ok(spur.call('GET', '/wf/', undefined, { as }))).toEqual([])
  // A name is taken in one's own workspace alone.
  expect((await ok(spur.call('POST', '/wf/', { name: 'Mine' }, { as }))).name).toBe('Mine')
  expect((await ok(spur.call('GET', `/wf/${id}/`))).name).toBe('Mine')
})

import type { Definition, JsonObject } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { createModels } from '../../src/models/models.ts'
import { createCatalogue } from '../../src/nodes/catalogue.ts'
import type { OfferedTool } from '../../src/nodes/contract.ts'
import { createOutside } from '../../src/outside/outside.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import { allowedOf, mostTools, toolNodes, toolsOfClient, toolsOfFiles, toolsOfLibrary, toolsOfWorkflows } from '../../src/tools/offer.ts'

const outside = createOutside({ allow: [] })
const foundations = { outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) }
const catalogue = createCatalogue(foundations)
const library = toolsOfLibrary(toolNodes(catalogue))

const offer = (name: string, more: Partial<OfferedTool> = {}): OfferedTool => ({ name, description: '', parameters: {}, kind: 'here', workflow: null, approval: true, ...more })
const names = (tools: readonly OfferedTool[]): string[] => tools.map(({ name }) => name)
const workflow = (id: string, handle: string, schema?: JsonObject, description = '') => ({ id, handle, name: handle.toUpperCase(), description, definition: taking(schema) })
const taking = (schema?: JsonObject): Definition => ({ kind: 'workflow', nodes: [{ id: 'in', type: 'input', ...(schema && { config: { schema } }) }], links: [] })

describe('of the library', () => {
  test('those that declare it are offered, a person being asked before what reaches outside', () => {
    expect(library.map(({ name, approval }) => [name, approval])).toEqual([
      ['http_request', true],
      ['code', false],
      ['queue_push', true],
    ])
  })

  test('their arguments are their config as JSON Schema, without what is not for a model', () => {
    const [http, , push] = library
    expect(Object.keys(http!.parameters['properties'] as JsonObject)).toEqual(['method', 'url', 'headers', 'query', 'body', 'timeoutMs'])
    expect(http!.parameters).toMatchObject({ type: 'object', required: ['method', 'url'], additionalProperties: false })
    expect(push!.parameters['required']).toEqual(['queue', 'value'])
    expect(JSON.stringify(library)).not.toContain('x-reading')
  })

  test('nodes of a program are offered under legal names, of two alike the first, and none as what reads files', () => {
    const mine = { ...catalogue.get('code')!, tool: { approval: false, description: 'Mine' } }
    const wider = createCatalogue(foundations, [
      { ...mine, type: 'äh.ja' },
      { ...mine, type: 'äh_ja', tool: { approval: true } },
      { ...mine, type: 'read-file' },
    ])
    const offered = toolsOfLibrary(toolNodes(wider))
    expect(offered.filter(({ name }) => !names(library).includes(name)).map(({ name, approval }) => [name, approval])).toEqual([['_h_ja', false]])
    expect(toolNodes(wider).get('_h_ja')!.type).toBe('äh.ja')
  })
})

describe('of the workflows', () => {
  test('each is offered with the schema of its input, and a person is asked', () => {
    const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] }
    expect(toolsOfWorkflows([workflow('1', 'invoice', schema, 'Writes an invoice')], catalogue)).toEqual([
      { name: 'workflow_invoice', description: 'INVOICE: Writes an invoice', parameters: schema, kind: 'workflow', workflow: '1', approval: true },
    ])
    expect(toolsOfWorkflows([workflow('1', 'a')], catalogue)[0]!.parameters).toEqual({ type: 'object', properties: {}, additionalProperties: true })
    expect(toolsOfWorkflows([workflow('1', 'a', { required: ['n'] })], catalogue)[0]!.parameters).toEqual({ type: 'object', required: ['n'] })
  })

  test('one whose input is no object is none that a model can call', () => {
    expect(toolsOfWorkflows([workflow('1', 'a', { type: 'string' }), workflow('2', 'b', { type: ['object', 'null'] })], catalogue)).toMatchObject([
      { name: 'workflow_b', parameters: { type: 'object' } },
    ])
  })

  test('names are legal and no two alike, and no newer workflow takes an older one’s', () => {
    const long = 'x'.repeat(90)
    const offered = toolsOfWorkflows([workflow('4', `${long}-new`), workflow('3', `${long}-old`), workflow('2', 'a_b'), workflow('1', 'a.b')], catalogue)
    const byId = Object.fromEntries(offered.map(({ name, workflow: id }) => [id, name]))
    expect(byId).toEqual({ 1: 'workflow_a_b_1', 2: 'workflow_a_b', 3: `workflow_${'x'.repeat(55)}`, 4: `workflow_${'x'.repeat(42)}_4` })
    for (const { name } of offered) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
  })
})

describe('of files', () => {
  const table = { id: '1', name: 'sales.csv', type: 'table' as const, bytes: 9, rows: 2, columns: [{ name: 'amount', type: 'number' as const }] }

  test('reading is offered where there are some, asking where there are tables; what there is, is said', () => {
    expect(toolsOfFiles([], [])).toEqual([])
    expect(names(toolsOfFiles([{ name: 'a.txt' }], [{ id: '1', name: 'a.txt', type: 'text', bytes: 1 }]))).toEqual(['read_file'])
    const [read, query] = toolsOfFiles([table], [table])
    expect(read).toMatchObject({ name: 'read_file', approval: false, description: expect.stringContaining('sales.csv (2 rows: amount number)') as string })
    expect(query).toMatchObject({ name: 'query_table', approval: false, parameters: { type: 'object' } })
  })

  test('a thousand columns make no long description', () => {
    const wide = { ...table, columns: Array.from({ length: 1_000 }, (_, at) => ({ name: `column ${at}`, type: 'text' as const })) }
    for (const { description } of toolsOfFiles([wide], [wide])) expect(description.length).toBeLessThanOrEqual(1_000)
  })
})

test('what a client says it does is offered as its own, and what is no list of functions is none', () => {
  expect(toolsOfClient([{ name: 'look_up', parameters: { type: 'object' } }])).toEqual([
    { name: 'look_up', description: '', parameters: { type: 'object' }, kind: 'client', workflow: null, approval: false },
  ])
  for (const wrong of [null, 'x', {}, [{ name: 'not legal!' }], [7]]) expect(toolsOfClient(wrong)).toEqual([])
})

describe('what a session allows', () => {
  const asked = [offer('http_request'), offer('code', { approval: false })]
  const free = [offer('read_file', { approval: false })]

  test('is all of it as it is declared, unless it lists what', () => {
    expect(allowedOf(null, free, asked)).toEqual([...free, ...asked])
    expect(allowedOf([], free, asked)).toEqual(free)
    expect(allowedOf([{ name: 'code' }], free, asked)).toEqual([...free, asked[1]])
  })

  test('and whether a person is asked; what is named counts before all', () => {
    expect(
      allowedOf(
        [
          { name: '*', approval: false },
          { name: 'http_request', approval: true },
        ],
        [],
        asked,
      ),
    ).toEqual([offer('http_request'), offer('code', { approval: false })])
    expect(allowedOf([{ name: 'code', approval: true }], [], asked)).toEqual([offer('code')])
  })

  test('is nothing where what is written is no list', () => {
    for (const wrong of ['*', { name: '*' }, [{ name: 7 }], true]) expect(allowedOf(wrong, free, asked)).toEqual(free)
  })

  test('is at most a hundred, each name once, and of a bounded size', () => {
    const many = Array.from({ length: 300 }, (_, at) => offer(`f${at % 150}`, { parameters: { type: 'object', title: 'x'.repeat(20_000) } }))
    const allowed = allowedOf(null, [], many)
    expect(allowed).toHaveLength(mostTools)
    expect(new Set(names(allowed)).size).toBe(mostTools)
    expect(JSON.stringify(allowed).length).toBeLessThan(600_000)
    expect(allowed[0]!.parameters).toEqual(many[0]!.parameters)
    expect(allowed.at(-1)!.parameters).toEqual({ type: 'object', properties: {}, additionalProperties: true })
  })
})

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { external, flow, template } from '../support/flow.ts'
import { admin, testServer, type TestServer } from '../support/server.ts'
import { documents, generated, programs } from './generate.ts'

const tsc = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url))
const strict = [
  '--ignoreConfig',
  '--noEmit',
  '--strict',
  '--noUncheckedIndexedAccess',
  '--module',
  'nodenext',
  '--target',
  'es2024',
  '--lib',
  'es2024,dom,dom.iterable',
  '--allowImportingTsExtensions',
  '--types',
  '',
]

let client: Awaited<ReturnType<typeof generated>>
let server: TestServer
let key = ''
beforeAll(async () => {
  // One after the other: who generates does not listen to a database meanwhile.
  client = await generated()
  server = await testServer()
  key = (await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'generated' })).secret
  const parrot = { ...flow({ input: 'input', answer: template('You said: {{ input.text }}') }, ['input > answer']), kind: 'chatbot' as const }
  await server.call('POST', '/v1/workflows', { name: 'parrot', handle: 'parrot', definition: parrot })
  await server.call('POST', '/v1/workflows', { name: 'awaiting', handle: 'awaiting', definition: flow({ in: 'input', ship: external() }, ['in > ship']) })
}, 180_000)
afterAll(async () => {
  await client?.[Symbol.asyncDispose]()
  await server?.[Symbol.asyncDispose]()
})

/** A function of a program that was written against the clients. */
async function from(program: (typeof programs)[number], name: string): Promise<(...args: unknown[]) => Promise<unknown>> {
  const module = (await import(pathToFileURL(`${client.folder}/${program}`).href)) as Record<string, (...args: unknown[]) => Promise<unknown>>
  return module[name]!
}

test('clients of every document, by two generators, compile strictly and know the types', { timeout: 180_000 }, async () => {
  const files = programs.map((program) => `${client.folder}/${program}`)
  const checked = await promisify(execFile)(tsc, [...strict, ...files]).catch((error: { stdout: string }) => error)
  expect(checked.stdout).toBe('')
  for (const name of documents)
    for (const file of [`${name}.ts`, `sdk/${name}/types.gen.ts`, `sdk/${name}/sdk.gen.ts`]) {
      const text = (await readFile(`${client.folder}/${file}`, 'utf8')).replaceAll(/^\s*\/?\*.*$/gm, '')
      expect(text, file).not.toMatch(/[:|<(]\s*any\b/)
    }
})

describe('a client by openapi-fetch', () => {
  test('of openapi/sluice.json does the main job', { timeout: 60_000 }, async () => {
    const mainJob = await from('program.ts', 'mainJob')
    expect(await mainJob(server.url, admin)).toEqual({
      status: 'completed',
      output: { amount: 1250 },
      same: true,
      refused: [409, 'pause_decided'],
      found: [1, true, ['where', 'password_hash']],
      types: expect.arrayContaining(['run.queued', 'pause.opened', 'pause.decided', 'run.completed']),
      amounts: [{ amount: 1250 }],
      live: expect.arrayContaining(['run.queued', 'run.completed']),
    })
  })

  test('of openapi/pyspur.json creates, runs, approves and overrides', { timeout: 60_000 }, async () => {
    const mainJob = await from('pyspur-program.ts', 'mainJob')
    for (const mount of ['', '/api'])
      expect(await mainJob(`${server.url}${mount}`, key)).toEqual({
        nodes: ['InputNode', 'HumanInterventionNode', 'OutputNode'],
        asked: [['Charge it?', { input_node: { amount: 1250 } }]],
        outputs: [
          { amount: 1250, remark: 'fine' },
          { amount: null, remark: 'mine' },
        ],
        history: ['APPROVE', 'OVERRIDE'],
        refused: [404, 'Workflow not found'],
        unfit: [422, ['body', 'definition', 'nodes']],
        paged: [1, 1, 0],
        gone: [204, 404],
      })
  })

  test('of openapi/orchestrator.json draws, runs and asks for the task', { timeout: 60_000 }, async () => {
    expect(await (await from('faces-program.ts', 'orchestrator'))(server.url, admin)).toEqual({ status: 'SUCCESS', missing: [404, 'string'], deleted: 204 })
  })

  test('of openapi/medusa.json runs, reports a step and looks at the execution', { timeout: 60_000 }, async () => {
    expect(await (await from('faces-program.ts', 'medusa'))(server.url, admin, 'awaiting', 'fetched')).toEqual({
      started: 'fetched',
      reported: true,
      state: 'done',
      missing: [404, 'not_found'],
    })
  })

  test('of openapi/pocketbase.json keeps a record, finds it, changes it and puts it away', { timeout: 60_000 }, async () => {
    expect(await (await from('faces-program.ts', 'pocketbase'))(server.url, admin)).toEqual({ found: ['Generated'], changed: 'Changed', deleted: 204, missing: [404, 404] })
  })

  test('of openapi/playground.json talks, and reads what was said', { timeout: 60_000 }, async () => {
    expect(await (await from('faces-program.ts', 'playground'))(server.url, server.token, 'parrot')).toEqual({
      status: 'completed',
      said: ['user: Hello', 'assistant: You said: Hello'],
      name: 'Generated',
      missing: [404, expect.any(String)],
    })
  })

  test('of openapi/openai.json asks a model', { timeout: 60_000 }, async () => {
    expect(await (await from('faces-program.ts', 'openai'))(server.url, server.token, 'parrot')).toEqual({
      known: true,
      said: 'You said: Hello',
      missing: [404, 'model_not_found'],
    })
  })
})

describe('the functions that openapi-ts makes', () => {
  const by = async (face: (typeof documents)[number], ...args: unknown[]): Promise<unknown> => (await from('sdk-program.ts', face))(server.url, ...args)

  test('of openapi/sluice.json draw, start, decide and wait', { timeout: 60_000 }, async () => {
    expect(await by('sluice', admin)).toEqual({ parked: 'waiting', ended: 'completed', missing: [404, 'run_missing'] })
  })
  test('of openapi/pyspur.json create and run', { timeout: 60_000 }, async () => {
    expect(await by('pyspur', key)).toEqual({ outputs: { input_node: { amount: 3 } }, missing: [404, 'Workflow not found'] })
  })
  test('of openapi/orchestrator.json draw and run', { timeout: 60_000 }, async () => {
    expect(await by('orchestrator', admin)).toEqual({ status: 'SUCCESS', nodes: 1 })
  })
  test('of openapi/medusa.json run and report', { timeout: 60_000 }, async () => {
    expect(await by('medusa', admin, 'awaiting', 'called')).toEqual({ state: 'done' })
  })
  test('of openapi/pocketbase.json keep a record', { timeout: 60_000 }, async () => {
    expect(await by('pocketbase', admin)).toEqual({ title: 'Functions' })
  })
  test('of openapi/playground.json talk', { timeout: 60_000 }, async () => {
    expect(await by('playground', server.token, 'parrot')).toEqual({ said: ['Hello', 'You said: Hello'] })
  })
  test('of openapi/openai.json ask a model', { timeout: 60_000 }, async () => {
    expect(await by('openai', server.token, 'parrot')).toEqual({ said: 'You said: Hello' })
  })
})

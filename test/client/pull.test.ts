import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { createClient, VersionSkewError, type Versions } from '@sluice/client'
import type { Definition, JsonObject } from '@sluice/schema'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type Pulled, typesFile } from '../../packages/client/src/cli/pull/types-file.ts'
import ts from '../openapi-client/node_modules/typescript/lib/typescript.js'
import { approval, flow, values } from '../support/flow.ts'
import { here } from '../support/processes.ts'
import { type TestServer, testServer } from '../support/server.ts'

// Processes start slowly where much else runs.
vi.setConfig({ testTimeout: 120_000 })

let server: TestServer
let key: string
let folder: string
beforeAll(async () => {
  server = await testServer()
  key = (await createClient({ url: server.url, token: server.token }).keys.create({ name: 'pull' })).secret
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-pull-'))
  return () => rm(folder, { recursive: true, force: true })
})
afterAll(() => server[Symbol.asyncDispose]())

const bin = here('../../packages/client/src/cli/main.ts')

/** What the command says and how it ends. */
async function sluice(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { PATH: process.env['PATH'], XDG_CONFIG_HOME: folder, SLUICE_URL: server.url, SLUICE_KEY: key }
  return promisify(execFile)(process.execPath, [bin, ...args], { cwd: folder, env, timeout: 60_000 }).then(
    (said) => ({ code: 0, ...said }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, stdout: error.stdout, stderr: error.stderr }),
  )
}

const order = { type: 'object', required: ['amount'], properties: { amount: { type: 'number' } } }
const invoice = (text: string): Definition => flow({ in: { type: 'input', config: { schema: order } }, say: values({ text }), out: 'output' }, ['in > say > out'])
const pulledValues = async (name = 'sluice.js'): Promise<Versions> =>
  ((await import(`${pathToFileURL(join(folder, name)).href}${name.endsWith('.js') ? `?${Math.random()}` : ''}`)) as { versions: Versions }).versions
const text = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')

test('a workflow in the words of a dialect is pulled without types that its graph would belie', async () => {
  const client = createClient({ url: server.url, apiKey: key })
  await client.workflows.create({
    name: 'Spur',
    handle: 'spur',
    definition: flow({ in: 'InputNode', out: { type: 'OutputNode', config: { output_map: { a: 'in.b' } } } }, ['in > out']),
  })
  await client.workflows.publish({ workflow: 'spur' })
  expect(await sluice('pull', 'spur')).toMatchObject({ code: 0 })
  expect(await text('sluice.d.ts')).toMatch(/ spur: \{[^}]*output: Json\n/)
})

test('from pull to skew and back: what was pulled is started, what was published since is a VersionSkewError, until it is pulled again', async () => {
  const workflow = await createClient({ url: server.url, apiKey: key }).workflows.create({ name: 'Invoice', handle: 'skewed', definition: invoice('one') })
  const first = await createClient({ url: server.url, apiKey: key }).workflows.publish({ workflow: workflow.id })
  expect(await sluice('pull')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Wrote: sluice\.d\.ts and sluice\.js \(\d+ workflows?\)\n$/) as string, stderr: '' })
  expect(await text('sluice.d.ts')).toContain(`hash: '${first.hash}'`)

  const client = createClient({ url: server.url, apiKey: key, versions: await pulledValues() })
  expect(await (await client.workflow('skewed').start({ amount: 1 })).result()).toEqual({ text: 'one' })

  await client.workflows.update({ workflow: workflow.id, definition: invoice('two') })
  const second = await client.workflows.publish({ workflow: workflow.id })
  const error = await client
    .workflow('skewed')
    .start({ amount: 1 })
    .catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(VersionSkewError)
  expect(error).toMatchObject({
    code: 'hash_mismatch',
    status: 409,
    hash: second.hash,
    expectedHash: first.hash,
    details: { workflow: 'skewed', hash: second.hash, expectedHash: first.hash },
  })
  expect((error as Error).message).toContain(first.hash)
  expect((error as Error).message).toContain(second.hash)
  await expect(client.runs.start({ workflow: 'skewed', input: { amount: 1 } })).rejects.toBeInstanceOf(VersionSkewError)
  // Nothing was started by it; who names a version, or the workflow by its id, means that.
  expect((await client.runs.list({ workflow: workflow.id })).items).toHaveLength(1)
  expect(await (await client.workflow('skewed').start({ amount: 1 }, { version: 1 })).result()).toEqual({ text: 'one' })
  expect(await (await client.workflow(workflow.id).start({ amount: 1 })).result()).toEqual({ text: 'two' })

  expect(await sluice('pull', '--check')).toMatchObject({ code: 1, stderr: 'Not up to date: sluice.d.ts, sluice.js. Pull again, and look at what changed\n' })
  expect((await sluice('pull')).code).toBe(0)
  expect((await sluice('pull', '--check')).code).toBe(0)
  const again = createClient({ url: server.url, apiKey: key, versions: await pulledValues() })
  expect(await (await again.workflow('skewed').start({ amount: 1 })).result()).toEqual({ text: 'two' })
})

test('a change that is not published yet is a skew as well: a start would publish it', async () => {
  const client = createClient({ url: server.url, apiKey: key })
  await client.workflows.create({ name: 'Draft', handle: 'drafted', definition: invoice('one') })
  await client.workflows.publish({ workflow: 'drafted' })
  await sluice('pull', 'drafted')
  await client.workflows.update({ workflow: 'drafted', definition: invoice('two') })
  await expect(
    createClient({ url: server.url, apiKey: key, versions: await pulledValues() })
      .workflow('drafted')
      .start({ amount: 1 }),
  ).rejects.toBeInstanceOf(VersionSkewError)
})

test('one .ts holds the types and the values', async () => {
  await createClient({ url: server.url, apiKey: key }).workflows.create({ name: 'Own', handle: 'own.file', definition: invoice('one') })
  expect((await sluice('pull', '--out', 'flows.ts', 'own.file')).stderr).toBe('Left out, as they were never published: own.file\n')
  const { hash } = await createClient({ url: server.url, apiKey: key }).workflows.publish({ workflow: 'own.file' })
  expect((await sluice('pull', '--out', 'flows.ts', 'own.file')).stdout).toBe('Wrote: flows.ts (1 workflow)\n')
  expect(await readdir(folder)).toEqual(['flows.ts'])
  expect(await pulledValues('flows.ts')).toEqual({ 'own.file': hash })
  expect(await text('flows.ts')).toContain('export interface OwnFileInput {\n  amount: number\n}')
})

test('what somebody else wrote is not replaced, and what cannot be is said', async () => {
  await createClient({ url: server.url, apiKey: key }).workflows.create({ name: 'Any', handle: 'any', definition: flow({ in: 'input', ask: approval() }, ['in > ask']) })
  await createClient({ url: server.url, apiKey: key }).workflows.publish({ workflow: 'any' })
  await writeFile(join(folder, 'sluice.js'), 'export const mine = 1\n')
  expect(await sluice('pull')).toMatchObject({ code: 1, stderr: 'sluice.js is not of sluice pull, and stays as it is. Write somewhere else with --out\n' })
  expect([await text('sluice.js'), await readdir(folder)]).toEqual(['export const mine = 1\n', ['sluice.js']])
  expect((await sluice('pull', '--out', 'types.json')).stderr).toBe('types.json is no file of types: its name ends in .d.ts or .ts\n')
  expect((await sluice('pull', '--out', 'nowhere/types.ts')).stderr).toMatch(/^nowhere\/types\.ts cannot be written: /)
  expect((await sluice('pull', 'no-such-one')).stderr).toBe('There is no workflow no-such-one\n')
})

// ── whatever schemas say ───────────────────────────────────────────────────────────────────────────────────────────────

const nasty = fc.oneof(
  fc.constantFrom(
    '*/ process.exit() /*',
    '`${process.exit()}`',
    "'; export const evil = 1; '",
    // As a whole declaration they parse: what holds one back must be that it is text.
    'string\nexport const evil = 1',
    'string }\nexport const evil = 1\nexport interface X { a: string',
    '*/\nexport const evil = 1\n/*',
    '\n}\nexport const evil = 1\n',
    '*/',
    '//',
    '/// <reference path="x"/>',
    '\u2028',
    '\\',
    '"',
    '__proto__',
    'constructor',
    '[k: string]',
    'a-b',
    '',
    '\u202e',
    '${x}',
    '</script>',
    '@ts-ignore',
    '#/',
    '~1',
    '%2F',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ maxLength: 12 }),
)
/** So deep at the most, and less and less of it on the way. */
function schemaTo(depth: number): fc.Arbitrary<JsonObject> {
  const inner = depth > 0 ? schemaTo(depth - 1) : fc.constant<JsonObject>({ type: 'string' })
  const few = { maxLength: 2 }
  const words = {
    type: fc.oneof(
      fc.constantFrom('string', 'number', 'integer', 'boolean', 'object', 'array', 'null'),
      fc.subarray(['string', 'object', 'array', 'null'], { minLength: 1 }),
      nasty,
    ),
    title: nasty,
    description: nasty,
    $id: nasty,
    tsType: nasty,
    tsEnumNames: fc.array(nasty, few),
    enum: fc.array(fc.oneof(nasty, fc.jsonValue({ maxDepth: 2 })), { maxLength: 3 }),
    const: fc.jsonValue({ maxDepth: 2 }),
    required: fc.array(nasty, few),
    $ref: fc.oneof(
      nasty,
      nasty.map((name) => `#/$defs/${name}`),
      fc.constantFrom('#', 'https://x.test/', '/etc/passwd'),
    ),
    default: fc.jsonValue({ maxDepth: 1 }),
    deprecated: fc.boolean(),
    nullable: fc.boolean(),
    minItems: fc.nat(5),
    maxItems: fc.nat(100),
  }
  const parts = {
    properties: fc.dictionary(nasty, inner, { maxKeys: 3 }),
    items: fc.oneof(inner, fc.array(inner, few), fc.boolean()),
    prefixItems: fc.array(inner, few),
    anyOf: fc.array(inner, few),
    oneOf: fc.array(inner, few),
    allOf: fc.array(inner, few),
    additionalProperties: fc.oneof(fc.boolean(), inner),
    $defs: fc.dictionary(nasty, inner, { maxKeys: 2 }),
    definitions: fc.dictionary(nasty, inner, { maxKeys: 2 }),
  }
  // A few keywords at a time: of all at once no schema would be one.
  const some = <T extends object>(all: T, most: number): fc.Arbitrary<JsonObject> =>
    fc
      .subarray(Object.keys(all) as (keyof T)[], { maxLength: most })
      .chain((keys) => fc.record(Object.fromEntries(keys.map((key) => [key, all[key]])) as Record<string, fc.Arbitrary<JsonObject>>))
  // What the compiler of schemas would take for code is everywhere.
  const code = fc.constantFrom('string\nexport const evil = 1', 'string }\nexport const evil = 1\nexport interface X { a: string')
  return fc.tuple(some(words, 4), depth > 0 ? some(parts, 2) : fc.constant({}), code).map(([said, made, tsType]) => ({ tsType, ...said, ...made }))
}
const schema = schemaTo(3)
const handle = fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/)
const hostile = fc.record({ handle, input: schema, output: schema, form: schema, node: nasty, title: nasty }).map(({ handle: name, input, output, form, node, title }): Pulled => ({
  handle: name,
  version: {
    number: 1,
    hash: 'abc',
    definition: {
      kind: 'workflow',
      nodes: [
        { id: 'in', type: 'input', title, config: { schema: input } },
        { id: `h${node}`, type: 'human', config: { form } },
        { id: 'out', type: 'output', config: { schema: output } },
        { id: 'out2', type: 'output', title: `o${title}`, config: { map: { [node]: title } } },
      ],
      links: [{ source: 'in', target: 'out' }],
    },
  },
}))

test('whatever a schema says, the file is types and nothing else', { timeout: 120_000 }, async () => {
  let typed = 0
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(hostile, { selector: ({ handle: name }) => name, minLength: 1, maxLength: 2 }), async (pulled) => {
      const { declarations, module, values: held } = await typesFile(pulled)
      typed += [...declarations.matchAll(/^export (?:interface|type) /gm)].length
      for (const [name, written] of Object.entries({ 'sluice.d.ts': declarations, 'sluice.ts': module })) expect(foreignTo(name, written), written).toEqual([])
      expect(ts.transpileModule(held, { reportDiagnostics: true }).diagnostics).toEqual([])
    }),
    { numRuns: 300 },
  )
  // Most of them did become types.
  expect(typed).toBeGreaterThan(300)
  expect(foreignTo('a.ts', 'export interface A {}\nexport const evil = 1\n')).toEqual(['export const evil = 1'])
  expect(foreignTo('a.ts', 'export interface A { a: }')).not.toEqual([])
})

/** What does not parse, and every statement that a file of types has no need of. */
function foreignTo(name: string, written: string): string[] {
  const file = ts.createSourceFile(name, written, ts.ScriptTarget.Latest, true) as ts.SourceFile & { parseDiagnostics: ts.Diagnostic[] }
  const names = new Set<string>()
  const isType = (statement: ts.Statement): boolean => {
    if (ts.isImportDeclaration(statement)) return /^import type \{ (Json|JsonObject|Json, JsonObject) \} from '@sluice\/client'$/.test(statement.getText())
    if (ts.isModuleDeclaration(statement)) return statement.name.text === '@sluice/client'
    if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.every((each) => each.name.getText() === 'versions')
    if (!ts.isInterfaceDeclaration(statement) && !ts.isTypeAliasDeclaration(statement)) return false
    const isNew = !names.has(statement.name.text)
    names.add(statement.name.text)
    return isNew
  }
  return [
    ...file.parseDiagnostics.map(({ messageText }) => JSON.stringify(messageText)),
    ...file.referencedFiles.map(({ fileName }) => fileName),
    ...file.statements.filter((statement) => !isType(statement)).map((statement) => statement.getText()),
  ]
}

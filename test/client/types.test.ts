import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { InputOf, Json, OutputOf, PausesOf, RunHandle, Sluice, WorkflowHandle } from '@sluice/client'
import type { Pause, RunEvent } from '@sluice/schema'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { typesFile } from '../../packages/client/src/cli/pull/types-file.ts'
import ts from '../openapi-client/node_modules/typescript/lib/typescript.js'
import { flow } from '../support/flow.ts'
import { here } from '../support/processes.ts'

/** What the compiler knows of a workflow. This file compiles, and what must not compile is in the list below. */

interface Order {
  customer: string
  amount: number
}
declare module '@sluice/client' {
  interface WorkflowTypes {
    'typed order': { input: Order; output: { parcel: string }; pauses: { ask: { limit: number }; 'ask more': { why?: string } } }
    'typed input': { input: Order }
    'typed maybe': { input?: Order; output: string | null }
  }
}
type Written = { readonly types: { input: Order; output: number; pauses: { ask: { sure: boolean } } } }

describe('types that follow the workflow', () => {
  test('its input, output and what its decisions carry', () => {
    expectTypeOf<InputOf<'typed order'>>().toEqualTypeOf<Order>()
    expectTypeOf<OutputOf<'typed order'>>().toEqualTypeOf<{ parcel: string }>()
    expectTypeOf<PausesOf<'typed order'>['ask']>().toEqualTypeOf<{ limit: number }>()
    expectTypeOf<InputOf<'typed maybe'>>().toEqualTypeOf<Order | undefined>()
    expectTypeOf<OutputOf<'typed input'>>().toEqualTypeOf<Json>()
    expectTypeOf<InputOf<Written>>().toEqualTypeOf<Order>()
    expectTypeOf<OutputOf<Written>>().toEqualTypeOf<number>()
  })

  test('by handle, by type, or not at all', () => {
    const known = (sluice: Sluice) => sluice.workflow('typed order')
    const loose = (sluice: Sluice) => sluice.workflow('anything')
    const written = (sluice: Sluice) => sluice.workflow<Written>('written')
    expectTypeOf(known).returns.toEqualTypeOf<WorkflowHandle<Order, { parcel: string }, { ask: { limit: number }; 'ask more': { why?: string } }>>()
    expectTypeOf(loose).returns.toEqualTypeOf<WorkflowHandle>()
    expectTypeOf(written).returns.toEqualTypeOf<WorkflowHandle<Order, number, { ask: { sure: boolean } }>>()
    expectTypeOf<Awaited<ReturnType<ReturnType<typeof known>['start']>>>().toEqualTypeOf<RunHandle<{ parcel: string }, { ask: { limit: number }; 'ask more': { why?: string } }>>()
    expectTypeOf<Awaited<ReturnType<ReturnType<typeof loose>['start']>>>().toEqualTypeOf<RunHandle>()
    expectTypeOf<Awaited<ReturnType<RunHandle<string>['result']>>>().toEqualTypeOf<string>()
  })

  test('of a run that nobody knows: JSON, any node, any inputs', () => {
    expectTypeOf<RunHandle['result']>().returns.resolves.toEqualTypeOf<Json>()
    expectTypeOf<RunHandle['approve']>().toBeCallableWith('any node', { inputs: { a: 1 }, comments: 'x' })
    expectTypeOf<RunHandle['approve']>().toBeCallableWith('any node')
    expectTypeOf<ReturnType<RunHandle['approve']>>().resolves.toExtend<Pause>()
  })

  test('events keep their types apart, and are open to others', () => {
    type Events = ReturnType<RunHandle['events']> extends AsyncGenerator<infer E> ? E : never
    expectTypeOf<Events>().toEqualTypeOf<RunEvent>()
    expectTypeOf<Extract<Events, { type: 'pause.opened' }>['pause']>().toEqualTypeOf<Pause>()
    // What a newer server sends arrives as it came: it is read by what all events have.
    expectTypeOf<Events>().toExtend<{ type: string; seq: number; cursor: string }>()
  })
})

const root = here('../../')
const generated = join(root, 'test/client/.generated')

const order = { type: 'object', required: ['customer', 'amount'], additionalProperties: false, properties: { customer: { type: 'string' }, amount: { type: 'number' } } }
const definition = flow(
  {
    in: { type: 'input', config: { schema: order } },
    ask: { type: 'human', config: { kind: 'approval', message: 'May we?', form: { type: 'object', required: ['limit'], properties: { limit: { type: 'number' } } } } },
    'ask twice': { type: 'human', config: { kind: 'approval', message: 'Really?' } },
    out: { type: 'output', config: { schema: { type: 'object', required: ['parcel'], properties: { parcel: { type: 'string' } } } } },
  },
  ['in > ask > ask twice > out'],
)

/** Files that must compile, and for each other one what the compiler must say of its last line. */
const mustCompile = {
  use: `
    const run = await sluice.workflow('invoice').start({ customer: 'c', amount: 1 }, { tags: ['a'] })
    await run.approve('ask', { inputs: { limit: 2 } })
    await run.approve('ask twice')
    await run.decline('ask', { comments: 'no' })
    const { parcel } = await run.result()
    parcel.toUpperCase()
    const loose = await sluice.workflow('unknown-one').start({ whatever: [1] })
    await loose.approve('any', { inputs: { a: true } })
    await sluice.workflow('unknown-one').start()
    await sluice.workflow('invoice').start({ customer: 'c', amount: 1 }, { expectHash: versions.invoice })
    for await (const event of run.events()) switch (event.type) { case 'pause.opened': void event.pause.form; break; default: void event.seq }`,
  written: `
    type Order = { types: { input: { sku: string }; output: number } }
    const total: number = await (await sluice.workflow<Order>('order').start({ sku: 'a' })).result()
    void total`,
}
const mustNot: Record<string, [code: string, says: RegExp]> = {
  'an input of another type': [`await sluice.workflow('invoice').start({ customer: 1, amount: 1 })`, /Type 'number' is not assignable to type 'string'/],
  'an input without a field': [`await sluice.workflow('invoice').start({ customer: 'c' })`, /'amount' is missing/],
  'an input with a field too many': [`await sluice.workflow('invoice').start({ customer: 'c', amount: 1, more: 1 })`, /'more' does not exist/],
  'no input at all': [`await sluice.workflow('invoice').start()`, /Expected 1-2 arguments, but got 0/],
  'an output field that is not there': [`void (await (await sluice.workflow('invoice').start({ customer: 'c', amount: 1 })).result()).total`, /'total' does not exist/],
  'an output that nobody knows': [`void (await (await sluice.workflow('other').start({})).result()).total`, /'total' does not exist on type/],
  'a decision on a node that asks nothing': [`await (await sluice.workflow('invoice').start({ customer: 'c', amount: 1 })).approve('out')`, /'"out"' is not assignable/],
  'an approval without the inputs of its form': [`await (await sluice.workflow('invoice').start({ customer: 'c', amount: 1 })).approve('ask')`, /Expected 2 arguments, but got 1/],
  'an approval with inputs of another type': [
    `await (await sluice.workflow('invoice').start({ customer: 'c', amount: 1 })).approve('ask', { inputs: { limit: '2' } })`,
    /Type 'string' is not assignable to type 'number'/,
  ],
  'a workflow written in TypeScript, given something else': [
    `await sluice.workflow<{ types: { input: { sku: string } } }>('order').start({ sku: 1 })`,
    /Type 'number' is not assignable to type 'string'/,
  ],
  'a workflow that is no name': [`sluice.workflow(42)`, /No overload matches|not assignable/],
  'versions that are no hashes': [`createClient({ url: 'http://a', versions: { invoice: 3 } })`, /Type 'number' is not assignable to type 'string'/],
  'an option that does not exist': [`await sluice.workflow('invoice').start({ customer: 'c', amount: 1 }, { tag: 'a' })`, /'tag' does not exist/],
}

for (const file of ['sluice.d.ts', 'sluice.ts'])
  test(`what was pulled into a ${file} is what the compiler holds programs to`, { timeout: 60_000 }, async () => {
    await mkdir(generated, { recursive: true })
    const folder = await mkdtemp(join(generated, 'types-'))
    try {
      const { declarations, module } = await typesFile([{ handle: 'invoice', version: { number: 1, hash: 'abc', definition } }])
      await writeFile(join(folder, file), file.endsWith('.d.ts') ? declarations : module)
      const head = `import { createClient } from '@sluice/client'\nimport { versions } from './sluice.js'\nconst sluice = createClient({ url: 'http://a', versions })\nvoid sluice\n`
      const names = new Map(Object.keys(mustNot).map((name, at) => [`wrong-${at}.ts`, name]))
      for (const [name, code] of Object.entries(mustCompile)) await writeFile(join(folder, `${name}.ts`), head + code)
      for (const [path, name] of names) await writeFile(join(folder, path), `${head}${mustNot[name]![0]}\nexport {}\n`)
      const compilerOptions = {
        noEmit: true,
        composite: false,
        declaration: false,
        declarationMap: false,
        skipLibCheck: false,
        noUnusedLocals: true,
        exactOptionalPropertyTypes: true,
        lib: ['esnext', 'dom'],
        types: [],
      }
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ extends: join(root, 'tsconfig.base.json'), compilerOptions, include: ['*.ts'] }))
      const said = await promisify(execFile)(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false']).then(
        () => '',
        (error: { stdout: string }) => error.stdout,
      )
      const errors = said.split(/\n(?=\S)/).filter((line) => line !== '')
      // Each of them is found, at its line, for its reason; and nothing else.
      for (const [path, name] of names) {
        const found = errors.filter((error) => error.includes(`${path}(5,`))
        expect(found.join('\n'), name).toMatch(mustNot[name]![1])
      }
      expect(errors.filter((error) => ![...names.keys()].some((path) => error.includes(`${path}(5,`)))).toEqual([])
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

test('no type that the package exports is any, however deep', { timeout: 60_000 }, () => {
  const entry = join(root, 'packages/client/src/index.ts')
  const program = ts.createProgram([entry], {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
    types: [],
  })
  const { found, seen } = anyTypes(program, entry)
  expect(found).toEqual([])
  // It looked into them, and knows one when it sees it.
  expect(seen).toBeGreaterThan(500)
  const planted = join(root, 'planted.ts')
  const host = ts.createCompilerHost({})
  const read = host.getSourceFile.bind(host)
  host.getSourceFile = (path, ...rest) =>
    path === planted
      ? ts.createSourceFile(path, 'export interface A { b(c: { d: Array<Promise<ReturnType<typeof JSON.parse>>> }): void }', ts.ScriptTarget.ES2022)
      : read(path, ...rest)
  expect(anyTypes(ts.createProgram([planted], { strict: true, types: [] }, host), planted).found).toEqual(['A.b(c).d<><>'])
})

/** Where a type that a module exports is `any`; types of others (`Promise`, `AbortSignal`, a schema of zod) are looked at by their arguments alone. */
function anyTypes(program: ts.Program, entry: string): { found: string[]; seen: number } {
  const checker = program.getTypeChecker()
  const seen = new Set<ts.Type>()
  const found = new Set<string>()
  const isOurs = (type: ts.Type): boolean => {
    const from = (type.symbol ?? type.aliasSymbol)?.declarations?.[0]?.getSourceFile().fileName
    return from === undefined || !/\/node_modules\/|\/lib\.[\w.]+\.d\.ts$/.test(from)
  }
  /** What TypeScript itself fills in beside the items of an `AsyncIterable` is no word of ours. */
  const argumentsOf = (type: ts.TypeReference): readonly ts.Type[] => checker.getTypeArguments(type).slice(0, /^(Async)?Iterable$/.test(type.symbol?.name ?? '') ? 1 : undefined)
  const signatures = (type: ts.Type): ts.Signature[] => [...type.getCallSignatures(), ...type.getConstructSignatures()]
  function look(type: ts.Type, path: string): void {
    if (type.flags & ts.TypeFlags.Any) return void found.add(path)
    if (seen.has(type) || path.length > 400) return
    seen.add(type)
    for (const each of type.aliasTypeArguments ?? []) look(each, `${path}<>`)
    if (type.isUnionOrIntersection()) for (const each of type.types) look(each, path)
    if (type.flags & ts.TypeFlags.Object && (type as ts.ObjectType).objectFlags & ts.ObjectFlags.Reference)
      for (const each of argumentsOf(type as ts.TypeReference)) look(each, `${path}<>`)
    if (!isOurs(type)) return
    for (const signature of signatures(type)) {
      for (const parameter of signature.parameters) look(checker.getTypeOfSymbol(parameter), `${path}(${parameter.name})`)
      look(signature.getReturnType(), `${path}()`)
    }
    for (const { type: each } of checker.getIndexInfosOfType(type)) look(each, `${path}[]`)
    if (type.flags & ts.TypeFlags.Object) for (const property of type.getProperties()) look(checker.getTypeOfSymbol(property), `${path}.${property.name}`)
  }
  for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)!)!)) {
    const own = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
    if (own.flags & (ts.SymbolFlags.Type | ts.SymbolFlags.Class)) look(checker.getDeclaredTypeOfSymbol(own), own.name)
    if (own.flags & ts.SymbolFlags.Value) look(checker.getTypeOfSymbol(own), own.name)
  }
  return { found: [...found], seen: seen.size }
}

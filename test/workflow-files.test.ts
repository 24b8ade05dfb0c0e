import { Fault, ImportWorkflow, limits, WorkflowFile, type Definition } from '@sluice/schema'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aDefinition, aSoundDefinition } from '../packages/server/test/workflows/definitions.ts'
import { catalogue, definition, merge } from '../packages/server/test/workflows/toys.ts'
import { newId } from '../packages/server/src/store/ids.ts'
import { hashOf } from '../packages/server/src/workflows/canonical.ts'
import type { Author } from '../packages/server/src/workflows/find.ts'
import { validate } from '../packages/server/src/workflows/validate.ts'
import { createWorkflows, type Workflows } from '../packages/server/src/workflows/workflows.ts'
import { testDatabase, type TestDatabase } from './support/database.ts'

let db: TestDatabase
let workflows: Workflows

beforeAll(async () => {
  db = await testDatabase()
  workflows = createWorkflows({ database: db.database, catalogue, fits: { mapless: ({ nodes }) => nodes.every(({ type }) => type !== 'map') } })
})
afterAll(() => db?.close())

const workspace = async (): Promise<Author> => {
  const id = newId()
  await db.database.query('insert into workspaces (id, handle, name) values ($1, $1, $1)', [id])
  return { workspaceId: id, userId: newId(), principalId: newId() }
}
const refusal = async (work: Promise<unknown>): Promise<Pick<Fault, 'code' | 'issues'>> => {
  const thrown = await work.then(
    () => null,
    (error: unknown) => error,
  )
  if (thrown instanceof Fault) return thrown
  throw new Error(`no fault: ${String(thrown)}`)
}

const one = definition([merge('a')])
const two = definition([merge('a'), merge('b')], [['a', 'b']])
const broken: Definition = definition([merge('a'), { id: 'x', type: 'unheard-of' }], [['a', 'x', 'sideways']])

/** A workflow with two versions, and another draft. */
async function drawn(actor: Author): Promise<string> {
  const { id } = await workflows.create(actor, { name: 'Invoice', handle: 'invoice', description: 'Charges', definition: one, extra: { colour: 'red' } })
  await workflows.publish(actor, { workflow: id })
  await workflows.update(actor, { workflow: id, name: 'Invoices', definition: two })
  await workflows.publish(actor, { workflow: id })
  await workflows.update(actor, { workflow: id, definition: broken })
  return id
}

test('a workflow goes to another workspace with its draft and versions, and from there to a third, as one file', async () => {
  const [here, there, farther] = [await workspace(), await workspace(), await workspace()]
  const id = await drawn(here)
  const file = await workflows.export(here, { workflow: 'invoice', versions: 100 })
  expect(WorkflowFile.parse(file)).toEqual(file)
  expect(file.versions.map(({ number, name, definition: what }) => [number, name, what])).toEqual([
    [1, 'Invoice', one],
    [2, 'Invoices', two],
  ])
  // Unless more are asked for, what runs now and what is drawn next.
  expect((await workflows.export(here, { workflow: id })).versions).toEqual(file.versions.slice(1))
  expect(await workflows.export(here, { workflow: id, versions: 0 })).toEqual({ ...file, versions: [] })

  const brought = await workflows.import(there, file)
  expect(brought).toMatchObject({
    handle: 'invoice',
    name: 'Invoices',
    description: 'Charges',
    origin: 'drawn',
    draft: broken,
    version: 2,
    hash: hashOf(two),
    extra: { colour: 'red' },
  })
  expect(brought.id).not.toBe(id)
  expect(await workflows.export(there, { workflow: 'invoice', versions: 100 })).toEqual(file)
  // A version that goes alone keeps its number, and the next one comes after it.
  const alone = await workflows.import(farther, await workflows.export(there, { workflow: 'invoice' }))
  expect((await workflows.versions(farther, { workflow: alone.id, limit: 50 })).items.map(({ number }) => number)).toEqual([2])
  await workflows.update(farther, { workflow: alone.id, definition: one })
  expect(await workflows.publish(farther, { workflow: alone.id })).toMatchObject({ number: 3, hash: hashOf(one) })
  // What it had under an older number is known again there.
  await workflows.update(there, { workflow: 'invoice', definition: one })
  expect(await workflows.publish(there, { workflow: 'invoice' })).toMatchObject({ number: 1 })
})

test('one that is brought stands beside what is there, is told of in order, and is made once under its key', async () => {
  const here = await workspace()
  await drawn(here)
  const file = { ...(await workflows.export(here, { workflow: 'invoice' })), idempotencyKey: 'once' }
  const [first, second] = await Promise.all([workflows.import(here, file), workflows.import(here, file)])
  expect(first).toMatchObject({ handle: 'invoice-2', name: 'Invoices' })
  expect(second.id).toBe(first.id)
  expect(await workflows.import(here, { ...file, idempotencyKey: 'twice', ifNameTaken: 'suffix' })).toMatchObject({ handle: 'invoice-3', name: 'Invoices (2)' })
  const told = await db.database.query<{ seq: number; type: string }>(`select seq, type from events where subject_id = $1 and subject_kind = 'workflow' order by seq`, [first.id])
  expect(told).toEqual([
    { seq: 1, type: 'created' },
    { seq: 2, type: 'updated' },
  ])
  const [{ seq } = { seq: 0 }] = await db.database.query<{ seq: number }>('select seq from workflows where id = $1', [first.id])
  expect(seq).toBe(2)
  // Written by hand, it says what it must.
  expect(await workflows.import(here, { format: 'sluice.workflow/1', name: 'By hand', draft: one })).toMatchObject({ handle: 'by-hand', version: null, draft: one })
})

test('what could not have been exported is refused as a whole, each flaw at its place', async () => {
  const [here, there] = [await workspace(), await workspace()]
  await drawn(here)
  const file = await workflows.export(here, { workflow: 'invoice', versions: 2 })
  const [older, newer] = file.versions as [(typeof file.versions)[0], (typeof file.versions)[0]]
  const paths = async (...versions: typeof file.versions) => {
    const { code, issues } = await refusal(workflows.import(there, { ...file, versions }))
    return [code, ...issues.map(({ path }) => path?.join('.'))]
  }
  expect(await paths({ ...older, definition: two })).toEqual(['input_invalid', 'versions.0.hash'])
  expect(await paths(newer, older)).toEqual(['input_invalid', 'versions.1.number'])
  expect(await paths(older, { ...older, number: 2 })).toEqual(['input_invalid', 'versions.1.hash'])
  expect(await paths(older, { ...newer, number: 1 })).toEqual(['input_invalid', 'versions.1.number'])
  const twice = definition([merge('a'), merge('a')])
  expect(await paths({ ...older, definition: twice, hash: hashOf(twice) })).toEqual(['input_invalid', 'versions.0.definition.nodes.1.id'])
  const { code, issues } = await refusal(workflows.import(there, { ...file, versions: [older, { ...newer, definition: broken, hash: hashOf(broken) }] }))
  expect(code).toBe('definition_invalid')
  expect(issues).toContainEqual(expect.objectContaining({ path: ['versions', 1, 'definition'], nodeId: 'x' }))
  expect((await refusal(workflows.import(there, { ...file, draft: twice }))).issues[0]).toMatchObject({ path: ['draft', 'nodes', 1, 'id'] })
  expect((await refusal(workflows.import(there, { ...file, extra: { much: 'x'.repeat(limits.extraBytes) } }))).issues[0]).toMatchObject({ path: ['extra'] })
  expect((await workflows.list(there, { limit: 50 })).items).toEqual([])
  expect(await refusal(workflows.export(there, { workflow: 'invoice' }))).toMatchObject({ code: 'workflow_missing' })
})

test('after the highest number that a file may bring there is room for more', async () => {
  const [here, there] = [await workspace(), await workspace()]
  await drawn(here)
  const file = await workflows.export(here, { workflow: 'invoice' })
  const numbered = (number: number) => ({ ...file, versions: [{ ...file.versions[0]!, number }] })
  expect(ImportWorkflow.safeParse(numbered(1_000_000_001)).success).toBe(false)
  const { id } = await workflows.import(there, ImportWorkflow.parse(numbered(1_000_000_000)))
  await workflows.update(there, { workflow: id, definition: definition([merge('later')]) })
  expect((await workflows.publish(there, { workflow: id })).number).toBe(1_000_000_001)
})

test('a file of more than an answer holds is refused before it is read', async () => {
  const here = await workspace()
  // Drafts that are published are seldom so large, but their versions add up.
  const large = (at: number): Definition =>
    definition([{ ...merge('a'), title: 'n' }, ...Array.from({ length: 900 }, (_, n) => ({ ...merge(`n${n}`), title: `${at}${'t'.repeat(190)}` }))])
  const { id } = await workflows.create(here, { name: 'Large', definition: large(0) })
  const bytes = Buffer.byteLength(JSON.stringify(large(0)))
  const most = Math.ceil(limits.answerBytes / bytes)
  expect(most).toBeLessThan(limits.filedVersions)
  await db.database.query(
    `insert into versions (workflow_id, number, hash, name, description, definition) select $1, n, 'h' || n, 'Large', '', (select draft from workflows where id = $1) from generate_series(1, $2::int) n`,
    [id, most],
  )
  await db.database.query(`update workflows set version = $2::int, hash = 'h' || $2::int where id = $1`, [id, most])
  expect(await refusal(workflows.export(here, { workflow: id, versions: most }))).toMatchObject({ code: 'limit_exceeded', issues: [{ path: ['versions'] }] })
  expect((await workflows.export(here, { workflow: id, versions: 2 })).versions).toHaveLength(2)
})

test('whatever can be drawn and published comes back from a file as it was', { timeout: 120_000 }, async () => {
  const [here, there] = [await workspace(), await workspace()]
  let carried = 0
  await fc.assert(
    fc.asyncProperty(aDefinition, fc.uniqueArray(aSoundDefinition, { maxLength: 6, selector: hashOf }), fc.string({ minLength: 1, maxLength: 50 }), async (draft, drawn, name) => {
      const published = drawn.filter((each) => validate(each, catalogue).length === 0)
      const { id } = await workflows.create(here, { name, handle: newId() })
      for (const each of published) {
        await workflows.update(here, { workflow: id, definition: each })
        await workflows.publish(here, { workflow: id })
      }
      await workflows.update(here, { workflow: id, definition: draft })
      const file = await workflows.export(here, { workflow: id, versions: 100 })
      expect(file.versions).toHaveLength(published.length)
      carried += published.length
      // By way of a text, as files go.
      const brought = await workflows.import(there, WorkflowFile.parse(JSON.parse(JSON.stringify(file))))
      expect(await workflows.export(there, { workflow: brought.id, versions: 100 })).toEqual(file)
      for (const { number, hash } of file.versions) expect(await workflows.version(there, { workflow: brought.id, version: number })).toMatchObject({ hash })
    }),
    { numRuns: 40 },
  )
  expect(carried).toBeGreaterThan(20)
})

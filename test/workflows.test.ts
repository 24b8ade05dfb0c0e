import { Fault, limits, ListedWorkflow, Version, Workflow, WorkflowSummary, type CreateWorkflow, type Definition, type JsonObject, type Node } from '@sluice/schema'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { aDefinition } from '../packages/server/test/workflows/definitions.ts'
import { catalogue, definition, merge } from '../packages/server/test/workflows/toys.ts'
import { newId } from '../packages/server/src/store/ids.ts'
import type { Tx } from '../packages/server/src/store/index.ts'
import { workflowList } from '../packages/server/src/store/views/workflows.ts'
import { createPlans } from '../packages/server/src/workflows/plans.ts'
import type { Author } from '../packages/server/src/workflows/find.ts'
import { keepAbsent } from '../packages/server/src/workflows/keep.ts'
import { createWorkflows, type Fits, type Workflows } from '../packages/server/src/workflows/workflows.ts'
import { testDatabase, type TestDatabase } from './support/database.ts'

let db: TestDatabase
/** Two servers on one PostgreSQL: what they remember must not differ from what is there. */
let here: Workflows
let there: Workflows
let actor: Author
let stranger: Author

const workspace = async (): Promise<Author> => {
  const id = newId()
  await db.database.query('insert into workspaces (id, handle, name) values ($1, $1, $1)', [id])
  return { workspaceId: id, userId: newId(), principalId: newId() }
}
const fault = async (work: Promise<unknown>): Promise<Fault> => {
  const thrown = await work.then(
    () => 'nothing',
    (error: unknown) => error,
  )
  if (thrown instanceof Fault) return thrown
  throw new Error(`no fault: ${String(thrown)}`)
}
const code = async (work: Promise<unknown>) => (await fault(work)).code
const create = (input: Partial<CreateWorkflow> = {}) => here.create(actor, { name: 'Invoice', ...input })
const inTx = <T>(work: (tx: Tx) => Promise<T>) => db.database.transaction(work)
const page = { limit: 50 }

const one = definition([merge('a')])
const two = definition([merge('a'), merge('b')], [['a', 'b']])
/** Of two dialects, the one has no word for maps, the other none for titles. */
const fits: Fits = {
  mapless: ({ nodes }) => nodes.every(({ type }) => type !== 'map'),
  untitled: ({ nodes }) => nodes.every(({ title }) => title === undefined),
}
const map = (id: string, more: Partial<Node> = {}): Node => ({ id, type: 'map', config: { items: [] }, ...more })
const broken: Definition = definition([merge('a'), { id: 'x', type: 'unheard-of' }], [['a', 'x', 'sideways']])

interface EventRecord {
  seq: number
  type: string
  workflow_id: string
  data: { record: JsonObject }
}
const eventsOf = (id: string) =>
  db.database.query<EventRecord & Record<string, unknown>>(`select seq, type, workflow_id, data from events where subject_id = $1 and subject_kind = 'workflow' order by seq`, [id])

async function addRun(workflowId: string, more: { trial?: boolean; ended?: boolean; held?: boolean } = {}): Promise<string> {
  const id = newId()
  await db.database.query(
    `insert into runs (id, workspace_id, workflow_id, version, trial, status, held_at, created_at, ended_at, updated_at)
     values ($1, $2, $3, 1, $4, $5, $6, now(), $7, now())`,
    [id, actor.workspaceId, workflowId, more.trial ? '{}' : null, more.ended ? 'completed' : 'running', more.held ? new Date() : null, more.ended ? new Date() : null],
  )
  return id
}

beforeAll(async () => {
  db = await testDatabase()
  here = createWorkflows({ database: db.database, catalogue, fits })
  there = createWorkflows({ database: db.database, catalogue, fits })
})
afterAll(() => db.close())
beforeEach(async () => {
  actor = await workspace()
  stranger = await workspace()
})

describe('creating and finding', () => {
  test('a workflow is found by id and by handle, and has the promised shape', async () => {
    const made = await create({ description: 'x', definition: one, extra: { wire: 1 } })
    expect(Workflow.parse(made)).toEqual(made)
    expect(made).toMatchObject({ handle: 'invoice', revision: 1, version: null, hash: null, draft: one, extra: { wire: 1 }, activity: { runs: 0, active: 0, lastRun: null } })
    expect(await here.get(actor, { workflow: made.id })).toEqual(made)
    expect(await there.get(actor, { workflow: 'invoice' })).toEqual(made)
  })

  test('an id wins over a handle of the same spelling', async () => {
    const first = await create()
    await create({ name: 'Other', handle: first.id })
    expect((await here.get(actor, { workflow: first.id })).name).toBe('Invoice')
  })

  test('handles made of names get a number; handles asked for are given or refused', async () => {
    const handles = await Promise.all(Array.from({ length: 6 }, () => create({ name: 'Über  Größe!' })))
    expect(handles.map(({ handle }) => handle).sort()).toEqual(['uber-gro-e', 'uber-gro-e-2', 'uber-gro-e-3', 'uber-gro-e-4', 'uber-gro-e-5', 'uber-gro-e-6'])
    expect(await code(create({ handle: 'uber-gro-e' }))).toBe('handle_taken')
    expect((await create({ name: '***' })).handle).toBe('workflow')
  })

  test('names may be kept twice or be told apart, also when many come at once', async () => {
    await create()
    expect((await create({ ifNameTaken: 'keep' })).name).toBe('Invoice')
    const names = await Promise.all(Array.from({ length: 4 }, () => create({ ifNameTaken: 'suffix' })))
    expect(names.map(({ name }) => name).sort()).toEqual(['Invoice (2)', 'Invoice (3)', 'Invoice (4)', 'Invoice (5)'])
  })

  test('a draft may mean nothing, but has the form of one', async () => {
    expect((await create({ definition: broken })).draft).toEqual(broken)
    const refused = await fault(create({ definition: definition([merge('a'), merge('a')], [['a', 'gone']]) }))
    expect(refused.code).toBe('input_invalid')
    expect(refused.issues.map(({ path }) => path)).toEqual([
      ['definition', 'nodes', 1, 'id'],
      ['definition', 'links', 0, 'target'],
    ])
    expect(await code(create({ extra: { x: 'x'.repeat(17_000) } }))).toBe('input_invalid')
  })

  test('a workflow of another workspace is a missing one, whatever is asked of it', async () => {
    const { id } = await create({ definition: one })
    for (const work of [
      () => here.get(stranger, { workflow: id }),
      () => here.update(stranger, { workflow: id, name: 'x' }),
      () => here.reset(stranger, { workflow: id }),
      () => here.edit(stranger, { workflow: id, operations: [] }),
      () => here.publish(stranger, { workflow: id }),
      () => here.versions(stranger, { workflow: id, ...page }),
      () => here.version(stranger, { workflow: id, version: 1 }),
      () => here.outputs(stranger, { workflow: id }),
      () => here.node(stranger, { workflow: id, nodeId: 'a' }),
      () => here.duplicate(stranger, { workflow: id }),
      () => inTx((tx) => here.resolve(tx, stranger, id)),
      () => inTx((tx) => here.publishForStart(tx, stranger, id)),
      () => inTx((tx) => here.hide(tx, stranger, id)),
    ])
      expect(await code(work())).toBe('workflow_missing')
    expect((await here.list(stranger, page)).items).toEqual([])
  })
})

describe('lists', () => {
  test('go newest first from page to page, count on request, and refuse a cursor that is not ours', async () => {
    const ids: string[] = []
    for (let at = 0; at < 5; at++) ids.unshift((await create({ name: `W${at}` })).id)
    const first = await here.list(actor, { limit: 2, count: true })
    expect(first.items.map((item) => WorkflowSummary.strict().parse(item).id)).toEqual(ids.slice(0, 2))
    expect(first.total).toBe(5)
    const second = await here.list(actor, { limit: 2, cursor: first.nextCursor! })
    const third = await here.list(actor, { limit: 2, cursor: second.nextCursor! })
    expect([...second.items, ...third.items].map(({ id }) => id)).toEqual(ids.slice(2))
    expect(third.nextCursor).toBeNull()
    expect(second.total).toBeUndefined()
    expect((await here.list(actor, { ...page, name: 'W3' })).items.map(({ name }) => name)).toEqual(['W3'])
    expect(await code(here.list(actor, { ...page, cursor: 'nonsense' }))).toBe('cursor_invalid')
  })

  test('in the order they were made are in the order of their ids, and those of an instant are found by it', async () => {
    const made = []
    for (let at = 0; at < 3; at++) made.push(await create({ name: `W${at}` }))
    for (const order of ['created', '-created'] as const) {
      const { items } = await here.list(actor, { ...page, order })
      expect(items.map(({ id }) => id)).toEqual((order === 'created' ? made : made.toReversed()).map(({ id }) => id))
    }
    const { created, updated } = made[1]!
    expect(updated).toBe(created)
    const there = (await here.list(actor, { ...page, where: { created } })).items
    expect(there.map(({ id }) => id)).toContain(made[1]!.id)
    expect((await here.list(actor, { ...page, where: { created: { gt: created } } })).items.map(({ id }) => id)).not.toContain(made[1]!.id)
  })

  test('activity counts runs, not trials, and shows a hold in place of the status', async () => {
    const { id } = await create({ definition: one })
    await here.publish(actor, { workflow: id })
    await addRun(id, { ended: true })
    const newest = await addRun(id, { held: true })
    await addRun(id, { trial: true })
    const { activity } = Workflow.parse(await here.get(actor, { workflow: id }))
    expect(activity).toMatchObject({ runs: 2, active: 1, lastRun: { id: newest, status: 'held', workflowId: id } })
    expect((await here.list(actor, page)).items[0]!.activity).toEqual(activity)
  })
})

describe('a list with drafts', () => {
  test('gives each with its draft, in the order and on the pages of the list without', async () => {
    for (let at = 0; at < 5; at++) await create({ name: `W${at}`, definition: definition([merge(`n${at}`)]) })
    const plain = await here.list(actor, { limit: 3, offset: 1, order: 'name', count: true })
    const { items, ...rest } = await here.list(actor, { limit: 3, offset: 1, order: 'name', count: true, drafts: true })
    expect(items.map(({ draft, ...item }) => [item, draft])).toEqual(plain.items.map((item) => [item, definition([merge(`n${item.name.slice(1)}`)])]))
    expect(rest).toEqual({ nextCursor: plain.nextCursor, total: 5 })
    for (const item of items) expect(ListedWorkflow.strict().parse(item)).toEqual(item)
    const next = await here.list(actor, { limit: 3, cursor: rest.nextCursor!, order: 'name', drafts: true })
    expect(next.items.map(({ name, draft }) => [name, draft?.nodes.length])).toEqual([['W4', 1]])
    expect(await here.list(actor, { ...page, name: 'none', drafts: true })).toEqual({ items: [], nextCursor: null })
  })

  test('that is more than an answer holds is refused before a draft is read, and says to ask for fewer', async () => {
    const large = definition([merge('a', { config: { text: 'é'.repeat(1000 * 1024) } })])
    for (let at = 0; at < 9; at++) await create({ definition: large })
    let read = 0
    const watched: Tx = {
      async query<R>(...[statement, values]: Parameters<Tx['query']>) {
        const rows = await db.database.query(statement, values)
        read += JSON.stringify(rows).length
        return rows as R[]
      },
    }
    const refused = await fault(workflowList(watched, actor.workspaceId, { ...page, drafts: true }))
    expect(refused).toMatchObject({ code: 'limit_exceeded', details: { maxBytes: limits.answerBytes } })
    expect(refused.message).toContain('ask for fewer')
    expect(refused.details['bytes']).toBeGreaterThan(limits.answerBytes)
    expect(read).toBeLessThan(20_000)
    const fewer = await here.list(actor, { limit: 7, drafts: true })
    expect(fewer.items.map(({ draft }) => draft)).toEqual(Array.from({ length: 7 }, () => large))
    expect((await here.list(actor, { limit: 7, cursor: fewer.nextCursor!, drafts: true })).items).toHaveLength(2)
    expect((await here.list(actor, page)).items).toHaveLength(9)
  })
})

describe('a list of what a dialect can say', () => {
  const sayable = async (dialect: string): Promise<string[]> => (await here.list(actor, { ...page, sayableIn: dialect })).items.map(({ name }) => name)
  const both = async (): Promise<string[][]> => [await sayable('mapless'), await sayable('untitled')]

  test('follows every way in which a draft is written', async () => {
    const { id } = await create({ name: 'one', definition: definition([map('m')]) })
    expect(await both()).toEqual([[], ['one']])
    await here.update(actor, { workflow: id, definition: definition([merge('a', { title: 'T' })]) })
    expect(await both()).toEqual([['one'], []])
    await here.update(actor, { workflow: id, name: 'renamed', extra: { k: 1 } })
    expect(await both()).toEqual([['renamed'], []])
    await here.update(actor, { workflow: id, definition: { nodes: [map('a')], links: [] }, absent: 'keep' })
    expect(await both()).toEqual([[], []])
    await here.duplicate(actor, { workflow: id, name: 'copy' })
    expect(await both()).toEqual([[], []])
    await here.edit(actor, { workflow: id, operations: [{ op: 'removeNode', nodeId: 'a' }] })
    expect(await both()).toEqual([['renamed'], ['renamed']])
    await here.reset(actor, { workflow: 'copy', drafts: { workflow: { nodes: [map('m')], links: [] } } })
    expect(await both()).toEqual([['renamed'], ['copy', 'renamed']])
    await here.reset(actor, { workflow: 'copy' })
    expect(await both()).toEqual([
      ['copy', 'renamed'],
      ['copy', 'renamed'],
    ])
    // What a dialect can say may hang on a config, and a trial that is kept is one.
    const picky = createWorkflows({ database: db.database, catalogue, fits: { mapless: ({ nodes }) => nodes.every(({ config }) => config === undefined) } })
    await here.update(actor, { workflow: id, definition: one })
    await inTx((tx) => picky.keepTrial(tx, actor, { workflow: id, nodeId: 'a', config: { tried: 1 }, sample: { input: null, output: null, error: null } }))
    expect(await sayable('mapless')).toEqual(['copy'])
  })

  test('has full pages, and counts only what it has; a dialect that is not known is refused', async () => {
    for (let at = 0; at < 10; at++) await create({ name: `W${at}`, definition: at % 3 === 0 ? one : definition([map('m')]) })
    const first = await here.list(actor, { limit: 2, sayableIn: 'mapless', count: true, drafts: true })
    expect([first.items.map(({ name }) => name), first.total]).toEqual([['W9', 'W6'], 4])
    const [second, skipped] = [
      await here.list(actor, { limit: 2, sayableIn: 'mapless', cursor: first.nextCursor! }),
      await here.list(actor, { limit: 2, sayableIn: 'mapless', offset: 2 }),
    ]
    expect(second.items.map(({ name }) => name)).toEqual(['W3', 'W0'])
    expect(skipped).toEqual(second)
    expect((await here.list(actor, { ...page, sayableIn: 'mapless', where: { name: 'W1' } })).items).toEqual([])
    const refused = await fault(here.list(actor, { ...page, sayableIn: 'maples' }))
    expect(refused).toMatchObject({ code: 'input_invalid', issues: [{ path: ['sayableIn'], message: 'expected mapless or untitled' }] })
  })

  test('reads no workflows but those of its page, however many it leaves out', { timeout: 120_000 }, async () => {
    await db.database.query(
      `insert into workflows (id, workspace_id, handle, name, description, draft, unfit)
       select '0' || lpad(n::text, 14, '0'), $1, 'w-' || n, 'W' || n, repeat('d', 1000), $2, case when n <= 100 then '{}'::text[] else '{mapless}' end from generate_series(1, 20000) as n`,
      [actor.workspaceId, JSON.stringify(one)],
    )
    // What is not known to be on disk is not known to be visible to all.
    await db.database.query('checkpoint')
    await db.database.query('vacuum analyze workflows')
    let rows = 0
    const watched: Tx = {
      async query<R>(...[statement, values]: Parameters<Tx['query']>) {
        const text = typeof statement === 'string' ? statement : statement.text
        const [explained] = await db.database.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(`explain (analyze, format json) ${text}`, values)
        rows += heapRows(explained!['QUERY PLAN'][0].Plan)
        return (await db.database.query(statement, values)) as R[]
      },
    }
    const found = await workflowList(watched, actor.workspaceId, { limit: 20, offset: 60, sayableIn: 'mapless', drafts: true, order: '-created' })
    expect(found.items.map(({ name }) => name)).toEqual(Array.from({ length: 20 }, (_, at) => `W${40 - at}`))
    expect(rows).toBeLessThan(100)
    await db.database.query('delete from workflows where workspace_id = $1', [actor.workspaceId])
  })
})

interface Plan {
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Heap Fetches'?: number
  Plans?: Plan[]
}

/** Rows of workflows that were read, and not only their places in an index. */
const heapRows = (plan: Plan): number => {
  const own = plan['Relation Name'] === 'workflows' ? (plan['Heap Fetches'] ?? (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops']) : 0
  return (plan.Plans ?? []).reduce((sum, each) => sum + heapRows(each), own)
}

describe('changes', () => {
  test('what is absent stays, and only another draft counts as an edit', async () => {
    const { id } = await create({ definition: one, description: 'd' })
    expect(await here.update(actor, { workflow: id, name: 'Renamed' })).toMatchObject({ name: 'Renamed', description: 'd', handle: 'invoice', revision: 1, draft: one })
    expect(await here.update(actor, { workflow: id, definition: two, handle: 'other' })).toMatchObject({ name: 'Renamed', handle: 'other', revision: 2, draft: two })
    await create({ handle: 'taken' })
    expect(await code(here.update(actor, { workflow: id, handle: 'taken' }))).toBe('handle_taken')
  })

  test('an update that says nothing changes nothing, not even the time, and still misses what is not there', async () => {
    const made = await create({ definition: one })
    expect(await here.update(actor, { workflow: made.id, absent: 'keep' })).toEqual(made)
    expect(await code(here.update(actor, { workflow: 'nothing' }))).toBe('workflow_missing')
    expect(await fault(here.update(actor, { workflow: made.id, revision: 7 }))).toMatchObject({ code: 'revision_stale' })
  })

  test('with `keep` what is not said of nodes, settings and extra stays, and only what then is there counts against their size', async () => {
    const chatbot: Definition = {
      ...definition([merge('a', { title: 'A', config: { k: 1 }, extra: { one: 'x'.repeat(10_000) } })]),
      kind: 'chatbot',
      settings: { onFailure: 'continue' },
    }
    const { id } = await create({ definition: chatbot, extra: { one: 1, two: 2 } })
    const given = { nodes: [{ id: 'a', type: 'merge', settings: { join: 'all' as const } }, merge('b')], links: [{ source: 'a', target: 'b' }], settings: { join: 'all' as const } }
    const kept = await here.update(actor, { workflow: id, definition: given, extra: { one: null, three: 3 }, absent: 'keep' })
    expect(kept).toMatchObject({ revision: 2, extra: { two: 2, three: 3 }, name: 'Invoice' })
    expect(kept.draft).toEqual({
      kind: 'chatbot',
      nodes: [{ ...chatbot.nodes[0], settings: { join: 'all' } }, merge('b')],
      links: given.links,
      settings: { onFailure: 'continue', join: 'all' },
    })
    const more = { nodes: [merge('a', { extra: { two: 'x'.repeat(10_000) } })], links: [] }
    const refused = await fault(here.update(actor, { workflow: id, definition: more, absent: 'keep' }))
    expect(refused).toMatchObject({ code: 'input_invalid', issues: [{ path: ['definition', 'nodes', 0, 'extra'], nodeId: 'a' }] })
    expect(await code(here.update(actor, { workflow: id, extra: { large: 'x'.repeat(17_000) }, absent: 'keep' }))).toBe('input_invalid')
    const large = (text: string) => ({ nodes: ['a', 'b', 'c'].map((id) => ({ id, type: 'merge', ...(id === text && { config: { text: 'x'.repeat(900_000) } }) })), links: [] })
    for (const each of ['a', 'b']) await here.update(actor, { workflow: id, definition: large(each), absent: 'keep' })
    expect(await fault(here.update(actor, { workflow: id, definition: large('c'), absent: 'keep' }))).toMatchObject({ code: 'input_invalid', issues: [{ path: ['definition'] }] })
    expect(await here.update(actor, { workflow: id, definition: given, extra: { one: null } })).toMatchObject({ draft: { kind: 'workflow', ...given }, extra: { one: null } })
  })

  test('any definition over any other: with `keep` nothing unsaid is lost, without it the draft is what was said', async () => {
    await fc.assert(
      fc.asyncProperty(aDefinition, aDefinition, async (before, { kind: _kind, ...given }) => {
        const { id } = await create({ definition: before })
        const kept = await here.update(actor, { workflow: id, definition: given, absent: 'keep' })
        expect(kept.draft).toEqual(keepAbsent(before, given))
        for (const absent of ['clear', undefined] as const) {
          const said = await here.update(actor, { workflow: id, definition: given, ...(absent && { absent }) })
          expect(said.draft).toEqual({ ...given, kind: 'workflow' })
        }
      }),
      { numRuns: 15 },
    )
  })

  test('two who keep at once lose nothing of each other', async () => {
    const { id } = await create({ definition: one })
    const said = (key: string) => ({ workflow: id, definition: { nodes: [merge('a', { extra: { [key]: 1 } })], links: [] }, extra: { [key]: 1 }, absent: 'keep' as const })
    await Promise.all(Array.from({ length: 8 }, (_, at) => (at % 2 ? here : there).update(actor, said(`k${at}`))))
    const { draft, extra, revision } = await here.get(actor, { workflow: id })
    expect([Object.keys(draft.nodes[0]!.extra!).sort(), Object.keys(extra).sort(), revision]).toEqual([
      ...Array.from({ length: 2 }, () => Array.from({ length: 8 }, (_, at) => `k${at}`)),
      9,
    ])
  })

  test('a draft is begun anew as its kind is, and nothing else of the workflow changes', async () => {
    const { id, ...made } = await create({ definition: { ...two, kind: 'chatbot', settings: { join: 'all' }, testInputs: [1] }, description: 'd', extra: { k: 1 } })
    await here.publish(actor, { workflow: id })
    const before = await here.get(actor, { workflow: id })
    const drafts = { workflow: one, chatbot: { nodes: [merge('hello')], links: [] } }
    const reset = await here.reset(actor, { workflow: id, drafts, revision: 1 })
    expect(reset).toEqual({ ...before, draft: { kind: 'chatbot', nodes: [merge('hello')], links: [] }, revision: 2, updated: reset.updated })
    expect(reset).toMatchObject({ name: made.name, handle: 'invoice', version: 1 })
    expect(await here.reset(actor, { workflow: id, drafts: { workflow: one } })).toMatchObject({ draft: { kind: 'chatbot', nodes: [], links: [] }, revision: 3 })
    expect((await here.versions(actor, { workflow: id, ...page })).items).toHaveLength(1)
    expect(await here.reset(actor, { workflow: id, drafts: { chatbot: { ...two, kind: 'agent' } } })).toMatchObject({ draft: { ...two, kind: 'agent' } })
    expect(await fault(here.reset(actor, { workflow: id, revision: 1 }))).toMatchObject({ code: 'revision_stale', details: { revision: 4 } })
    const refused = await fault(here.reset(actor, { workflow: id, drafts: { workflow: definition([merge('a'), merge('a')]) } }))
    expect(refused).toMatchObject({ code: 'input_invalid', issues: [{ path: ['drafts', 'workflow', 'nodes', 1, 'id'] }] })
    expect((await eventsOf(id)).map(({ seq, type }) => [seq, type])).toEqual([
      [1, 'created'],
      [2, 'updated'],
      [3, 'updated'],
      [4, 'updated'],
      [5, 'updated'],
    ])
  })

  test('a revision that has passed is refused, and the present one is told', async () => {
    const { id } = await create({ definition: one })
    await here.update(actor, { workflow: id, definition: two, revision: 1 })
    const stale = await fault(here.update(actor, { workflow: id, definition: one, revision: 1 }))
    expect(stale).toMatchObject({ code: 'revision_stale', details: { revision: 2 } })
    expect(await code(here.edit(actor, { workflow: id, operations: [], revision: 1 }))).toBe('revision_stale')
    expect(await code(here.publish(actor, { workflow: id, revision: 1 }))).toBe('revision_stale')
  })

  test('edits that come at once are all kept, on whichever server', async () => {
    const { id } = await create()
    const servers = [here, there]
    await Promise.all(Array.from({ length: 10 }, (_, at) => servers[at % 2]!.edit(actor, { workflow: id, operations: [{ op: 'addNode', node: merge(`n${at}`) }] })))
    const { draft, revision } = await here.get(actor, { workflow: id })
    expect(draft.nodes.map((node) => node.id).sort()).toEqual(Array.from({ length: 10 }, (_, at) => `n${at}`))
    expect(revision).toBe(11)
  })

  test('edits apply as a whole or not at all', async () => {
    const { id } = await create({ definition: one })
    const refused = await fault(
      here.edit(actor, {
        workflow: id,
        operations: [
          { op: 'addNode', node: merge('new') },
          { op: 'removeNode', nodeId: 'gone' },
        ],
      }),
    )
    expect(refused).toMatchObject({ code: 'node_missing', issues: [{ path: ['operations', 1, 'nodeId'] }] })
    expect(await here.get(actor, { workflow: id })).toMatchObject({ draft: one, revision: 1 })
  })

  test('asked for again under its key is made once, also by two at once; another request under the key is a conflict, another caller is another', async () => {
    const input = { name: 'Once', definition: one, idempotencyKey: 'k-1' }
    const [first, second] = await Promise.all([here.create(actor, input), there.create(actor, input)])
    expect([second.id, (await here.create(actor, { idempotencyKey: 'k-1', definition: one, name: 'Once' })).id]).toEqual([first.id, first.id])
    expect(await code(here.create(actor, { ...input, name: 'Other' }))).toBe('idempotency_conflict')
    expect((await here.create({ ...actor, principalId: newId() }, input)).id).not.toBe(first.id)
    const copy = { workflow: first.id, idempotencyKey: 'k-1' }
    expect((await there.duplicate(actor, copy)).id).toBe((await here.duplicate(actor, copy)).id)
    expect((await here.list(actor, page)).items.map(({ name }) => name)).toEqual(['Once (2)', 'Once', 'Once'])
  })

  test('a duplicate has the draft, a name and a handle of its own, and no versions', async () => {
    const { id } = await create({ definition: one, extra: { k: 1 } })
    await here.publish(actor, { workflow: id })
    expect(await here.duplicate(actor, { workflow: id })).toMatchObject({ name: 'Invoice (2)', handle: 'invoice-2', draft: one, extra: { k: 1 }, version: null })
  })

  test('a suffix goes behind the name of a duplicate, then a number, and names stay names', async () => {
    const { id } = await create()
    const names: string[] = []
    for (let times = 0; times < 3; times++) names.push((await here.duplicate(actor, { workflow: id, suffix: ' (Copy)' })).name)
    expect(names).toEqual(['Invoice (Copy)', 'Invoice (Copy) (2)', 'Invoice (Copy) (3)'])
    expect((await here.duplicate(actor, { workflow: id, name: 'Other', suffix: '!' })).name).toBe('Other!')
    const long = await create({ name: `${'n'.repeat(181)}${'🎉'.repeat(9)}n` })
    const copies = await Promise.all([1, 2].map(async () => (await here.duplicate(actor, { workflow: long.id, suffix: ' (Copy)' })).name))
    expect(copies.sort()).toEqual([`${'n'.repeat(181)}🎉 (Copy)`, `${'n'.repeat(181)}🎉 (Copy) (2)`])
    expect((await here.duplicate(actor, { workflow: long.id })).name).toBe(`${'n'.repeat(181)}🎉🎉🎉🎉 (2)`)
  })

  test('every change leaves one event with the record as it then was, without its draft and without gaps', async () => {
    const { id } = await create({ definition: one })
    await here.update(actor, { workflow: id, name: 'Renamed' })
    await here.edit(actor, { workflow: id, operations: [{ op: 'addNode', node: merge('b') }] })
    await here.publish(actor, { workflow: id })
    await here.publish(actor, { workflow: id })
    await here.update(actor, { workflow: id, handle: 'x', revision: 1 }).catch(() => {})
    await inTx((tx) => here.hide(tx, actor, id))
    const told = await eventsOf(id)
    expect(told.map(({ seq, type }) => [seq, type])).toEqual([
      [1, 'created'],
      [2, 'updated'],
      [3, 'updated'],
      [4, 'updated'],
      [5, 'deleted'],
    ])
    expect(told.map(({ data }) => data.record['revision'])).toEqual([1, 1, 2, 2, 2])
    expect(told[3]!.data.record['version']).toBe(1)
    for (const { data, workflow_id } of told) {
      expect(WorkflowSummary.strict().parse(data.record)).toBeTruthy()
      expect(workflow_id).toBe(id)
    }
  })

  test('what is rolled back was never said', async () => {
    const { id } = await create({ definition: one })
    await inTx(async (tx) => {
      await here.publishForStart(tx, actor, id)
      await here.hide(tx, actor, id)
      throw new Error('undo')
    }).catch(() => {})
    expect((await eventsOf(id)).map(({ type }) => type)).toEqual(['created'])
    expect(await here.get(actor, { workflow: id })).toMatchObject({ version: null })
  })

  test('a hidden workflow is missing, and its handle is free', async () => {
    const { id } = await create()
    await inTx((tx) => here.hide(tx, actor, id))
    expect(await code(here.get(actor, { workflow: id }))).toBe('workflow_missing')
    expect(await code(inTx((tx) => here.hide(tx, actor, id)))).toBe('workflow_missing')
    expect((await create()).handle).toBe('invoice')
  })
})

describe('versions', () => {
  test('that are more than an answer holds are refused before one is read, and it says to ask for fewer', async () => {
    const { id } = await create()
    const text = 'é'.repeat(1000 * 1024)
    for (let at = 0; at < 9; at++) {
      await here.update(actor, { workflow: id, definition: definition([merge(`a${at}`)]) })
      await here.publish(actor, { workflow: id })
    }
    // As large as drafts may be: nine of these are more than 16 MiB.
    await db.database.query(
      `update versions set definition = json_build_object('kind', 'workflow', 'nodes', json_build_array(), 'links', json_build_array(), 'text', $2::text) where workflow_id = $1`,
      [id, text],
    )
    const refused = await fault(here.versions(actor, { workflow: id, limit: 50 }))
    expect(refused).toMatchObject({ code: 'limit_exceeded', issues: [{ path: ['limit'] }], details: { maxBytes: limits.answerBytes, bytes: expect.any(Number) } })
    expect(refused.message).toContain('ask for fewer')
    expect((await here.versions(actor, { workflow: id, limit: 5 })).items.map(({ number }) => number)).toEqual([9, 8, 7, 6, 5])
  })

  test('publishing checks meaning and says all that is wrong', async () => {
    const { id } = await create({ definition: broken })
    const refused = await fault(here.publish(actor, { workflow: id }))
    expect(refused.code).toBe('definition_invalid')
    expect(refused.issues).toEqual(
      [
        { nodeId: 'x', field: 'type', message: 'There is no node type unheard-of' },
        { nodeId: 'a', field: 'links.0.sourceHandle', message: expect.any(String) },
      ].sort((a) => (a.nodeId === 'a' ? -1 : 1)),
    )
    expect((await here.versions(actor, { workflow: id, ...page })).items).toEqual([])
  })

  test('the same definition is the same version, also after another one', async () => {
    const { id } = await create({ definition: one, description: 'as it was' })
    const first = await here.publish(actor, { workflow: id })
    expect(Version.parse(first)).toMatchObject({ number: 1, name: 'Invoice', description: 'as it was', definition: one })
    expect(await here.publish(actor, { workflow: id })).toEqual(first)
    await here.update(actor, { workflow: id, definition: two, name: 'Renamed' })
    expect(await here.publish(actor, { workflow: id })).toMatchObject({ number: 2, name: 'Renamed' })
    await here.update(actor, { workflow: id, definition: { ...one, settings: { onFailure: 'stop' } } })
    expect(await here.publish(actor, { workflow: id })).toEqual(first)
    expect(await here.get(actor, { workflow: id })).toMatchObject({ version: 2 })
    const listed = await here.versions(actor, { workflow: id, limit: 1, count: true })
    expect(listed).toMatchObject({ items: [{ number: 2 }], total: 2 })
    expect(await here.versions(actor, { workflow: id, limit: 1, cursor: listed.nextCursor! })).toEqual({ items: [first], nextCursor: null })
    expect(await here.versions(actor, { workflow: id, limit: 1, offset: 1, count: true })).toEqual({ items: [first], nextCursor: null, total: 2 })
    expect((await here.versions(actor, { workflow: id, limit: 1, offset: 0 })).nextCursor).toBe(listed.nextCursor)
    expect((await here.versions(actor, { workflow: id, ...page, offset: 2 })).items).toEqual([])
    expect(await code(here.versions(actor, { workflow: id, limit: 1, offset: 1, cursor: listed.nextCursor! }))).toBe('input_invalid')
    expect(await here.version(actor, { workflow: id, version: 1 })).toEqual(first)
    expect(await code(here.version(actor, { workflow: id, version: 3 }))).toBe('version_missing')
  })

  test('a hash that was expected is the one published, or nothing is', async () => {
    const { id } = await create({ definition: one })
    const refused = await fault(here.publish(actor, { workflow: id, expectHash: 'x' }))
    expect(refused.code).toBe('hash_mismatch')
    expect(await here.publish(actor, { workflow: id, expectHash: refused.details['hash'] as string })).toMatchObject({ number: 1 })
  })
})

describe('starting', () => {
  const start = (server: Workflows, ref: string, version?: number, hash?: string) => inTx((tx) => server.publishForStart(tx, actor, ref, version, hash))

  test('publishes the draft when its hash is new, once, however many start at once', async () => {
    const { id } = await create({ definition: one })
    const started = await Promise.all(Array.from({ length: 8 }, (_, at) => start(at % 2 ? here : there, id)))
    expect(new Set(started.map(({ version, hash }) => `${version} ${hash}`)).size).toBe(1)
    expect(started[0]).toMatchObject({ version: 1, definition: one, workflow: { id } })
    expect((await eventsOf(id)).map(({ type }) => type)).toEqual(['created', 'updated'])
  })

  test('goes with the draft as it is, although another server edited it', async () => {
    const { id } = await create({ definition: one })
    expect((await start(here, id)).version).toBe(1)
    expect((await start(here, id)).version).toBe(1)
    await there.update(actor, { workflow: id, definition: two })
    expect(await start(here, id)).toMatchObject({ version: 2, definition: two })
    await there.update(actor, { workflow: id, definition: one })
    expect(await start(here, id)).toMatchObject({ version: 1, definition: one })
    expect(await start(here, 'invoice', 2)).toMatchObject({ version: 2, definition: two })
  })

  test('an unpublishable draft starts nothing; an earlier version still does', async () => {
    const { id } = await create({ definition: one })
    await start(here, id)
    await here.update(actor, { workflow: id, definition: broken })
    expect(await code(start(here, id))).toBe('definition_invalid')
    expect((await start(here, id, 1)).definition).toEqual(one)
    expect(await code(start(here, id, 9))).toBe('version_missing')
    expect(await code(start(here, id, 1, 'another'))).toBe('hash_mismatch')
  })

  test('what a transaction that was rolled back had edited is not remembered', async () => {
    const { id } = await create({ definition: one })
    await start(here, id)
    await here.update(actor, { workflow: id, definition: two })
    await inTx(async (tx) => {
      await tx.query(`update workflows set draft = $2, revision = 3 where id = $1`, [id, JSON.stringify(one)])
      expect((await here.publishForStart(tx, actor, id)).version).toBe(1)
      throw new Error('undo')
    }).catch(() => {})
    const three = definition([merge('c')])
    expect(await here.update(actor, { workflow: id, definition: three })).toMatchObject({ revision: 3 })
    expect(await start(here, id)).toMatchObject({ version: 2, definition: three })
  })

  test('a plan is made of the pinned version, or of what a trial brings along', async () => {
    const { id } = await create({ definition: two })
    await start(here, id)
    const plans = createPlans(catalogue)
    const pinned = await plans.of(db.database, { workflow_id: id, version: 1, trial: null })
    expect(pinned.graph.top.map((node) => node.id)).toEqual(['a', 'b'])
    expect(pinned.missing).toEqual([])
    expect(await plans.of(db.database, { workflow_id: id, version: 1, trial: null })).toBe(pinned)
    expect((await plans.of(db.database, { workflow_id: id, version: 1, trial: { definition: broken } })).missing).toEqual(['unheard-of'])
  })
})

describe('nodes and samples', () => {
  test('a node comes with what was last tried on it', async () => {
    const { id } = await create({ definition: one })
    expect(await here.node(actor, { workflow: id, nodeId: 'a' })).toEqual({ node: merge('a'), sample: null })
    await inTx((tx) => here.keepTrial(tx, actor, { workflow: id, nodeId: 'a', sample: { input: { x: 1 }, output: null, error: { code: 'c', message: 'm' } } }))
    await inTx((tx) => here.keepTrial(tx, actor, { workflow: id, nodeId: 'a', config: { tried: true }, sample: { input: null, output: [1], error: null } }))
    const { node, sample } = await here.node(actor, { workflow: id, nodeId: 'a' })
    expect(node.config).toEqual({ tried: true })
    expect(sample).toMatchObject({ input: null, output: [1], error: null })
    expect(await here.get(actor, { workflow: id })).toMatchObject({ revision: 2 })
    expect(await code(here.node(actor, { workflow: id, nodeId: 'gone' }))).toBe('node_missing')
  })

  test('outputs are those of the draft', async () => {
    const { id } = await create({ definition: two })
    expect(await here.outputs(actor, { workflow: id })).toEqual([{ nodeId: 'b', name: 'b', field: null }])
  })

  test('leaves are all that no link leaves, in bodies too, in the order of the definition, with their fields', async () => {
    const drawn = definition(
      [
        { id: 'in', type: 'input', title: 'Order', config: { schema: { type: 'object', properties: { a: {}, 'b.c': {} } } } },
        map('each', { title: 'Each' }),
        merge('inner', { parentId: 'each' }),
        { id: 'last', type: 'output', parentId: 'each', config: { map: { x: 1 } } },
        { id: 'other', type: 'input', config: { schema: { properties: { a: {} } } } },
        { id: 'odd', type: 'unheard-of', config: { values: { v: 1 } } },
        { id: 'end', type: 'output', config: { map: { sum: 1, of: 2 } } },
      ],
      [
        ['in', 'each'],
        ['inner', 'last'],
        ['each', 'end', 'failed'],
      ],
    )
    const { id } = await create({ definition: drawn })
    const entry = (nodeId: string, ...fields: string[]) => [null, ...fields].map((field) => ({ nodeId, name: field === null ? nodeId : `${nodeId}.${field}`, field }))
    expect(await here.outputs(actor, { workflow: id, of: 'leaves' })).toEqual([...entry('last', 'x'), ...entry('other', 'a'), ...entry('odd', 'v'), ...entry('end', 'sum', 'of')])
    expect(await here.outputs(actor, { workflow: id, of: 'result' })).toEqual(entry('end', 'sum', 'of'))
    // A link over the border of a body leaves its node all the same.
    await here.edit(actor, { workflow: id, operations: [{ op: 'connect', link: { source: 'last', target: 'end' } }] })
    expect((await here.outputs(actor, { workflow: id, of: 'leaves' })).map(({ nodeId }) => nodeId)).not.toContain('last')
  })
})

import { Fault, isSameLink, limits, linkIdOf, Workflow, type EditOperation, type Json } from '@sluice/schema'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { catalogue, definition, merge } from '../packages/server/test/workflows/toys.ts'
import { createBlobs } from '../packages/server/src/files/blobs.ts'
import { createNodeFiles, type NodeFiles } from '../packages/server/src/files/node-files.ts'
import { newId } from '../packages/server/src/store/ids.ts'
import { laneOfWorkflow } from '../packages/server/src/store/lanes.ts'
import type { Author } from '../packages/server/src/workflows/find.ts'
import { createWorkflows, type Workflows } from '../packages/server/src/workflows/workflows.ts'
import { testDatabase, type TestDatabase } from './support/database.ts'

let db: TestDatabase
/** Two servers on one PostgreSQL. */
let here: Workflows
let there: Workflows
let files: NodeFiles
let actor: Author
let id: string

const code = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing',
    (error: unknown) => (error instanceof Fault ? error.code : String(error)),
  )
const edit = (operations: EditOperation[], include?: ['samples']) => here.edit(actor, { workflow: id, operations, ...(include && { include }) })
const samples = async () => (await there.get(actor, { workflow: id, include: ['samples'] })).samples!

beforeAll(async () => {
  db = await testDatabase()
  here = createWorkflows({ database: db.database, catalogue })
  there = createWorkflows({ database: db.database, catalogue })
  files = createNodeFiles({ database: db.database })
})
afterAll(() => db.close())
beforeEach(async () => {
  const workspaceId = newId()
  await db.database.query('insert into workspaces (id, handle, name) values ($1, $1, $1)', [workspaceId])
  actor = { workspaceId, userId: newId(), principalId: newId() }
  id = (await here.create(actor, { name: 'Canvas', definition: definition([merge('a'), merge('b'), merge('c')], [['a', 'b']]) })).id
})

describe('edits', () => {
  test('tell the ids they drew, under which what was added is found', async () => {
    const edited = await edit([
      { op: 'addNode', node: { type: 'merge' } },
      { op: 'connect', link: { source: 'a', target: 'c' } },
      { op: 'connect', link: { source: 'a', target: 'b' } },
    ])
    const [node, link, ...more] = edited.drawn
    // The third is there already, and has no id to draw.
    expect(more).toEqual([])
    expect([node!.operation, link!.operation]).toEqual([0, 1])
    expect(edited.draft.nodes.at(-1)).toEqual({ id: node!.id, type: 'merge' })
    expect(edited.draft.links.find(({ id }) => id === link!.id)).toMatchObject({ source: 'a', target: 'c' })
    expect(Workflow.parse(await there.get(actor, { workflow: id })).draft).toEqual(edited.draft)
  })

  test('of two hundred from eight clients of two servers at once, all land', { timeout: 60_000 }, async () => {
    const started = performance.now()
    const client = async (nr: number) => {
      const workflows = nr % 2 === 0 ? here : there
      for (let n = 0; n < 25; n++) {
        const { drawn } = await workflows.edit(actor, {
          workflow: id,
          operations: [
            { op: 'addNode', node: { type: 'merge', title: `${nr}/${n}` } },
            { op: 'moveNode', nodeId: 'a', position: { x: nr, y: n } },
          ],
        })
        expect(drawn).toHaveLength(1)
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, nr) => client(nr)))
    const { draft, revision } = await here.get(actor, { workflow: id })
    expect(new Set(draft.nodes.flatMap(({ title }) => title ?? [])).size).toBe(200)
    expect(new Set(draft.nodes.map((node) => node.id)).size).toBe(203)
    expect(revision).toBe(201)
    // Measured: a second and less. A minute would mean that they wait for each other otherwise than in turn.
    expect(performance.now() - started).toBeLessThan(30_000)
  })

  test('a link that was drawn by two at once is there once, and the second is told so', async () => {
    const operations: EditOperation[] = [{ op: 'connect', link: { source: 'b', target: 'c' }, ifSame: 'refuse' }]
    const said = await Promise.all([here, there, here, there].map((workflows) => code(workflows.edit(actor, { workflow: id, operations }))))
    expect(said.sort()).toEqual(['link_exists', 'link_exists', 'link_exists', 'nothing'])
    expect((await here.get(actor, { workflow: id })).draft.links.filter((link) => isSameLink(link, { source: 'b', target: 'c' }))).toHaveLength(1)
  })

  test('a link without an id is changed by the one that it is made of, and keeps that', async () => {
    const linkId = linkIdOf({ source: 'a', target: 'b' })
    const { draft } = await edit([{ op: 'changeLink', linkId, target: 'c', sourceHandle: 'yes' }])
    expect(draft.links).toEqual([{ id: linkId, source: 'a', target: 'c', sourceHandle: 'yes' }])
    expect((await edit([{ op: 'disconnect', linkId }])).draft.links).toEqual([])
    expect(await code(edit([{ op: 'disconnect', linkId }]))).toBe('link_missing')
  })

  test('a definition of another face keeps the ids of the links that it knows nothing of', async () => {
    const { draft } = await edit([{ op: 'connect', link: { id: 'mine', source: 'b', target: 'c' } }])
    const links = draft.links.map(({ id: _id, ...link }) => link)
    expect((await here.update(actor, { workflow: id, definition: { ...draft, links }, absent: 'keep' })).draft.links).toEqual(draft.links)
    expect((await here.update(actor, { workflow: id, definition: { ...draft, links } })).draft.links).toEqual(links)
  })

  test('two links of one id are refused', async () => {
    const links = [
      { id: 'x', source: 'a', target: 'b' },
      { id: 'x', source: 'b', target: 'c' },
    ]
    const { draft } = await here.get(actor, { workflow: id })
    expect(await code(here.update(actor, { workflow: id, definition: { ...draft, links } }))).toBe('input_invalid')
  })
})

describe('what a workflow keeps for dialects', () => {
  test('is laid over what is there, key by key within each of them', async () => {
    await here.update(actor, { workflow: id, extra: { one: { tags: { a: 1 }, status: 'inactive' }, other: { kept: true } } })
    const { extra } = await here.update(actor, { workflow: id, extra: { one: { tags: { b: 2 }, status: null, category: 'x' } }, absent: 'merge' })
    expect(extra).toEqual({ one: { tags: { b: 2 }, category: 'x' }, other: { kept: true } })
  })

  test('of a node too, beside a config that is replaced', async () => {
    await edit([{ op: 'setConfig', nodeId: 'a', config: { x: 1 }, extra: { one: { config: { a: 1 }, more: 1 }, other: 1 } }])
    const { draft } = await edit([{ op: 'setConfig', nodeId: 'a', type: 'log', config: { y: 2 }, position: { x: 5 }, extra: { one: { config: {} } }, merge: ['extra'] }])
    expect(draft.nodes[0]).toEqual({ id: 'a', type: 'log', config: { y: 2 }, position: { x: 5, y: 0 }, extra: { one: { config: {}, more: 1 }, other: 1 } })
    const laid = await edit([{ op: 'setConfig', nodeId: 'a', config: { z: 3, y: null }, merge: ['config'] }])
    expect(laid.draft.nodes[0]!.config).toEqual({ z: 3 })
  })
})

describe('samples', () => {
  test('are written with an edit, beside what is there of them, and tell of the nodes that it names', async () => {
    const first = await edit([{ op: 'setSample', nodeId: 'a', input: { in: 1 } }], ['samples'])
    expect(first.samples).toMatchObject({ a: { input: { in: 1 }, output: null, error: null } })
    // No part of the draft: who wrote the draft before may write it again.
    expect(first.revision).toBe(1)
    const second = await edit(
      [
        { op: 'setSample', nodeId: 'a', output: 'out' },
        { op: 'setSample', nodeId: 'b', output: 2 },
        { op: 'setSample', nodeId: 'b', output: null },
      ],
      ['samples'],
    )
    expect(second.samples).toMatchObject({ a: { input: { in: 1 }, output: 'out' }, b: { input: null, output: null } })
    expect(Object.keys((await edit([{ op: 'setSample', nodeId: 'c', input: 3 }], ['samples'])).samples!)).toEqual(['c'])
    expect(Workflow.parse(await there.get(actor, { workflow: id, include: ['samples'] })).samples).toMatchObject({ a: { output: 'out' }, b: {}, c: { input: 3 } })
    expect((await there.get(actor, { workflow: id })).samples).toBeUndefined()
    expect(await code(edit([{ op: 'setSample', nodeId: 'x', input: 1 }]))).toBe('node_missing')
  })

  test('go with their node, be it taken out or left out of the next draft', async () => {
    await edit((['a', 'b', 'c'] as const).map((nodeId) => ({ op: 'setSample', nodeId, output: nodeId })))
    await edit([
      { op: 'removeNode', nodeId: 'a' },
      { op: 'addNode', node: merge('a') },
    ])
    expect(Object.keys(await samples())).toEqual(['b', 'c'])
    await here.update(actor, { workflow: id, definition: definition([merge('a'), merge('b')]) })
    expect(Object.keys(await samples())).toEqual(['b'])
    await here.reset(actor, { workflow: id })
    expect(await samples()).toEqual({})
  })

  test('are bounded: a value that is too large is told by its size, and of all that are too much the largest are', async () => {
    const put = (nodeId: string, output: Json) =>
      db.database.query(`insert into samples (workflow_id, node_id, input, output, error) values ($1, $2, 'null', $3, 'null')`, [id, nodeId, JSON.stringify(output)])
    const mib = 1024 * 1024
    await put('huge', 'x'.repeat(limits.sampleValueBytes))
    for (let n = 0; n < 13; n++) await put(`n${n}`, 'x'.repeat(mib + n))
    await put('small', 'x')
    const told = await samples()
    expect(told['huge']!.output).toEqual({ truncated: limits.sampleValueBytes + 2 })
    expect(told['small']!.output).toBe('x')
    expect(told['n0']!.output).toHaveLength(mib)
    expect(told['n12']!.output).toEqual({ truncated: mib + 14 })
    expect(Buffer.byteLength(JSON.stringify(told))).toBeLessThan(limits.answerBytes)
  })
})

describe('the current run', () => {
  async function addRun(more: { lane?: string; live?: boolean; started?: boolean; trial?: boolean; status?: string } = {}): Promise<string> {
    const run = newId()
    await db.database.query(
      `insert into runs (id, workspace_id, workflow_id, version, trial, status, lane, lane_live, created_at, ended_at, updated_at)
       values ($1, $2, $3, 1, $4, $5, $6, $7, now(), $8, now())`,
      [
        run,
        actor.workspaceId,
        id,
        more.trial ? '{}' : null,
        more.status ?? (more.live ? 'running' : 'completed'),
        more.lane ?? null,
        more.started ? more.lane : null,
        more.live ? null : new Date(),
      ],
    )
    return run
  }
  const current = async () => {
    const of = (await here.get(actor, { workflow: id })).activity
    expect((await here.list(actor, { limit: 1 })).items[0]!.activity).toEqual(of)
    return of.current?.id ?? null
  }

  test('is none unless one is live, then the newest, and before all others that of the canvas', async () => {
    expect(await current()).toBeNull()
    await addRun({ status: 'failed' })
    await addRun({ live: true, trial: true })
    expect(await current()).toBeNull()
    const older = await addRun({ live: true })
    expect(await current()).toBe(older)
    const canvas = await addRun({ live: true, lane: laneOfWorkflow(id, 'canvas') })
    expect(await current()).toBe(canvas)
    const newer = await addRun({ live: true, lane: laneOfWorkflow(newId(), 'canvas') })
    expect(await current()).toBe(canvas)
    await db.database.query('update runs set ended_at = now() where id = $1', [canvas])
    expect(await current()).toBe(newer)
  })

  test('of a lane where one has started and one waits is the one that has started', async () => {
    const lane = laneOfWorkflow(id, 'canvas')
    await addRun({ live: true, lane })
    const started = await addRun({ live: true, lane, started: true })
    expect(await current()).toBe(started)
  })
})

describe('files of a node', () => {
  const receive = (text: string, name = 'notes.txt') => {
    const source = async function* () {
      yield Buffer.from(text)
    }
    return createBlobs(db.database).receive({ workspaceId: actor.workspaceId, userId: actor.userId, name, contentType: 'text/plain', atMost: text.length }, source())
  }
  const add = async (key: string, text = key, nodeId = 'a') => files.add(actor.workspaceId, { workflow: id, nodeId, key, file: await receive(text) })
  const keysOf = async (nodeId = 'a', workflow = id) => (await files.list(actor.workspaceId, { workflow, nodeId, limit: 10 })).items.map(({ key }) => key)
  const stored = async () => (await db.database.query<{ id: string }>('select id from files where workspace_id = $1', [actor.workspaceId])).map((row) => row.id)
  const bytesOf = async (fileId: string) => {
    const pieces: Buffer[] = []
    for await (const piece of createBlobs(db.database).read(fileId, 0, 100)) pieces.push(piece)
    return Buffer.concat(pieces).toString()
  }

  test('have a key each, and keep their id when another file takes their place', async () => {
    const first = await add('one')
    expect(first).toMatchObject({ workflowId: id, nodeId: 'a', key: 'one', file: { name: 'notes.txt', bytes: 3, unusedSince: null } })
    await add('two')
    expect(await keysOf()).toEqual(['two', 'one'])
    expect(await code(add('one'))).toBe('key_taken')
    const changed = await files.change(actor.workspaceId, { workflow: id, nodeId: 'a', id: first.id, file: await receive('other', 'x.txt') })
    expect(changed).toMatchObject({ id: first.id, key: 'one', file: { name: 'x.txt', bytes: 5 }, created: first.created })
    expect(await bytesOf(changed.file.id)).toBe('other')
    expect(await stored()).not.toContain(first.file.id)
    expect(await code(files.change(actor.workspaceId, { workflow: id, nodeId: 'a', id: first.id, key: 'two' }))).toBe('key_taken')
    expect((await files.change(actor.workspaceId, { workflow: id, nodeId: 'a', id: first.id, key: 'three' })).file.id).toBe(changed.file.id)
    expect(await files.get(actor.workspaceId, { workflow: id, nodeId: 'a', id: first.id })).toMatchObject({ key: 'three' })
  })

  test('of two of one key at once, one is stored', async () => {
    const received = await Promise.all([receive('1'), receive('2')])
    const said = await Promise.all(received.map((file) => code(files.add(actor.workspaceId, { workflow: id, nodeId: 'a', key: 'k', file }))))
    expect(said.sort()).toEqual(['key_taken', 'nothing'])
  })

  test('go by themselves, with their node, and with their workflow', async () => {
    const one = await add('one')
    await add('two')
    await add('three', 'three', 'b')
    await files.delete(actor.workspaceId, { workflow: id, nodeId: 'a', id: one.id })
    expect(await code(files.delete(actor.workspaceId, { workflow: id, nodeId: 'a', id: one.id }))).toBe('file_missing')
    expect(await keysOf()).toEqual(['two'])
    await edit([{ op: 'removeNode', nodeId: 'a' }])
    expect(await code(keysOf())).toBe('node_missing')
    expect(await keysOf('b')).toEqual(['three'])
    expect(await stored()).toHaveLength(1)
    await db.database.transaction((tx) => here.hide(tx, actor, id))
    expect(await stored()).toEqual([])
  })

  test('are those of a copy too, until both have gone', async () => {
    await add('one')
    const copy = await here.duplicate(actor, { workflow: id })
    expect(await keysOf('a', copy.id)).toEqual(['one'])
    await edit([{ op: 'removeNode', nodeId: 'a' }])
    expect(await keysOf('a', copy.id)).toEqual(['one'])
    expect(await stored()).toHaveLength(1)
    await here.reset(actor, { workflow: copy.id })
    expect(await stored()).toEqual([])
  })

  test('of another node, another workflow, another workspace are missing ones', async () => {
    const one = await add('one')
    expect(await code(files.get(actor.workspaceId, { workflow: id, nodeId: 'b', id: one.id }))).toBe('file_missing')
    const other = await here.create(actor, { name: 'Other', definition: definition([merge('a')]) })
    expect(await code(files.get(actor.workspaceId, { workflow: other.id, nodeId: 'a', id: one.id }))).toBe('file_missing')
    expect(await code(files.get(newId(), { workflow: id, nodeId: 'a', id: one.id }))).toBe('workflow_missing')
    expect(await code(files.change(newId(), { workflow: id, nodeId: 'a', id: one.id, key: 'x' }))).toBe('workflow_missing')
  })
})

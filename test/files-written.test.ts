import type { NodeFile, Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createWrites } from '../packages/server/src/files/written.ts'
import { flow, values } from './support/flow.ts'
import { type TestServer, testServer } from './support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const write = (name: string, more: object = {}) => ({ type: 'file-write', config: { name, ...more } })
const filesOf = async ({ id }: { id: string }, nodeId = 'w'): Promise<NodeFile[]> =>
  (await server.call<{ items: NodeFile[] }>('GET', `/v1/workflows/${id}/nodes/${nodeId}/files`)).items
const textOf = async ({ file }: NodeFile): Promise<string> =>
  (await fetch(`${server.url}/v1/files/${file.id}/content`, { headers: { authorization: `Bearer ${server.token}` } })).text()
const told = async (workflow: { id: string }) => Promise.all((await filesOf(workflow)).map(async (file) => [file.key, await textOf(file)]))

describe('a node that writes files', () => {
  test('has them under their names, whatever these are: each is found among its files, and goes nowhere else', async () => {
    const workflow = await server.workflow(flow({ a: values({ x: [1] }), w: write('../../etc/passwd\u0007.json') }, ['a > w']))
    const run: Run = await server.start(workflow.id, { wait: { until: 'finished' } })
    const [file] = await filesOf(workflow)
    expect(run).toMatchObject({ status: 'completed', output: { w: { file: { id: file!.id, key: '../../etc/passwd .json', bytes: 22 } } } })
    expect(file).toMatchObject({ key: '../../etc/passwd .json', file: { name: 'passwd .json', contentType: 'application/json', unusedSince: null } })
    expect(await textOf(file!)).toBe('{\n  "x": [\n    1\n  ]\n}')
  })

  test('writes anew, or at the end', async () => {
    const workflow = await server.workflow(flow({ a: 'input', w: write('log', { content: '{{ a.line }}', append: true }) }, ['a > w']))
    for (const line of ['one', 'two\n', 'thrée']) await server.start(workflow.id, { input: { line }, wait: { until: 'finished' } })
    expect(await told(workflow)).toEqual([['log', 'one\ntwo\nthrée\n']])
    const anew = await server.workflow(flow({ a: 'input', w: write('log', { content: '{{ a.line }}' }) }, ['a > w']))
    for (const line of ['one', 'two']) await server.start(anew.id, { input: { line }, wait: { until: 'finished' } })
    expect(await told(anew)).toEqual([['log', 'two']])
  })

  test('writes each item once, in one file, across chunks', async () => {
    const workflow = await server.workflow(
      flow({
        m: { type: 'map', config: { items: Array.from({ length: 20 }, (_, at) => at), concurrency: 10 } },
        w: { ...write('all', { content: `{{ index }}${'x'.repeat(20_000)}`, append: true }), in: 'm' },
      }),
    )
    await server.start(workflow.id, { wait: { until: 'finished', ms: 60_000 } })
    const [[, text]] = (await told(workflow)) as [[string, string]]
    const lines = text.trimEnd().split('\n')
    expect(lines.map((line) => parseInt(line, 10)).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, at) => at))
    expect(new Set(lines.map(({ length }) => length))).toEqual(new Set([20_001, 20_002]))
  })
})

test('a step that is tried again does not write again, and another step does', async () => {
  const workflow = await server.workflow(flow({ w: write('log', { content: 'first', append: true }) }))
  const run: Run = await server.start(workflow.id, { wait: { until: 'finished' } })
  const writes = createWrites({ database: server.db.database })
  const [{ workspace_id: workspaceId }] = (await server.db.database.query<{ workspace_id: string }>('select workspace_id from runs where id = $1', [run.id])) as [
    { workspace_id: string },
  ]
  const writer = { workspaceId, userId: workspaceId, workflowId: workflow.id, nodeId: 'w', runId: run.id, step: 'w/' }
  const more = { key: 'log', text: 'again\n', append: true }
  expect(await writes(writer, more)).toMatchObject({ bytes: 6 })
  expect(await Promise.all([writes({ ...writer, step: 'w/1' }, more), writes({ ...writer, step: 'w/1' }, more)])).toMatchObject([{ bytes: 12 }, { bytes: 12 }])
  expect(await told(workflow)).toEqual([['log', 'first\nagain\n']])
  await expect(writes({ ...writer, nodeId: 'gone', step: 'w/2' }, more)).rejects.toMatchObject({ code: 'node_missing' })
  await expect(writes({ ...writer, workspaceId: 'other', step: 'w/2' }, more)).rejects.toMatchObject({ code: 'workflow_missing' })
  await expect(writes({ ...writer, step: 'w/2' }, { ...more, text: 'x'.repeat(33 * 1024 * 1024) })).rejects.toMatchObject({ code: 'file_too_large' })
  // What was refused has written nothing, so that it may be tried again.
  expect(await writes({ ...writer, step: 'w/2' }, more)).toMatchObject({ bytes: 18 })
})

import type { Definition, Trial, Workflow, WorkflowNode } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approval, delay, flow, loop, map, post, router, subworkflow, template, values } from '../support/flow.ts'
import { refusal, type TestServer, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const url = (path: string) => server.toy.url + path
const tryNode = (workflow: { id: string }, nodeId: string, body: object = {}) =>
  server.call<Trial>('POST', `/v1/workflows/${workflow.id}/nodes/${encodeURIComponent(nodeId)}/try`, body)
const chain = (name: string): Definition =>
  flow(
    {
      in: 'input',
      a: { ...(post(url(`/ok/${name}-a`)) as object), type: 'http-request', title: 'First' },
      b: { type: 'output', config: { map: { visit: '{{ First.body.visit }}', all: '{{ nodes.in }}' } } },
      c: post(url(`/ok/${name}-c`)),
    },
    ['in > a > b > c'],
  )

describe('a trial', () => {
  test('of a node with its input runs that node alone', async () => {
    const workflow = await server.workflow(chain('given'))
    const trial = await tryNode(workflow, 'b', { input: { First: { body: { visit: 7 } } } })
    expect(trial).toMatchObject({ status: 'completed', nodeId: 'b', input: { First: { body: { visit: 7 } } }, output: { visit: 7, all: null }, error: null })
    expect(server.toy.visits('given-a')).toHaveLength(0)
  })

  test('without input runs what the node needs, and no more', async () => {
    const workflow = await server.workflow(chain('needs'))
    const trial = await tryNode(workflow, 'b')
    expect(trial).toMatchObject({ status: 'completed', output: { visit: 1, all: null }, outputs: { in: null, a: { body: { visit: 1 } }, b: { visit: 1 } } })
    expect(trial.input).toMatchObject({ First: { body: { visit: 1 } } })
    expect([server.toy.visits('needs-a').length, server.toy.visits('needs-c').length]).toEqual([1, 0])
  })

  test('with outputs of other nodes runs only what those do not give', async () => {
    const workflow = await server.workflow(chain('outputs'))
    const trial = await tryNode(workflow, 'c', { outputs: { a: { body: { visit: 40 } } } })
    expect(trial).toMatchObject({ status: 'completed', outputs: { b: { visit: 40 }, c: { status: 200 } } })
    expect([server.toy.visits('outputs-a').length, server.toy.visits('outputs-c').length]).toEqual([0, 1])
  })

  test('gives input nodes that it runs their values, by id or title; those of others are passed over', async () => {
    const definition = flow({ a: { type: 'input', title: 'First' }, b: 'input', t: template('{{ First }} and {{ b }}'), u: template('{{ t.text }}') }, ['a > t', 'b > t', 't > u'])
    const workflow = await server.workflow(definition)
    expect(await tryNode(workflow, 't', { inputs: { First: 'x', b: 'y' } })).toMatchObject({ status: 'completed', output: { text: 'x and y' }, outputs: { a: 'x', b: 'y' } })
    expect(await tryNode(workflow, 't', { inputs: { First: 'x', b: 'y' }, outputs: { b: 'given' } })).toMatchObject({ output: { text: 'x and given' } })
    expect(await tryNode(workflow, 'u', { inputs: { a: 'x' }, outputs: { t: { text: 'alone' } } })).toMatchObject({ output: { text: 'alone' } })
    expect(await tryNode(workflow, 'a', { inputs: { a: { deep: [1] }, b: 2 } })).toMatchObject({ status: 'completed', nodeId: 'a', output: { deep: [1] } })
    expect((await refusal(tryNode(workflow, 't', { inputs: { First: 1, c: 2 } }))).issues).toMatchObject([{ path: ['inputs', 'c'] }])
    expect(await tryNode(workflow, 'a', { inputs: { First: 1, c: 2 }, otherInputs: 'ignore' })).toMatchObject({ output: 1 })
    expect((await refusal(tryNode(workflow, 't', { inputs: { c: 2 }, otherInputs: 'ignore' }))).issues).toMatchObject([{ nodeId: 'a' }, { nodeId: 'b' }])
    expect(await refusal(tryNode(workflow, 't', { input: { First: 1 }, inputs: { a: 1 } }))).toMatchObject({ status: 400, issues: [{ path: ['inputs'] }] })
  })

  test('with another config tries that one; saved, config and sample are kept', async () => {
    const workflow = await server.workflow(flow({ in: 'input', t: template('old {{ in }}') }, ['in > t']))
    const tried = await tryNode(workflow, 't', { input: { in: 'x' }, config: { text: 'new {{ in }}' } })
    expect(tried.output).toEqual({ text: 'new x' })
    expect(await server.call('GET', `/v1/workflows/${workflow.id}/nodes/t`)).toMatchObject({ node: { config: { text: 'old {{ in }}' } }, sample: null })
    await tryNode(workflow, 't', { input: { in: 'y' }, config: { text: 'kept {{ in }}' }, save: true })
    const node = await server.call<WorkflowNode>('GET', `/v1/workflows/${workflow.id}/nodes/t`)
    expect(node).toMatchObject({ node: { config: { text: 'kept {{ in }}' } }, sample: { input: { in: 'y' }, output: { text: 'kept y' }, error: null } })
    expect((await server.call<Workflow>('GET', `/v1/workflows/${workflow.id}`)).revision).toBe(workflow.revision + 1)
  })

  test('whose node fails is an outcome', async () => {
    const workflow = await server.workflow(flow({ a: post(url('/refuse/trial')), b: template('b') }, ['a > b']))
    expect(await tryNode(workflow, 'a')).toMatchObject({ status: 'failed', output: null, error: { code: 'http_422' } })
    const behind = await tryNode(workflow, 'b')
    expect(behind).toMatchObject({ status: 'failed', nodeId: 'b', output: null, error: { code: 'step_failed' } })
  })

  test('saved although it failed keeps the error in the sample', async () => {
    const workflow = await server.workflow(flow({ a: post(url('/refuse/trial-sample')) }))
    await tryNode(workflow, 'a', { save: true })
    expect(await server.call('GET', `/v1/workflows/${workflow.id}/nodes/a`)).toMatchObject({ sample: { output: null, error: { code: 'http_422' } } })
  })

  test('ends when its time is up', async () => {
    const workflow = await server.workflow(flow({ a: post(url('/hang/trial')) }))
    expect(await tryNode(workflow, 'a', { timeoutMs: 200 })).toMatchObject({ status: 'failed', error: { code: 'timed_out' } })
    await server.toy.left('trial')
  })

  test('refuses a part that would open a pause; with the answer given it is none', async () => {
    const workflow = await server.workflow(
      flow({ in: 'input', ask: approval(), t: template('{{ ask }}'), each: map('input'), inner: approval({ in: 'each' }) }, ['in > ask > t', 'in > each']),
    )
    expect(await refusal(tryNode(workflow, 'ask'))).toMatchObject({ status: 400, code: 'trial_refused', details: { nodes: ['ask'] } })
    expect(await refusal(tryNode(workflow, 't'))).toMatchObject({ code: 'trial_refused' })
    expect(await refusal(tryNode(workflow, 'each'))).toMatchObject({ code: 'trial_refused', details: { nodes: ['inner'] } })
    expect((await tryNode(workflow, 't', { outputs: { ask: 'yes' } })).output).toEqual({ text: 'yes' })
    expect((await tryNode(workflow, 't', { input: { ask: 'no' } })).output).toEqual({ text: 'no' })
  })

  test('fails in a sub-workflow that would open a pause, and what it started is as unlisted as itself', async () => {
    const child = await server.workflow(flow({ ask: approval() }))
    const workflow = await server.workflow(flow({ sub: subworkflow(child.id) }))
    expect(await tryNode(workflow, 'sub')).toMatchObject({ status: 'failed', error: { code: 'child_failed' } })
    expect(await server.call('GET', `/v1/runs?workflow=${child.id}&count=true`)).toMatchObject({ items: [], total: 0 })
    expect(await server.call('GET', '/v1/pauses?status=open')).toMatchObject({ items: [] })
  })

  test('is listed nowhere, counted nowhere, and publishes nothing', async () => {
    const workflow = await server.workflow(chain('unlisted'))
    const { runId } = await tryNode(workflow, 'a')
    expect(await server.call('GET', `/v1/runs?workflow=${workflow.id}&count=true`)).toMatchObject({ items: [], total: 0 })
    expect(await server.call('GET', `/v1/workflows/${workflow.id}`)).toMatchObject({ version: null, activity: { runs: 0, active: 0, lastRun: null } })
    expect(await refusal(server.call('GET', `/v1/workflows/${workflow.id}/current`))).toMatchObject({ code: 'run_missing' })
    expect(await server.get(runId)).toMatchObject({ status: 'completed', trigger: 'trial' })
  })

  test('tells of what is wrong with the part, and of nothing else of the draft', async () => {
    const workflow = await server.workflow(flow({ a: values({ x: 1 }), b: { type: 'template', config: {} }, c: 'unheard-of' }, ['a > b > c']))
    expect((await tryNode(workflow, 'a')).output).toEqual({ x: 1 })
    const refused = await refusal(tryNode(workflow, 'b'))
    expect(refused).toMatchObject({ status: 400, code: 'definition_invalid' })
    expect(refused.issues.map(({ nodeId }) => nodeId)).toEqual(['b'])
    expect(await refusal(tryNode(workflow, 'gone'))).toMatchObject({ status: 404, code: 'node_missing' })
  })

  test('of a router, a map, a loop and a delay runs them as a run does', async () => {
    const workflow = await server.workflow(
      flow(
        {
          start: 'input',
          r: router({ big: 'start.n > 5' }),
          each: map('start.list'),
          v: { type: 'static-value', in: 'each', config: { values: { i: '{{ item }}' } } },
          l: loop({ times: 2 }),
          t: template('{{ count }}', { in: 'l' }),
          d: delay(20),
        },
        ['start > r', 'start > each', 'r.big > l', 'r > d'],
      ),
    )
    const input = { start: { n: 9, list: [1, 2] } }
    expect(await tryNode(workflow, 'r', { input })).toMatchObject({ status: 'completed', output: { n: 9 } })
    expect((await tryNode(workflow, 'each', { input })).output).toEqual({ results: [{ v: { i: 1 } }, { v: { i: 2 } }] })
    expect((await tryNode(workflow, 'l', { input: { r: 1 } })).output).toEqual({ last: { t: { text: '1' } }, count: 2 })
    expect(await tryNode(workflow, 'd', { input: { r: 1 } })).toMatchObject({ status: 'completed', output: { at: expect.any(String) } })
  })

  test('of an input node gives what a run would be started with', async () => {
    const workflow = await server.workflow(chain('inputs'))
    expect(await tryNode(workflow, 'in', { outputs: { in: { n: 1 } } })).toMatchObject({ status: 'completed' })
    expect((await tryNode(workflow, 'b', { outputs: { in: { n: 1 } } })).output).toMatchObject({ all: { n: 1 } })
  })
})

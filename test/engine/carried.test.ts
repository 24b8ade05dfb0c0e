import type { Json, JsonObject, Run } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FlowNode, approval, delay, flow, loop, map, template } from '../support/flow.ts'
import { type TestServer, refusal, testServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const gives = (map: JsonObject, parent: string): FlowNode => ({ type: 'output', in: parent, config: { map } })
const outputs = async (run: Run, id: string): Promise<Json[]> => (await server.steps(run)).filter(({ nodeId }) => nodeId === id).map(({ output }) => output)

describe('a loop', () => {
  const counting = (config: JsonObject) =>
    flow({ in: 'input', l: loop({ start: '{{ in }}', ...config }), each: { type: 'input', in: 'l' }, out: gives({ n: '{{ each.n | plus: 1 }}' }, 'l') }, ['in > l', 'each > out'])

  test('starts with a value out of what is before it', async () => {
    expect((await server.run(counting({ while: 'last.n < 10' }), { input: { n: 7 } })).output).toEqual({ l: { last: { n: 10 }, count: 3 } })
    expect((await server.run(counting({ times: 2, start: { n: '{{ in.of.n }}', as: '{{ in.as }}' } }), { input: { of: { n: 1 }, as: '{{ x }}' } })).output).toEqual({
      l: { last: { n: 3 }, count: 2 },
    })
  })

  test('that wants no iteration gives what it starts with', async () => {
    expect((await server.run(counting({ times: 0 }), { input: { n: 7 } })).output).toEqual({ l: { last: { n: 7 }, count: 0 } })
    expect((await server.run(counting({ while: 'last.n > 10', gives: 'last', historyAs: 'past', carry: 'merge' }), { input: { n: 7 } })).output).toEqual({ l: { n: 7 } })
  })

  test('lays what its iterations give over what it started with, and gives that', async () => {
    const run = await server.run(counting({ times: 2, carry: 'merge', gives: 'last' }), { input: { n: 7, kept: true } })
    expect(run.output).toEqual({ l: { n: 9, kept: true } })
    expect(await outputs(run, 'each')).toEqual([
      { n: 7, kept: true },
      { n: 8, kept: true },
    ])
  })

  test('hands its iterations what the steps of the body gave before, and carries that no further', async () => {
    const run = await server.run(counting({ times: 3, carry: 'merge', gives: 'last', historyAs: 'loop_history' }), { input: { n: 7, loop_history: 'mine' } })
    expect(run.output).toEqual({ l: { n: 10, loop_history: 'mine' } })
    expect(await outputs(run, 'each')).toEqual([
      { n: 7, loop_history: {} },
      { n: 8, loop_history: { each: [{ n: 7 }], out: [{ n: 8 }] } },
      { n: 9, loop_history: { each: [{ n: 7 }, { n: 8 }], out: [{ n: 8 }, { n: 9 }] } },
    ])
  })

  test('that is let go in each iteration goes on as if it had not been, whichever server takes it up', async () => {
    await server.another()
    const definition = flow(
      {
        in: 'input',
        l: loop({ times: 4, start: '{{ in }}', carry: 'merge', historyAs: 'past', gives: 'last' }),
        each: { type: 'input', in: 'l' },
        wait: delay(30, { in: 'l' }),
        ask: approval({ in: 'l', config: { kind: 'question', message: 'Round {{ count }} of {{ last.n }}' } }),
        out: gives({ n: '{{ nodes.each.n | plus: 1 }}', before: '{{ last.past.out.size }}', 'r{{ count }}': 'raw', said: '{{ ask.said }}' }, 'l'),
      },
      ['in > l', 'each > wait > ask > out'],
    )
    const run = await server.start(await server.workflow(definition), { input: { n: 1 } })
    for (const round of [0, 1, 2, 3]) {
      const { pause } = await server.event(run, 'pause.opened', (event) => event.pause.iteration === String(round))
      expect(pause.message).toBe(`Round ${round} of ${round + 1}`)
      await server.decide(pause, 'override', { inputs: { said: `s${round}` } })
    }
    expect((await server.wait(run)).output).toEqual({ l: { n: 5, before: 3, 'r{{ count }}': 'raw', said: 's3' } })
  })

  test('whose iterations are handed more than a step may give fails', async () => {
    const text = 'x'.repeat(900_000)
    const definition = flow({ in: 'input', l: loop({ times: 4, historyAs: 'past' }), out: gives({ text: '{{ input }}' }, 'l') }, ['in > l'])
    const run = await server.run(definition, { input: text })
    expect(run).toMatchObject({ status: 'failed', reason: { code: 'limit_exceeded', step: 'l' } })
    expect(await outputs(run, 'out')).toHaveLength(2)
  })
})

describe('an input node in a body', () => {
  const nested = flow(
    {
      given: 'input',
      outer: map('nodes.given.rows'),
      row: { type: 'input', in: 'outer', title: 'row' },
      inner: loop({ times: '{{ row.times }}', start: '{{ row.from }}', gives: 'last' }, { in: 'outer' }),
      each: { type: 'input', in: 'inner', config: { schema: { type: 'integer' } } },
      next: { type: 'output', in: 'inner' },
      out: gives({ id: '{{ nodes.row.id }}', last: '{{ inner }}', all: '{{ nodes.given.rows.size }}' }, 'outer'),
    },
    ['given > outer', 'row > inner > out', 'each > next'],
  )

  test('gives the item of a map, and what a loop carries, of the innermost body', async () => {
    const rows = [
      { id: 'a', times: 2, from: 5 },
      { id: 'b', times: 0, from: 6 },
    ]
    const run = await server.run(nested, { input: { rows } })
    expect(run.output).toEqual({
      outer: {
        results: [
          { id: 'a', last: 5, all: 2 },
          { id: 'b', last: 6, all: 2 },
        ],
      },
    })
    expect(await outputs(run, 'row')).toEqual(rows)
    expect(await outputs(run, 'each')).toEqual([5, 5])
  })

  test('takes nothing of what the run is started with, and checks what it is handed by its own schema', async () => {
    expect(await refusal(server.run(nested, { inputs: { given: { rows: [] }, row: 1 } }))).toMatchObject({ code: 'input_invalid', issues: [{ path: ['inputs', 'row'] }] })
    // The schema of `each` is not one for the input of the run.
    expect(await server.run(nested, { inputs: { given: { rows: [] } } })).toMatchObject({ status: 'completed', output: { outer: { results: [] } } })
    const run = await server.run(nested, { input: { rows: [{ id: 'a', times: 1, from: 'text' }] } })
    expect(run).toMatchObject({ status: 'failed', reason: { step: 'outer' } })
    const [step] = (await server.steps(run)).filter(({ nodeId }) => nodeId === 'each')
    expect(step?.error).toMatchObject({ code: 'output_invalid' })
  })

  test('is no entry of the run', async () => {
    const run = await server.run(flow({ a: template('a'), each: map('[1, 2]'), one: { type: 'input', in: 'each' } }))
    expect(run.output).toEqual({ a: { text: 'a' }, each: { results: [{ one: 1 }, { one: 2 }] } })
  })
})

test('what a loop starts with out of a session stays, though the session moves on and the run is let go', async () => {
  const definition = flow(
    {
      in: 'input',
      set: { type: 'set-context', config: { values: { n: 1 } } },
      l: loop({ times: 2, start: '{{ session.context }}' }),
      more: { type: 'set-context', in: 'l', config: { values: { n: '{{ count | plus: 10 }}' } } },
      wait: delay(30, { in: 'l' }),
      out: gives({ seen: '{{ last }}', n: '{{ session.context.n }}' }, 'l'),
    },
    ['in > set > l', 'more > wait > out'],
  )
  const { id } = await server.workflow(definition)
  const { runId } = await server.call<{ runId: string }>('POST', '/v1/sessions/send', { to: id, text: 'Hi' })
  expect((await server.wait({ id: runId })).output).toEqual({ l: { last: { seen: { seen: { n: 1 }, n: 10 }, n: 11 }, count: 2 } })
})

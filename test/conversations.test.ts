import type { Line, ListedRun, Page, Session, Step, Workflow } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { testServer, type TestServer } from './support/server.ts'
import { type Asked, call, say, toyModel } from './support/toy-model.ts'
import { planner, type Stage, stageOf, taskOf } from './support/toy-planner.ts'

/** Conversations in the modes that the server brings along, with the offline model. */

const sales = `region,product,amount,sold on
north,apple,120.50,2026-01-03
south,apple,80.25,2026-01-04
north,pear,99.25,2026-02-01
east,plum,300,2026-02-11
south,pear,10.75,2026-03-05
`

async function upload(server: TestServer, name: string, text: string, type = 'text/csv'): Promise<string> {
  const form = new FormData()
  form.append('file', new Blob([text], { type }), name)
  const answer = await fetch(`${server.url}/v1/files`, { method: 'POST', body: form, headers: { authorization: `Bearer ${server.token}` } })
  const { files } = (await answer.json()) as { files: { id: string }[] }
  return files[0]!.id
}

const linesOf = async (server: TestServer, id: string): Promise<Line[]> => (await server.call<Page<Line>>('GET', `/v1/sessions/${id}/lines?limit=1000`)).items
const roundsOf = async (server: TestServer, id: string): Promise<ListedRun[]> => (await server.call<Page<ListedRun>>('GET', `/v1/runs?sessionId=${id}`)).items

async function settled(server: TestServer, id: string): Promise<Session> {
  await expect.poll(async () => (await server.call<Session>('GET', `/v1/sessions/${id}`)).status, { timeout: 30_000 }).toMatch(/completed|failed|stopped/)
  return server.call<Session>('GET', `/v1/sessions/${id}`)
}

const said = (lines: Line[]): string[] => lines.flatMap((line) => (line.kind === 'message' && line.role === 'assistant' ? [line.text] : []))
const logged = (lines: Line[]): string => lines.flatMap((line) => (line.kind === 'log' ? [line.message] : [])).join('\n')

describe('a conversation in the mode Actionplan', () => {
  test('plans, does its tasks and answers out of the file, by the offline model', async () => {
    await using server = await testServer()
    const file = await upload(server, 'sales.csv', sales)
    const { session } = await server.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'Actionplan', text: 'What is the total amount by region?', files: [file] })
    const ended = await settled(server, session.id)
    const lines = await linesOf(server, session.id)
    expect(ended, logged(lines)).toMatchObject({ status: 'completed', mode: 'Actionplan', progress: 100 })
    expect(logged(lines)).toMatch(/Plan:\n1\. /)
    expect(logged(lines)).toMatch(/Task 1 of 1: /)
    // Once, however many of its steps asked the model.
    expect(logged(lines).match(/SLUICE_MODEL_URL/g)).toHaveLength(1)
    const [answer] = said(lines)
    for (const figure of ['219.75', '91', '300']) expect(answer).toContain(figure)
    const [round] = await roundsOf(server, session.id)
    const steps = (await server.call<Page<Step>>('GET', `/v1/runs/${round!.id}/steps?limit=100`)).items
    expect(steps.filter(({ nodeId }) => nodeId === 'call').map(({ state }) => state)).toEqual(['completed'])
  })

  test('analyses a report that nobody asks anything particular of', async () => {
    await using server = await testServer()
    const file = await upload(server, 'report.csv', sales)
    const { session } = await server.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'Actionplan', text: 'Analyse this report', files: [file] })
    expect((await settled(server, session.id)).status).toBe('completed')
    const [answer] = said(await linesOf(server, session.id))
    expect(answer).toContain('610.75')
  })
})

describe('a plan', () => {
  const table = (of: string) => ({ name: 'query_table', arguments: { file: 'sales.csv', aggregate: [{ of, column: 'amount' }] } })

  test('is done in parallel where its tasks allow it, and each is told what came of those that it depends on', async () => {
    await using model = await toyModel()
    await using server = await testServer({ SLUICE_MODEL_URL: model.url, SLUICE_MODEL: 'clever', SLUICE_HTTP_ALLOW: model.host })
    // Neither of the two is answered before both are asked for.
    const both = Promise.withResolvers<void>()
    const asked = new Set<string>()
    const meanwhile = async (stage: Stage, each: Asked) => {
      if (stage !== 'think' || each.body.messages.at(-1)!.role === 'tool' || taskOf(each) === 'share') return
      if (asked.add(taskOf(each)).size === 2) both.resolve()
      await both.promise
    }
    model.on(
      'clever',
      planner(
        [
          { id: 'total', call: table('sum') },
          { id: 'mean', call: table('mean') },
          { id: 'share', dependsOn: ['total', 'mean'] },
        ],
        meanwhile,
      ),
    )
    const file = await upload(server, 'sales.csv', sales)
    const { session } = await server.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'Actionplan', text: 'What of the amounts?', files: [file] })
    const ended = await settled(server, session.id)
    const lines = await linesOf(server, session.id)
    expect(ended, logged(lines)).toMatchObject({ status: 'completed', progress: 100 })
    const thoughts = model.asked().filter((each) => stageOf(each) === 'think')
    const told = thoughts
      .find((each) => taskOf(each) === 'share')!
      .body.messages.map(({ content }) => content)
      .join('\n')
    expect(told).toContain('610.75')
    expect(told).toContain('122.15')
    expect(said(lines)).toEqual(['All is done: total, mean, share'])
    const figures = lines.flatMap((line) => (line.kind === 'stat' ? [[line.name, line.value] as const] : []))
    const count = model.asked().length
    expect(Object.fromEntries(figures)).toMatchObject({ prompt_tokens: 11 * count, completion_tokens: 7 * count })
  })

  test('a task that fails is told to the answer, and fails nothing else', async () => {
    await using model = await toyModel()
    await using server = await testServer({ SLUICE_MODEL_URL: model.url, SLUICE_MODEL: 'clever', SLUICE_HTTP_ALLOW: model.host })
    const wrong = { name: 'query_table', arguments: { file: 'sales.csv', aggregate: [{ of: 'sum', column: 'price' }] } }
    model.on(
      'clever',
      planner([
        { id: 'wrong', call: wrong },
        { id: 'right', call: table('sum') },
      ]),
    )
    const file = await upload(server, 'sales.csv', sales)
    const { session } = await server.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'Actionplan', text: 'What of the amounts?', files: [file] })
    expect((await settled(server, session.id)).status).toBe('completed')
    const answered = model
      .asked()
      .find((each) => stageOf(each) === 'answer')!
      .body.messages.at(-1)!.content
    expect(answered).toContain('610.75')
    expect(answered).toMatch(/There is no column .{0,10}price.*region/s)
  })
})

test('of a plan whose every task says far too much the answer is told the beginning of each', { timeout: 60_000 }, async () => {
  await using model = await toyModel()
  await using server = await testServer({ SLUICE_MODEL_URL: model.url, SLUICE_MODEL: 'clever', SLUICE_HTTP_ALLOW: model.host })
  const tasks = Array.from({ length: 20 }, (_, number) => ({ id: `t${number}` }))
  model.on('clever', (answer, asked) => (stageOf(asked) === 'think' ? say('w'.repeat(250_000)) : planner(tasks))(answer, asked))
  const { session } = await server.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'Actionplan', text: 'Say all there is' })
  const ended = await settled(server, session.id)
  expect(ended.status, logged(await linesOf(server, session.id))).toBe('completed')
  const told = model.asked().find((asked) => stageOf(asked) === 'answer')!
  expect(told.body.messages.at(-1)!.content.match(/w{32000,32768}\.\.\./g)).toHaveLength(20)
})

describe('a conversation in the mode React', () => {
  test('calls what it is offered and answers, and remembers what was said', async () => {
    await using server = await testServer()
    const file = await upload(server, 'sales.csv', sales)
    const { session } = await server.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'React', text: 'What is the largest amount?', files: [file] })
    const ended = await settled(server, session.id)
    const lines = await linesOf(server, session.id)
    expect(ended, logged(lines)).toMatchObject({ status: 'completed', mode: 'React', progress: 100 })
    expect(said(lines)[0]).toContain('300')
  })

  test('calls nothing that a person has to be asked for by now, though it was offered without', async () => {
    await using model = await toyModel()
    await using server = await testServer({ SLUICE_MODEL_URL: model.url, SLUICE_MODEL: 'clever', SLUICE_HTTP_ALLOW: model.host })
    const known = Promise.withResolvers<string>()
    model.on(
      'clever',
      async (answer, asked) => {
        await server.call('PATCH', `/v1/sessions/${await known.promise}`, { tools: null })
        return call({ name: 'queue_push', arguments: ['{"queue":"orders","value":1}'] })(answer, asked)
      },
      say('So be it'),
    )
    const tools = [{ name: 'queue_push', approval: false }]
    const { session } = await server.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'React', text: 'Order one', tools })
    known.resolve(session.id)
    expect((await settled(server, session.id)).status).toBe('completed')
    expect(model.asked().at(-1)!.body.messages.at(-1)).toMatchObject({ role: 'tool', content: expect.stringMatching(/^error: A person has to be asked/) as string })
    expect(await server.db.database.query('select 1 from queue_items')).toEqual([])
  })

  test('runs a workflow of the workspace when a person approves it', async () => {
    await using server = await testServer()
    await server
      .workflow(
        {
          kind: 'workflow',
          nodes: [
            {
              id: 'order',
              type: 'input',
              config: { schema: { type: 'object', properties: { customer: { type: 'string', description: 'The name of the customer' } }, required: ['customer'] } },
            },
            { id: 'invoice', type: 'template', config: { text: 'Invoice for {{ order.customer }}' } },
          ],
          links: [{ source: 'order', target: 'invoice' }],
        },
        'Write invoice',
      )
      .then(({ id }: Workflow) => server.call('POST', `/v1/workflows/${id}/publish`, {}))
    const { session } = await server.call<{ session: Session }>('POST', '/v1/sessions/send', { mode: 'React', text: 'Write an invoice. The customer is Ada.' })
    await expect.poll(async () => (await server.call<Session>('GET', `/v1/sessions/${session.id}`)).status, { timeout: 30_000 }).toBe('waiting')
    const [round] = await roundsOf(server, session.id)
    const [pause] = await server.pauses(round!)
    expect(pause!.message).toContain('Ada')
    await server.decide(pause!, 'approve')
    expect((await settled(server, session.id)).status).toBe('completed')
    expect(said(await linesOf(server, session.id)).join('\n')).toContain('Invoice for Ada')
  })
})

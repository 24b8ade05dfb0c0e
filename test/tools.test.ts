import type { Definition, Json, JsonObject, Page, QueueItem, Run, SentMessage, Session } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { OfferedTool } from '../packages/server/src/nodes/contract.ts'
import { flow } from './support/flow.ts'
import { type Caller, callerOf, testServer, type TestServer } from './support/server.ts'

/** What a model may call in a conversation: the same nodes as in the modes, and the call as the message says it. */

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

/** Calls what the metadata of a message names. */
const caller: Definition = {
  ...flow(
    {
      message: 'input',
      tools: 'tools',
      call: {
        type: 'tool',
        config: { name: '{{ nodes.message.metadata.name }}', arguments: '{{ nodes.message.metadata.arguments }}' },
        settings: { retry: { maxAttempts: 4, backoffMs: 20 } },
      },
    },
    ['message > tools > call'],
  ),
  kind: 'chatbot',
}

const sales = 'region,amount\nnorth,10\nsouth,20.5\nnorth,1.5\n'

async function upload({ token }: { token: string }, name: string, text: string): Promise<string> {
  const form = new FormData()
  form.append('file', new Blob([text], { type: 'text/csv' }), name)
  const answer = await fetch(`${server.url}/v1/files`, { method: 'POST', body: form, headers: { authorization: `Bearer ${token}` } })
  return ((await answer.json()) as { files: { id: string }[] }).files[0]!.id
}

interface Called {
  run: Run
  session: Session
  messageId: string
  tools: OfferedTool[]
  files: { id: string; name: string }[]
  content: string
  value: Json
}

/** A round in which a function is called. */
async function called(by: Caller, name: string, given: Json, { to, ...more }: JsonObject & { to: string }): Promise<Called> {
  const { session, message, runId } = await by.call<SentMessage>('POST', '/v1/sessions/send', { to, text: 'Go on', metadata: { name, arguments: given }, ...more })
  const run = await by.wait(runId!)
  const [tools, call] = [await by.step(run, 'tools'), await by.step(run, 'call')]
  expect(run.status, JSON.stringify(call.error)).toBe('completed')
  return { run, session, messageId: message.id, ...(tools.output as unknown as Pick<Called, 'tools' | 'files'>), ...(call.output as unknown as Pick<Called, 'content' | 'value'>) }
}

const names = (tools: OfferedTool[]): string[] => tools.map(({ name }) => name)
const refused = /^error: There is no function /
const published = async (by: Caller, name: string, definition: Definition): Promise<string> => {
  const { id } = await by.workflow(definition, name)
  await by.call('POST', `/v1/workflows/${id}/publish`, {})
  return id
}
const chatbot = (by: Caller = server): Promise<string> => by.workflow(caller, 'Caller').then(({ id }) => id)

/** Another member of the workspace. */
async function member(email: string, role: string): Promise<Caller & { token: string }> {
  const password = 'correct horse battery'
  await server.call('POST', '/v1/members', { email, role, password })
  const { token } = await server.call<{ token: string }>('POST', '/v1/auth/login', { email, password }, { as: '' })
  return { ...callerOf(server.url, token), token }
}

/** Who is at home in another workspace, made when it is first needed. */
async function elsewhere(): Promise<Caller> {
  const { items } = await server.call<Page<{ id: string; handle: string }>>('GET', '/v1/workspaces')
  const { id } = items.find(({ handle }) => handle === 'elsewhere') ?? (await server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere', handle: 'elsewhere' }))
  const { token } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: id })
  return callerOf(server.url, token)
}

describe('the files of a conversation', () => {
  test('are told of and can be read and asked, as long as it has them', async () => {
    const file = await upload(server, 'sales.csv', sales)
    const to = await chatbot()
    const asked = { file: 'sales.csv', groupBy: ['region'], aggregate: [{ of: 'sum', column: 'amount', as: 'total' }], orderBy: [{ column: 'region' }] }
    const first = await called(server, 'query_table', asked, { to, files: [file] })
    expect(first.files).toMatchObject([
      {
        id: file,
        name: 'sales.csv',
        type: 'table',
        rows: 3,
        columns: [
          { name: 'region', type: 'text' },
          { name: 'amount', type: 'number' },
        ],
      },
    ])
    expect(names(first.tools).slice(0, 2)).toEqual(['read_file', 'query_table'])
    expect(first.value).toEqual({
      columns: ['region', 'total'],
      rows: [
        ['north', 11.5],
        ['south', 20.5],
      ],
      total: 2,
    })
    expect(JSON.parse(first.content)).toEqual(first.value)

    const session = { to: first.session.id }
    expect((await called(server, 'read_file', { file, from: 0, characters: 13 }, session)).value).toMatchObject({ text: 'region,amount', more: true })
    expect((await called(server, 'query_table', { file: 'sales.csv', select: ['price'] }, session)).content).toMatch(/^error: .*price.*region/s)
    expect((await called(server, 'read_file', { file: 'other.csv' }, session)).content).toMatch(/^error: .*sales\.csv/s)

    await server.call('DELETE', `/v1/sessions/${first.session.id}/messages/${first.messageId}/files/${file}`)
    const after = await called(server, 'read_file', { file }, session)
    expect(after).toMatchObject({ files: [], content: expect.stringMatching(refused) as string })
    expect(names(after.tools)).not.toContain('read_file')
  })

  test('are no other conversation’s: not of the same person, not of another, not of another workspace', async () => {
    const to = await chatbot()
    const [mine, other] = [await upload(server, 'mine.csv', sales), await upload(server, 'other.csv', 'secret\n42\n')]
    await called(server, 'read_file', { file: other }, { to, files: [other] })
    const { session, content } = await called(server, 'read_file', { file: other }, { to, files: [mine] })
    expect(content).toMatch(/^error: There is no file/)
    const joined = await called(server, 'query_table', { file: 'mine.csv', join: { file: other, on: 'secret' } }, { to: session.id })
    expect(joined.content).toMatch(/^error: There is no file/)

    const colleague = await member('colleague@sluice.local', 'editor')
    const theirs = await upload(colleague, 'theirs.csv', 'secret\n43\n')
    await called(colleague, 'read_file', { file: theirs }, { to, files: [theirs] })
    expect((await called(server, 'read_file', { file: theirs }, { to: session.id })).content).toMatch(/^error: There is no file/)

    const stranger = await elsewhere()
    const far = await called(stranger, 'read_file', { file: mine }, { to: await chatbot(stranger) })
    expect(far).toMatchObject({ files: [], content: expect.stringMatching(refused) as string })
  })
})

describe('the workflows of a workspace', () => {
  test('that are published are offered there, and nowhere else', async () => {
    const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] }
    const id = await published(server, 'Double', flow({ in: { type: 'input', config: { schema } }, out: { type: 'template', config: { text: '{{ in.n }}' } } }, ['in > out']))
    await server.workflow(flow({ in: 'input' }), 'Draft')
    const gone = await published(server, 'Gone', flow({ in: 'input' }))
    await server.call('DELETE', `/v1/workflows/${gone}`)
    const { tools } = await called(server, 'nothing', {}, { to: await chatbot() })
    const workflows = tools.filter(({ kind }) => kind === 'workflow')
    expect(workflows.find(({ workflow }) => workflow === id)).toEqual({
      name: 'workflow_double',
      description: 'Runs the workflow Double',
      parameters: schema,
      kind: 'workflow',
      workflow: id,
      approval: true,
    })
    for (const { name } of workflows) expect(name).not.toMatch(/draft|gone|caller/)

    const stranger = await elsewhere()
    const far = await called(stranger, 'workflow_double', { n: 1 }, { to: await chatbot(stranger) })
    expect(far.tools.filter(({ kind }) => kind === 'workflow')).toEqual([])
    expect(far.content).toMatch(refused)
  })
})

describe('what a session allows', () => {
  test('is offered, with its approval, and nothing else is called', async () => {
    const to = await chatbot()
    const tools: Json = [{ name: 'code' }, { name: 'queue_push', approval: false }]
    const first = await called(server, 'code', { source: 'return 6 * 7' }, { to, tools })
    expect(first.tools.map(({ name, approval }) => [name, approval])).toEqual([
      ['code', false],
      ['queue_push', false],
    ])
    expect(first).toMatchObject({ content: '42', value: 42 })
    const unoffered = await called(server, 'http_request', { method: 'POST', url: `${server.toy.url}/ok/unoffered` }, { to: first.session.id })
    expect(unoffered.content).toMatch(refused)
    expect(server.toy.visits('unoffered')).toEqual([])
    // From the moment on at which it is taken away.
    const taken = await called(server, 'code', { source: 'return 1' }, { to: first.session.id, tools: [] })
    expect(taken).toMatchObject({ tools: [], content: expect.stringMatching(refused) as string })
    expect((await called(server, 'code', { source: 'return 1' }, { to: first.session.id, tools: null })).content).toBe('1')
  })

  test('and what its sender does, of the newest message alone', async () => {
    const clientTools = [{ name: 'look_up', description: 'Looks it up', parameters: { type: 'object' } }]
    const first = await called(server, 'look_up', {}, { to: await chatbot(), tools: [], clientTools })
    expect(first.tools).toEqual([{ name: 'look_up', description: 'Looks it up', parameters: { type: 'object' }, kind: 'client', workflow: null, approval: false }])
    expect(first.content).toMatch(refused)
    expect((await called(server, 'look_up', {}, { to: first.session.id })).tools).toEqual([])
  })

  test('and what the sender of its own message does, whatever is said behind it meanwhile', async () => {
    const late: Definition = { ...flow({ message: 'input', gate: { type: 'signal', config: { name: 'go' } }, tools: 'tools' }, ['message > gate > tools']), kind: 'chatbot' }
    const { id } = await server.workflow(late, 'Late')
    const first = await server.call<SentMessage>('POST', '/v1/sessions/send', { to: id, text: 'One', tools: [], clientTools: [{ name: 'look_up' }] })
    await server.call<SentMessage>('POST', '/v1/sessions/send', { to: first.session.id, text: 'Two' })
    await server.call('POST', '/v1/signals', { runId: first.runId!, name: 'go' })
    await server.wait(first.runId!)
    expect((await server.step(first.runId!, 'tools')).output).toMatchObject({ tools: [{ name: 'look_up', kind: 'client' }] })
  })

  test('is nothing outside of a conversation', async () => {
    const definition = flow({ in: 'input', tools: 'tools', call: { type: 'tool', config: { name: 'code', arguments: { source: 'return 1' } } } }, ['in > tools > call'])
    const run = await server.run(definition)
    expect((await server.step(run, 'tools')).output).toEqual({ tools: [], files: [] })
    expect((await server.step(run, 'call')).output).toMatchObject({ content: expect.stringMatching(refused) as string })
  })
})

describe('a call', () => {
  test('of a service carries the key of its step, the same at every attempt', async () => {
    const { run, value } = await called(server, 'http_request', { method: 'POST', url: `${server.toy.url}/fail/2/paid`, body: { n: '{{ 1 | plus: 1 }}' } }, { to: await chatbot() })
    const visits = server.toy.visits('paid')
    expect(visits).toHaveLength(3)
    expect(new Set(visits.map(({ key }) => key))).toEqual(new Set([visits[0]!.key]))
    expect(visits[0]!.key).toContain(run.id)
    expect(visits[0]!.body).toEqual({ n: '{{ 1 | plus: 1 }}' })
    expect(value).toMatchObject({ status: 200, body: { name: 'paid', visit: 3 } })
  })

  test('that the service refuses is told to the model, with what it said', async () => {
    const { content } = await called(server, 'http_request', { method: 'POST', url: `${server.toy.url}/refuse/no` }, { to: await chatbot() })
    expect(content).toMatch(/^error: The service answered 422/)
  })

  test('of an address that this server does not call, or with a secret of the workspace, reaches nobody', async () => {
    const to = await chatbot()
    expect((await called(server, 'http_request', { method: 'GET', url: 'http://169.254.169.254/latest' }, { to })).content).toMatch(/^error: /)
    await server.call('PUT', '/v1/secrets/payments', { value: 'sk-known-to-one' }).catch(() => {})
    const { content } = await called(server, 'http_request', { method: 'POST', url: `${server.toy.url}/ok/secret`, auth: { secret: 'payments' } }, { to })
    expect(content).toMatch(/^error: .*auth/)
    expect(server.toy.visits('secret')).toEqual([])
  })

  test('that pushes into a queue pushes once, with its step', async () => {
    const value = { text: '{{ secrets.payments }}', list: [null, 1.5] }
    await called(server, 'queue_push', { queue: 'by-a-model', value }, { to: await chatbot() })
    const { items } = await server.call<Page<QueueItem>>('GET', '/v1/queues/by-a-model/items?limit=100')
    expect(items.map(({ payload }) => payload)).toEqual([value])
  })

  test('with arguments that nobody takes fails nothing', async () => {
    const to = await chatbot()
    let deep: Json = 1
    for (let at = 0; at < 40; at++) deep = [deep]
    expect((await called(server, 'code', { source: deep }, { to })).content).toMatch(/^error: The arguments are nested deeper/)
    expect((await called(server, 'code', 'return 1', { to })).content).toBe('error: The arguments are no object')
    // Lists of steps tell only how long it is.
    const { run } = await called(server, 'code', { source: `return ${JSON.stringify('x'.repeat(500_000))}` }, { to })
    const { call } = run.output as { call: { content: string; value: string } }
    expect(call.content).toMatch(/^x+\n… \(\d+ more characters are left out\)$/)
    expect(call.value).toHaveLength(500_000)
  })
})

test('the nodes stand among the node types', async () => {
  const { items } = await server.call<{ items: { type: string; category: string }[] }>('GET', '/v1/node-types')
  for (const type of ['tools', 'tool', 'turn']) expect(items).toContainEqual(expect.objectContaining({ type }))
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { once, parrot, patient } from './chatbots.ts'
import { examples, expectAs, integrations, type Request, requestOf, requestsOf } from './document.ts'
import { ok, type Playground, playgroundServer } from './server.ts'

/** The document's examples, as they stand there: ids that are made up become real ones, and dots may be anything. */

let chat: Playground
beforeAll(async () => {
  chat = await playgroundServer()
  await parrot(chat.server)
  await patient(chat.server)
})
afterAll(() => chat[Symbol.asyncDispose]())

const ask = ({ method, path, body }: Request) => ok(chat.call(method, path, body))
const start = (chatbot: string, body: object = { input: 'Analyze the data' }) => ok(chat.call('POST', `/api/chat/playground/start?workflowId=${chatbot}`, body))
const upload = (name: string, text: string, type: string) => {
  const form = new FormData()
  form.set('file', new Blob([text], { type }), name)
  return ok(chat.call('POST', '/api/chat/playground/files', form))
}
/** Of a conversation that is worked on. */
async function analyzing(): Promise<{ id: string }> {
  const started = await start('patient')
  const end = Date.now() + 20_000
  while ((await ok(chat.call('GET', `/api/workflows/${started.id}/status`))).currentStep !== 'analyzing') if (Date.now() > end) throw new Error('not analyzing within 20 s')
  return started
}
const ended = async (body?: object): Promise<{ id: string; messageId: string }> => {
  const started = await start('parrot', body)
  await once(chat, started.id, 'completed')
  return started
}
const real = ({ id }: { id: string }) => ({ wf_123456: id })

describe('the playground', () => {
  test('starts a workflow', async () => {
    expectAs(await ask(requestOf(examples.start.request, { '[...]': '[]' })), examples.start.response)
  })

  test('stops a workflow', async () => {
    expectAs(await ask(requestOf(examples.stop.request, real(await analyzing()))), examples.stop.response)
  })

  test('tells what a workflow holds after a time', async () => {
    expectAs(await ask(requestOf(examples.chatData.request, real(await ended({ input: 'Hello' })))), examples.chatData.response)
  })
})

describe('workflows', () => {
  test('are listed', async () => {
    const mine = await playgroundServer()
    try {
      await parrot(mine.server)
      await patient(mine.server)
      const { id } = await ok(mine.call('POST', '/api/chat/playground/start?workflowId=parrot', { input: 'Hello' }))
      await once(mine, id, 'completed')
      await ok(mine.call('POST', '/api/chat/playground/start?workflowId=patient', { input: 'Hello' }))
      const { method, path } = requestOf(examples.list.request)
      expectAs(await ok(mine.call(method, path)), examples.list.response)
    } finally {
      await mine[Symbol.asyncDispose]()
    }
  })

  test('are read by their id', async () => {
    const running = await analyzing()
    await ok(chat.call('POST', `/api/chat/playground/start?workflowId=${running.id}`, { input: 'And this' }))
    expectAs(await ask(requestOf(examples.get.request, real(running))), examples.get.response)
  })

  test('are changed', async () => {
    expectAs(await ask(requestOf(examples.update.request, real(await ended()))), examples.update.response)
  })

  test('say how they stand', async () => {
    const status = await ask(requestOf(examples.status.request, real(await analyzing())))
    expectAs(status, examples.status.response)
    expect(status.currentStep).toBe('analyzing')
    expect(status).not.toHaveProperty('messageIds')
    expect(status).not.toHaveProperty('logIds')
  })

  test('have logs, all and newer ones', async () => {
    const of = await ended()
    const logs = await ask(requestOf(examples.logs.request, real(of)))
    const warned = logs.findIndex(({ level }: { level: string }) => level === 'warning')
    expectAs([logs[0], logs[warned]], examples.logs.response)
    expect(logs[warned].message).toBe('Slow response detected')
    const newer = await ask(requestOf(examples.logs.newer, { ...real(of), log_050: logs[1].id }))
    expect(newer).toEqual(logs.slice(2))
  })

  test('have messages, all and newer ones', async () => {
    const of = await ended()
    const messages = await ask(requestOf(examples.messages.request, real(of)))
    expectAs(messages, examples.messages.response)
    expect(messages).toMatchObject([{ content: 'Analyze the data' }, { content: 'You said: Analyze the data' }])
    expect(await ask(requestOf(examples.messages.newer, { ...real(of), msg_100: messages[0].id }))).toEqual(messages.slice(1))
  })

  test('are deleted, and so are their messages and the files of these', async () => {
    const file = await upload('report.csv', 'a,b\n1,2\n', 'text/csv')
    const of = await ended({ input: 'Analyze this', files: [{ id: file.id, name: file.name }] })
    const ids = { ...real(of), msg_050: of.messageId, file_123: file.id }
    expectAs(await ask(requestOf(examples.deleteFile.request, ids)), examples.deleteFile.response)
    expectAs(await ask(requestOf(examples.deleteMessage.request, ids)), examples.deleteMessage.response)
    expectAs(await ask(requestOf(examples.deleteWorkflow.request, ids)), examples.deleteWorkflow.response)
    const again = await chat.call('DELETE', `/api/workflows/${of.id}`)
    expect(again.status).toBe(404)
    expectAs(again.body, examples.error)
  })
})

describe('the integrations', () => {
  test('a workflow is started with a file, and polled', async () => {
    const file = await upload('report.pdf', '%PDF-1.4', 'application/pdf')
    const [begin, ...polls] = requestsOf(integrations.upload, { file_001: file.id })
    const started = await ask(begin!)
    expectAs(started, examples.start.response)
    const [first, newer] = polls.map(({ method, path }) => ({ method, path: path.replace('wf_123456', started.id) }))
    const data = await ask(first!)
    expect(data.messages[0]).toMatchObject({ content: 'Analyze this report', role: 'user', files: [{ id: file.id, name: 'report.pdf' }] })
    expect(data.documents).toMatchObject([{ fileId: file.id, name: 'report.pdf', messageId: started.messageId, size: 8 }])
    const last = data.messages[0]._createdAt
    const rest = await ask({ ...newer!, path: newer!.path.replace('1234567890.0', String(last)) })
    expect(rest.messages.map(({ id }: { id: string }) => id)).not.toContain(started.messageId)
  })

  test('a workflow is watched, and stopped; without a body there is nothing to start', async () => {
    const [begin, ...others] = requestsOf(integrations.monitoring, real(await analyzing()))
    const refused = await chat.call(begin!.method, begin!.path)
    expect(refused.status).toBe(400)
    expectAs(refused.body, examples.error)
    const [status, logs, stopped] = [await ask(others[0]!), await ask(others[1]!), await ask(others[2]!)]
    expectAs(status, examples.status.response)
    expect(logs.length).toBeGreaterThan(0)
    expectAs(stopped, examples.stop.response)
  })

  test('old workflows are cleaned up', async () => {
    const [one, other] = [await ended(), await ended()]
    const [list, ...deletions] = requestsOf(integrations.cleanup, { wf_old_123: one.id, wf_old_124: other.id })
    expect((await ask(list!)).map(({ id }: { id: string }) => id)).toEqual(expect.arrayContaining([one.id, other.id]))
    for (const deletion of deletions) expectAs(await ask(deletion), examples.deleteWorkflow.response)
    const left = (await ask(list!)).map(({ id }: { id: string }) => id)
    expect(left).not.toContain(one.id)
    expect(left).not.toContain(other.id)
  })
})

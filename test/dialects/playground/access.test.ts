import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { once, parrot, patient } from './chatbots.ts'
import { type Asked, ok, type Playground, playgroundServer } from './server.ts'

/** Who sees what, how conversations go on, and what is left of what was deleted. */

let chat: Playground
/** A member of the same workspace, one who may only look, and the owner of another workspace. */
let other: { id: string; token: string }
let viewer: { token: string }
let stranger: { token: string }

beforeAll(async () => {
  chat = await playgroundServer()
  await parrot(chat.server)
  await patient(chat.server)
  other = await member('operator')
  viewer = await member('viewer')
  const elsewhere = await chat.server.call<{ id: string }>('POST', '/v1/workspaces', { name: 'Elsewhere' })
  stranger = await chat.server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: elsewhere.id })
})
afterAll(() => chat[Symbol.asyncDispose]())

let people = 0
async function member(role: string): Promise<{ id: string; token: string }> {
  const email = `person${++people}@example.com`
  const invited = await chat.server.call<{ userId: string; setPassword: { token: string } }>('POST', '/v1/members', { email, role })
  await chat.server.call('POST', '/v1/auth/set-password', { token: invited.setPassword.token, password: 'correct horse battery' })
  const { token } = await chat.server.call<{ token: string }>('POST', '/v1/auth/login', { email, password: 'correct horse battery' })
  return { id: invited.userId, token }
}

const start = (query: string, body: object = { input: 'Hello' }, asked: Asked = {}) => chat.call('POST', `/api/chat/playground/start${query}`, body, asked)
const read = (path: string, asked: Asked = {}) => ok(chat.call('GET', path, undefined, asked))
const list = async (as?: string): Promise<string[]> => (await read('/api/workflows/', as === undefined ? {} : { as })).map(({ id }: { id: string }) => id)
const contents = async (id: string): Promise<string[]> =>
  (await read(`/api/workflows/${id}/messages`)).map(({ role, content }: { role: string; content: string }) => `${role}: ${content}`)
const upload = async (name: string, asked: Asked = {}) => {
  const form = new FormData()
  form.set('file', new Blob(['a,b\n1,2\n'], { type: 'text/csv' }), name)
  return ok(chat.call('POST', '/api/chat/playground/files', form, asked))
}

describe('a conversation', () => {
  test('is its owner’s and the admins’: for any other, here or elsewhere, there is none, whatever they ask', async () => {
    const mine = await ok(start('?workflowId=parrot', undefined, { as: other.token }))
    await once(chat, mine.id, 'completed')
    const file = await upload('a.csv')
    const lonely = await member('operator')
    for (const as of [lonely.token, stranger.token]) {
      const { id, messageId } = mine
      for (const [method, path, body] of [
        ['GET', `/api/workflows/${id}`],
        ['GET', `/api/workflows/${id}/status`],
        ['GET', `/api/workflows/${id}/logs`],
        ['GET', `/api/workflows/${id}/messages`],
        ['GET', `/api/chat/playground/${id}/chatData`],
        ['GET', `/api/chat/playground/${id}/events`],
        ['PUT', `/api/workflows/${id}`, { name: 'Mine' }],
        ['POST', `/api/chat/playground/${id}/stop`],
        ['POST', `/api/chat/playground/start?workflowId=${id}`, { input: 'x' }],
        ['DELETE', `/api/workflows/${id}/messages/${messageId}`],
        ['DELETE', `/api/workflows/${id}/messages/${messageId}/files/${file.id}`],
        ['DELETE', `/api/workflows/${id}`],
      ] as const) {
        const { status } = await chat.call(method, path, body, { as })
        expect([method, path, status]).toEqual([method, path, 404])
      }
      expect(await list(as)).not.toContain(id)
    }
    // An admin may read it, and lists their own alone.
    expect(await read(`/api/workflows/${mine.id}`)).toMatchObject({ id: mine.id, userId: other.id, name: 'Hello' })
    expect(await list()).not.toContain(mine.id)
    expect(await list(other.token)).toEqual([mine.id])
    expect((await read(`/api/workflows/${mine.id}/messages`)).length).toBe(2)
    await ok(chat.call('DELETE', `/api/workflows/${mine.id}`))
    expect(await list(other.token)).toEqual([])
  })

  test('is not for who may not chat: 403', async () => {
    const answer = await start('?workflowId=parrot', undefined, { as: viewer.token })
    expect([answer.status, answer.body]).toEqual([403, { detail: 'Not enough permissions' }])
  })

  test('takes no file of somebody else', async () => {
    const file = await upload('theirs.csv', { as: other.token })
    const third = await member('operator')
    for (const as of [third.token, stranger.token]) {
      const answer = await start(as === stranger.token ? '' : '?workflowId=parrot', { input: 'x', files: [file.id] }, { as })
      expect([answer.status, answer.body]).toEqual([404, { detail: `File with ID ${file.id} not found` }])
    }
  })

  test('is seen whoever made it: natively, by a record, or by PySpur’s chat', async () => {
    const native = await chat.server.call<{ id: string }>('POST', '/v1/sessions', { title: 'Native' })
    const { userId: user } = await ok(start('?workflowId=parrot'))
    const body = { title: 'Recorded', status: 'running', currentStepId: 'topic', steps: [], context: {}, user }
    const record = await chat.server.call<{ id: string }>('POST', '/api/collections/workflow_sessions/records', body)
    const bot = await chat.server.call<{ id: string }>('GET', '/v1/workflows/parrot')
    const spur = await chat.server.call<{ id: string }>('POST', '/session/', { user_id: 'u', workflow_id: bot.id })
    const listed = await read('/api/workflows/')
    const of = (id: string) => listed.find((each: { id: string }) => each.id === `wf_${id}`)
    expect(of(native.id)).toMatchObject({ name: 'Native', mode: 'Actionplan', status: 'stopped', currentStep: null, progress: 0, stoppedAt: null, messageIds: [], logIds: [] })
    expect(of(record.id)).toMatchObject({ name: 'Recorded', mode: 'Actionplan', status: 'running', currentStep: 'topic' })
    expect(of(spur.id)).toMatchObject({ name: null, status: 'stopped' })
    expect(listed.map(({ createdAt }: { createdAt: number }) => createdAt)).toEqual(
      listed.map(({ createdAt }: { createdAt: number }) => createdAt).toSorted((a: number, b: number) => a - b),
    )
    // Any of them goes on here.
    const started = await ok(start(`?workflowId=${spur.id}`))
    expect(started.id).toBe(`wf_${spur.id}`)
    await once(chat, started.id, 'completed')
    expect(await contents(started.id)).toEqual(['user: Hello', 'assistant: You said: Hello'])
  })
})

describe('going on', () => {
  test('takes ids with their prefix and without, and both spellings of an address', async () => {
    const { id, messageId } = await ok(start('?workflowId=wf_parrot'))
    const bare = id.replace('wf_', '')
    await once(chat, id, 'completed')
    for (const path of [`/api/workflows/${id}`, `/api/workflows/${bare}`, `/api/workflows/${id}/`]) expect((await read(path)).id).toBe(id)
    for (const path of ['/api/workflows', '/api/workflows/']) expect((await read(path)).map((each: { id: string }) => each.id)).toContain(id)
    for (const path of [`/api/chat/playground/${bare}/chatData/?afterTimestamp=0`, `/api/chat/playground/${id}/chatData`]) expect((await read(path)).messages).toHaveLength(2)
    expect(await read(`/api/workflows/${bare}/messages/?messageId=${messageId.replace('msg_', '')}`)).toHaveLength(1)
    expect((await ok(start(`/?workflowId=${bare}`, { input: 'Again' }))).id).toBe(id)
    expect((await ok(chat.call('POST', `/api/chat/playground/${bare}/stop/`))).id).toBe(id)
    expect(await ok(chat.call('DELETE', `/api/workflows/${bare}/`))).toMatchObject({ id })
  })

  test('a workflow in the place of a conversation begins a new one with it, by its id and by its handle', async () => {
    const { id: bot } = await chat.server.call<{ id: string }>('GET', '/v1/workflows/parrot')
    const ids = new Set<string>()
    for (const ref of ['parrot', 'wf_parrot', bot, `wf_${bot}`]) {
      const { id } = await ok(start(`?workflowId=${ref}`))
      await once(chat, id, 'completed')
      expect(await contents(id)).toEqual(['user: Hello', 'assistant: You said: Hello'])
      ids.add(id)
    }
    expect(ids.size).toBe(4)
  })

  test('changes the mode where one is said, and not by going on', async () => {
    const { id } = await ok(start('?workflowMode=React'))
    await once(chat, id, 'completed')
    expect((await ok(start(`?workflowId=${id}`))).mode).toBe('React')
    await once(chat, id, 'completed')
    expect((await ok(start(`?workflowId=${id}&workflowMode=Actionplan`))).mode).toBe('Actionplan')
    await once(chat, id, 'completed')
    expect((await read(`/api/workflows/${id}/messages`)).filter(({ role }: { role: string }) => role === 'assistant')).toHaveLength(3)
  })

  test('the same key begins nothing again, in whatever way it is retried; with another message it is refused', async () => {
    const headers = { 'idempotency-key': 'order-7' }
    const [first, second] = await Promise.all([start('?workflowId=parrot', undefined, { headers }), start('?workflowId=parrot', undefined, { headers })])
    const [one, two] = [first.body, second.body]
    expect([first.status, second.status]).toEqual([200, 200])
    expect([two.id, two.messageId]).toEqual([one.id, one.messageId])
    await once(chat, one.id, 'completed')
    expect((await ok(start('?workflowId=parrot', undefined, { headers }))).messageId).toBe(one.messageId)
    expect(await contents(one.id)).toEqual(['user: Hello', 'assistant: You said: Hello'])
    const conflict = await start('?workflowId=parrot', { input: 'Other' }, { headers })
    expect([conflict.status, conflict.body]).toEqual([400, { detail: 'The idempotency key was used with another request' }])
  })

  test('what is sent while it works waits its turn; one more than may wait is refused with 400', async () => {
    const { id } = await ok(start('?workflowId=patient'))
    for (let more = 1; more <= 10; more++) expect((await ok(start(`?workflowId=${id}`, { input: `More ${more}` }))).status).toBe('running')
    const refused = await start(`?workflowId=${id}`, { input: 'Too much' })
    expect([refused.status, refused.body]).toEqual([400, { detail: '10 messages wait for their turn already' }])
    const stopped = await ok(chat.call('POST', `/api/chat/playground/${id}/stop`))
    expect(stopped).toMatchObject({ status: 'stopped', stoppedAt: expect.any(Number), currentStep: null })
    expect(await contents(id)).toHaveLength(11)
    expect(await contents(id)).not.toContain('user: Too much')
  })

  test('after a stop nothing appears but one last log, stopping again changes nothing, and a message clears it', async () => {
    const { id } = await ok(start('?workflowId=patient'))
    const stopped = await ok(chat.call('POST', `/api/chat/playground/${id}/stop`))
    const again = await ok(chat.call('POST', `/api/chat/playground/${id}/stop`))
    expect([again.status, again.stoppedAt]).toEqual(['stopped', stopped.stoppedAt])
    await new Promise((resolve) => setTimeout(resolve, 300))
    const { messages, logs, stats } = await read(`/api/chat/playground/${id}/chatData`)
    expect(messages).toHaveLength(1)
    const late = [...messages, ...logs, ...stats].filter(({ _createdAt }: { _createdAt: number }) => _createdAt > stopped.stoppedAt)
    expect(late.length).toBeLessThanOrEqual(1)
    const going = await ok(start(`?workflowId=${id}`, { input: 'Go on' }))
    expect([going.status, going.stoppedAt]).toEqual(['running', null])
    const done = await ok(start('?workflowId=parrot'))
    await once(chat, done.id, 'completed')
    expect((await ok(chat.call('POST', `/api/chat/playground/${done.id}/stop`))).status).toBe('completed')
  })
})

describe('a change', () => {
  test('takes what it names and keeps the rest; what it does not know is kept in the metadata, beside what was there', async () => {
    const { id } = await ok(start('?workflowId=parrot'))
    await once(chat, id, 'completed')
    const put = (body: object) => ok(chat.call('PUT', `/api/workflows/${id}`, body))
    const before = await read(`/api/workflows/${id}`)
    const first = await put({ description: 'About sales', priority: 'high', owner: { team: 'x' } })
    expect(first).toEqual({ ...before, description: 'About sales', metadata: { priority: 'high', owner: { team: 'x' } }, updatedAt: expect.any(Number) })
    expect(first.updatedAt).toBeGreaterThan(before.updatedAt)
    expect((await put({ priority: 'low', tags: ['b', 'a', 'b'] })).metadata).toEqual({ priority: 'low', owner: { team: 'x' } })
    expect(await put({ metadata: { fresh: true }, color: 'red', name: null, description: null })).toMatchObject({
      metadata: { fresh: true, color: 'red' },
      name: null,
      description: null,
      tags: ['b', 'a'],
    })
    // Of two at once neither loses what the other says.
    await Promise.all(Array.from({ length: 5 }, (_, at) => put({ [`key${at}`]: at })))
    expect((await read(`/api/workflows/${id}`)).metadata).toEqual({ fresh: true, color: 'red', key0: 0, key1: 1, key2: 2, key3: 3, key4: 4 })
  })
})

describe('files', () => {
  test('come as ids or as objects, of which every other key is kept; a file that is taken away leaves nothing of it behind', async () => {
    const [one, two, three] = [await upload('one.csv'), await upload('two.csv'), await upload('three.csv')]
    const files = [{ id: one.id, name: 'Mine.csv', mimeType: 'text/x', size: 5, more: { deep: [1] } }, two.id, { id: three.id.replace('file_', ''), secret: 'of mine' }]
    const { id, messageId } = await ok(start('?workflowId=parrot', { input: 'Look', files, metadata: { kept: 1 } }))
    await once(chat, id, 'completed')
    const shown = [{ id: one.id, name: 'Mine.csv', mimeType: 'text/x', size: 5, more: { deep: [1] } }, { id: two.id }, { id: three.id, secret: 'of mine' }]
    const [message] = await read(`/api/workflows/${id}/messages`)
    expect(message).toMatchObject({ files: shown, metadata: { kept: 1 } })
    const data = await read(`/api/chat/playground/${id}/chatData`)
    expect(data.documents.map(({ fileId, name, mimeType, size, messageId: of }: Record<string, unknown>) => ({ fileId, name, mimeType, size, of }))).toEqual(
      [one, two, three].map((file) => ({ fileId: file.id, name: file.name, mimeType: 'text/csv', size: 8, of: messageId })),
    )
    await ok(chat.call('DELETE', `/api/workflows/${id}/messages/${messageId}/files/${three.id}`))
    expect((await read(`/api/workflows/${id}/messages`))[0]).toMatchObject({ files: shown.slice(0, 2), metadata: { kept: 1 } })
    expect(JSON.stringify(await chat.server.db.database.query('select data from lines'))).not.toContain('of mine')
    expect(JSON.stringify(await chat.server.db.database.query(`select data from events where subject_kind = 'session' and type = 'line.added'`))).not.toContain('of mine')
    expect((await read(`/api/chat/playground/${id}/chatData`)).documents).toHaveLength(2)
    const again = await chat.call('DELETE', `/api/workflows/${id}/messages/${messageId}/files/${three.id}`)
    expect([again.status, again.body]).toEqual([404, { detail: `File with ID ${three.id} not found` }])
  })

  test('of metadata that a client calls `files` nothing is lost', async () => {
    const file = await upload('one.csv')
    const { id, messageId } = await ok(start('?workflowId=parrot', { input: 'Look', files: [file.id], metadata: { files: ['mine'] } }))
    expect((await read(`/api/workflows/${id}/messages`))[0]).toMatchObject({ files: [{ id: file.id }], metadata: { files: ['mine'] } })
    await ok(chat.call('DELETE', `/api/workflows/${id}/messages/${messageId}/files/${file.id}`))
    expect((await read(`/api/workflows/${id}/messages`))[0]).toMatchObject({ files: [], metadata: { files: ['mine'] } })
  })

  test('are stored one at a time; a form without one, or with two, is refused', async () => {
    const form = new FormData()
    expect((await chat.call('POST', '/api/chat/playground/files', form)).status).toBe(400)
    form.append('file', new Blob(['1']), 'a.txt')
    form.append('file', new Blob(['2']), 'b.txt')
    expect((await chat.call('POST', '/api/chat/playground/files', form)).status).toBe(400)
    expect((await chat.call('POST', '/api/chat/playground/files', { file: 'x' })).status).toBe(400)
  })
})

describe('a deletion', () => {
  test('of a message takes its documents, and no other message; of a workflow, all of it, also while it works', async () => {
    const file = await upload('one.csv')
    const { id, messageId } = await ok(start('?workflowId=patient', { input: 'Look', files: [file.id] }))
    await ok(start(`?workflowId=${id}`, { input: 'And' }))
    expect(await ok(chat.call('DELETE', `/api/workflows/${id}/messages/${messageId}`))).toEqual({ workflowId: id, messageId, message: 'Message deleted successfully' })
    const data = await read(`/api/chat/playground/${id}/chatData`)
    expect([data.messages.map(({ content }: { content: string }) => content), data.documents]).toEqual([['And'], []])
    expect((await read(`/api/workflows/${id}`)).messageIds).not.toContain(messageId)
    expect((await chat.call('DELETE', `/api/workflows/${id}/messages/${messageId}`)).status).toBe(404)
    await ok(chat.call('DELETE', `/api/workflows/${id}`))
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/status'],
      ['GET', '/logs'],
      ['GET', '/messages'],
      ['DELETE', ''],
    ] as const)
      expect((await chat.call(method, `/api/workflows/${id}${path}`)).status).toBe(404)
    expect(await list()).not.toContain(id)
    const live = await chat.server.db.database.query(`select id from runs where session_id = '${id.replace('wf_', '')}'`)
    expect(live).toEqual([])
  })
})

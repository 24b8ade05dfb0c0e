import { createClient } from '@sluice/client'
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { pocketbaseServer, type Row } from './pocketbase/sdk.ts'

const report = 'region,product,amount\nnorth,apple,120.5\nsouth,apple,80.25\nnorth,pear,99.25\neast,plum,300\n'

interface ChatData {
  messages: { role: string; content: string; _createdAt: number }[]
  logs: { message: string }[]
  stats: { name: string }[]
  documents: { name: string }[]
}

/** What one made through the playground is the same conversation for all: followed live as a record, read and continued by the SDK, asked again by a client of OpenAI's. */
test('a conversation that was started in the playground is seen, and goes on, through every face', { timeout: 90_000 }, async () => {
  await using base = await pocketbaseServer()
  const { server, pb } = base
  const authorization = `Bearer ${pb.authStore.token}`
  const playground = async <T>(method: string, path: string, body?: object | FormData): Promise<T> => {
    const isForm = body instanceof FormData
    const headers = { authorization, ...(body && !isForm && { 'content-type': 'application/json' }) }
    const answer = await fetch(server.url + path, { method, headers, ...(body && { body: isForm ? body : JSON.stringify(body) }) })
    const told = (await answer.json()) as T
    expect(answer.status, JSON.stringify(told)).toBe(200)
    return told
  }

  const moves: Row[] = []
  await pb.collection('workflow_sessions').subscribe('*', ({ record }) => void moves.push(record))
  const form = new FormData()
  form.append('file', new Blob([report], { type: 'text/csv' }), 'report.csv')
  const file = await playground<{ id: string; name: string }>('POST', '/api/chat/playground/files', form)
  const started = await playground<{ id: string; status: string }>('POST', '/api/chat/playground/start?workflowMode=Actionplan', { input: 'Analyse this report', files: [file] })
  expect(started.status).toBe('running')
  const status = () => playground<{ status: string; progress: number }>('GET', `/api/workflows/${started.id}/status`)
  await expect.poll(async () => (await status()).status, { timeout: 60_000 }).toBe('completed')

  const data = await playground<ChatData>('GET', `/api/chat/playground/${started.id}/chatData`)
  expect(data.messages.map(({ role }) => role)).toEqual(['user', 'assistant'])
  expect(data.messages[1]!.content).toMatch(/600/)
  const logs = data.logs.map(({ message }) => message)
  expect(logs.filter((message) => message.startsWith('Plan:\n1. '))).toHaveLength(1)
  expect(logs.filter((message) => /^Task \d+ of \d+: /.test(message)).length).toBeGreaterThan(1)
  expect(data.documents.map(({ name }) => name)).toEqual(['report.csv'])
  expect(data.stats.map(({ name }) => name)).toContain('prompt_tokens')

  // The same, as a record that moved by itself.
  const id = started.id.replace(/^wf_/, '')
  const mine = () => moves.filter((record) => record.id === id)
  await expect.poll(() => mine().at(-1)?.['status'], { timeout: 20_000 }).toBe('completed')
  const passed = mine().map((record) => String(record['currentStepId']))
  for (const step of ['understand', 'plan', 'work', 'review', 'answer']) expect(passed).toContain(step)
  expect((await pb.collection('workflow_sessions').getOne<Row>(id))['status']).toBe('completed')

  // Continued by the SDK, in another mode.
  const sluice = createClient({ url: server.url, token: pb.authStore.token })
  const turn = sluice.session(id).send('What is the sum of amount in report.csv where region is north?', { mode: 'React' })
  let text = ''
  for await (const piece of turn.text()) text += piece
  expect(text).toMatch(/219\.75/)
  expect((await turn.message()).text).toBe(text)

  // And asked by a client of OpenAI's, in its thread.
  const openai = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: pb.authStore.token, maxRetries: 0 })
  const asked = openai.chat.completions.create({ model: 'React', messages: [{ role: 'user', content: 'What is the largest amount in report.csv?' }], metadata: { session: id } })
  expect((await asked).choices[0]!.message.content).toMatch(/300/)

  const all = await playground<ChatData>('GET', `/api/chat/playground/${started.id}/chatData?afterTimestamp=${data.messages[1]!._createdAt}`)
  expect(all.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant'])
  const rounds: string[] = []
  for await (const run of sluice.session(id).runs()) rounds.push(run.status)
  expect(rounds).toEqual(['completed', 'completed', 'completed'])
})

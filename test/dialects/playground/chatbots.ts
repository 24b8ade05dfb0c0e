import type { Definition, JsonObject } from '@sluice/schema'
import { flow, map, signal, template } from '../../support/flow.ts'
import type { TestServer } from '../../support/server.ts'
import { type Client, ok } from './server.ts'

/** Chatbots to talk with: what they do is known, and no model is asked. */

const published = async (server: TestServer, name: string, definition: Definition): Promise<string> =>
  (await server.call<{ id: string }>('POST', '/v1/workflows', { name, handle: name, definition: { ...definition, kind: 'chatbot' } })).id

/** Says at once what was said to it, and warns before. */
export const parrot = (server: TestServer): Promise<string> =>
  published(
    server,
    'parrot',
    flow(
      {
        input: 'input',
        slow: { type: 'log', config: { level: 'warn', message: 'Slow response detected' } },
        answer: template('You said: {{ input.text }}'),
      },
      ['input > slow > answer'],
    ),
  )

/** Is in its step `analyzing` until it gets the signal `go`. */
export const patient = (server: TestServer): Promise<string> =>
  published(server, 'patient', flow({ input: 'input', analyzing: signal('go'), answer: template('Done') }, ['input > analyzing > answer']))

/** Logs as many lines as the message says, all in one turn or in few. */
export const talker = (server: TestServer, concurrency = 100): Promise<string> =>
  published(
    server,
    'talker',
    flow(
      {
        input: 'input',
        each: map('input.metadata.lines', { concurrency }),
        line: { type: 'log', in: 'each', config: { message: 'line {{ item }}' } },
        answer: template('Said'),
      },
      ['input > each > answer'],
    ),
  )

/** The workflow once it has come to this. */
export async function once(chat: Client, id: string, status: string, asked: { as?: string } = {}): Promise<JsonObject> {
  const end = Date.now() + 20_000
  for (;;) {
    const now: JsonObject = await ok(chat.call('GET', `/api/workflows/${id}/status`, undefined, asked))
    if (now['status'] === status) return now
    if (Date.now() > end) throw new Error(`not ${status} within 20 s: ${JSON.stringify(await ok(chat.call('GET', `/api/workflows/${id}/logs`, undefined, asked)))}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

import type { Definition } from '@sluice/schema'
import OpenAI from 'openai'
import { flow } from '../../support/flow.ts'
import { type TestServer, testServer } from '../../support/server.ts'
import { type ToyModel, toyModel } from '../../support/toy-model.ts'

/** A server whose models are answered by the toy, and OpenAI's own library pointed at it. */
export interface Gateway extends AsyncDisposable {
  server: TestServer
  toy: ToyModel
  client: OpenAI
  settings: Record<string, string>
}

export const clientOf = (server: { url: string; token: string }, more: object = {}): OpenAI =>
  new OpenAI({ baseURL: `${server.url}/v1`, apiKey: server.token, maxRetries: 0, timeout: 60_000, ...more })

export async function gateway(): Promise<Gateway> {
  const toy = await toyModel()
  const settings = { SLUICE_MODEL_URL: toy.url, SLUICE_MODEL: 'toy-1', SLUICE_HTTP_ALLOW: toy.host }
  const server = await testServer(settings)
  return {
    server,
    toy,
    client: clientOf(server),
    settings,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await toy[Symbol.asyncDispose]()
    },
  }
}

/** A chatbot that says what its model says to all that was said. */
export const talker = (model: string): Definition => ({
  ...flow(
    {
      in: 'input',
      llm: { type: 'llm', config: { model, history: '{{ input.history }}', prompt: '{{ input.text }}', stream: true } },
      answer: { type: 'output', config: { map: { text: '{{ llm.text }}' } } },
    },
    ['in > llm > answer'],
  ),
  kind: 'chatbot',
})

export const sessionOf = (response: Response): string => response.headers.get('x-sluice-session')!

/** What a model was last asked, as `role: content`. */
export const saidTo = (toy: ToyModel, model: string): string[] =>
  toy
    .asked(model)
    .at(-1)!
    .body.messages.map(({ role, content }) => `${role}: ${content}`)

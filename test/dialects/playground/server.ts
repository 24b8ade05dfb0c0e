import { playground } from '../../../packages/server/src/dialects/playground/index.ts'
import { testServer, type TestServer } from '../../support/server.ts'
import { type Client, type Clients, clientsOf } from '../client.ts'

export { type Answer, type Asked, type Client, ok } from '../client.ts'

export interface Playground extends Client, AsyncDisposable {
  server: TestServer
}

const clients = clientsOf(playground, 'ErrorResponse')
export const clientOf: Clients['of'] = clients.of

/** A server with clients for it: `await using chat = await playgroundServer()`. Settings as the environment gives them. */
export async function playgroundServer(settings?: Record<string, string>): Promise<Playground> {
  const server = await testServer(settings)
  return { ...clientOf(server.url, server.token), server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

import { orchestrator } from '../../../packages/server/src/dialects/orchestrator/index.ts'
import { testServer, type TestServer } from '../../support/server.ts'
import { type Client, type Clients, clientsOf } from '../client.ts'

export { type Answer, type Asked, type Client, ok } from '../client.ts'

export interface Orchestrator extends Client, AsyncDisposable {
  server: TestServer
}

const clients = clientsOf(orchestrator, 'ApiError')
export const breach: Clients['breach'] = clients.breach
export const operationAt: Clients['operationAt'] = clients.operationAt

/** Paths as they stand behind `/api`. */
export const clientOf = (url: string, token: string): Client => clients.of(url, token, '/api')

/** A server with a client for it: `await using flows = await orchestratorServer()`. Settings as the environment gives them. */
export async function orchestratorServer(settings?: Record<string, string>): Promise<Orchestrator> {
  const server = await testServer(settings)
  return { ...clientOf(server.url, server.token), server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

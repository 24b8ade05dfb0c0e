import { medusa } from '../../../packages/server/src/dialects/medusa/index.ts'
import type { WrittenWorkflow } from '../../../packages/server/src/code/written.ts'
import { testServer, type TestServer } from '../../support/server.ts'
import { type Client, type Clients, clientsOf } from '../client.ts'

export { type Answer, type Client, ok } from '../client.ts'

export interface MedusaServer extends Client, AsyncDisposable {
  server: TestServer
}

const clients: Clients = clientsOf(medusa, 'Error')
export const clientOf: Clients['of'] = clients.of

/** A server with a client for it: `await using medusa = await medusaServer()`. Settings as the environment gives them, and workflows that are written in the test. */
export async function medusaServer(settings?: Record<string, string>, workflows?: readonly WrittenWorkflow[]): Promise<MedusaServer> {
  const server = await testServer(settings, workflows)
  return { ...clientOf(server.url, server.token), server, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

export const executions = '/admin/workflows-executions'

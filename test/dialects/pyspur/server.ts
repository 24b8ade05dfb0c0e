import { pyspur } from '../../../packages/server/src/dialects/pyspur/index.ts'
import { testServer, type TestServer } from '../../support/server.ts'
import { type Client, type Clients, clientsOf } from '../client.ts'

export { type Answer, type Asked, type Client, ok } from '../client.ts'

export interface PySpur extends Client, AsyncDisposable {
  server: TestServer
  /** The same below `/api`. */
  api: Client
}

const clients = clientsOf(pyspur, 'HTTPError', (path) => path.replace(/^\/api(?=\/)/, ''))
export const clientOf: Clients['of'] = clients.of
export const breach: Clients['breach'] = clients.breach
export const operationAt: Clients['operationAt'] = clients.operationAt

/** A server with clients for it: `await using spur = await pyspurServer()`. Settings as the environment gives them. */
export async function pyspurServer(settings?: Record<string, string>): Promise<PySpur> {
  const server = await testServer(settings)
  return {
    ...clientOf(server.url, server.token),
    server,
    api: clientOf(server.url, server.token, '/api'),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

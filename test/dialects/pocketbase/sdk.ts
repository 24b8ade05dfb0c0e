import { EventSource } from 'eventsource'
import PocketBase from 'pocketbase'
import type { WrittenWorkflow } from '../../../packages/server/src/code/written.ts'
import { admin, type Caller, testServer, type TestServer } from '../../support/server.ts'

// As its documentation asks of whoever runs it in Node.
Object.assign(globalThis, { EventSource })

/** The published SDK, logged in as somebody. Calls at the same address do not cancel each other. */
export async function sdkOf(url: string, { email, password }: { email: string; password: string } = admin, collection = 'users'): Promise<PocketBase> {
  const pb = new PocketBase(url)
  pb.autoCancellation(false)
  await pb.collection(collection).authWithPassword(email, password)
  return pb
}

export const superuserOf = (url: string): Promise<PocketBase> => sdkOf(url, admin, '_superusers')

const password = 'correct horse battery'

/** Somebody of the workspace: their credentials, for the face that is asked. */
export async function member(server: Caller, email: string, role = 'operator'): Promise<{ id: string; email: string; password: string }> {
  const invited = await server.call<{ userId: string; setPassword: { token: string } }>('POST', '/v1/members', { email, role })
  await server.call('POST', '/v1/auth/set-password', { token: invited.setPassword.token, password })
  return { id: invited.userId, email, password }
}

export interface PocketBaseServer extends AsyncDisposable {
  server: TestServer
  /** Of an operator. */
  pb: PocketBase
  me: string
  superuser: PocketBase
}

/** A server with the SDK for it. Settings as the environment gives them, and workflows that are written in the test. */
export async function pocketbaseServer(settings?: Record<string, string>, workflows?: readonly WrittenWorkflow[]): Promise<PocketBaseServer> {
  const server = await testServer(settings, workflows)
  const somebody = await member(server, 'somebody@example.com')
  const [pb, superuser] = await Promise.all([sdkOf(server.url, somebody), superuserOf(server.url)])
  return {
    server,
    pb,
    me: somebody.id,
    superuser,
    async [Symbol.asyncDispose]() {
      await Promise.all([pb, superuser].map((each) => each.realtime.unsubscribe()))
      await server[Symbol.asyncDispose]()
    },
  }
}

/** What a record was published with: any field may be there. */
export interface Row {
  id: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look where they expect something to be
  [field: string]: any
}

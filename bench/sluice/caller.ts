import type { Definition } from '../../packages/schema/src/index.ts'
import { account } from './account.ts'

/** Who is logged in at a server. */
export interface Caller {
  url: string
  token: string
  userId: string
  /** A JSON call; throws for an answer that is not 2xx. */
  call(method: string, path: string, body?: object): Promise<unknown>
  /** Answers with the workflow's id. */
  draw(definition: Definition): Promise<string>
}

export async function logIn(url: string): Promise<Caller> {
  const { token, user } = (await callAt(url, '')('POST', '/v1/auth/login', { email: account.email, password: account.password })) as { token: string; user: { id: string } }
  const call = callAt(url, token)
  return { url, token, userId: user.id, call, draw: async (definition) => ((await call('POST', '/v1/workflows', { name: 'Measured', definition })) as { id: string }).id }
}

const callAt =
  (url: string, token: string): Caller['call'] =>
  async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: { ...(token !== '' && { authorization: `Bearer ${token}` }), ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
    return response.json()
  }

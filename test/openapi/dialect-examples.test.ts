import { afterAll, beforeAll, expect, test } from 'vitest'
import { callerOf, type TestServer, testServer } from '../support/server.ts'
import { execute, type Scene, type World } from './executing.ts'
import { scenes, settings, workflows } from './scenes/index.ts'

/**
 * The examples of the six documents of published APIs, sent as they stand: only what they name is put in place. Every operation has a
 * step in the scene of its dialect (`scenes/`), and every place where an answer is not of the shape that is shown has a reason there.
 */

const person = { email: 'ada@example.com', password: 'correct horse battery' }

let server: TestServer
beforeAll(async () => {
  server = await testServer(settings, workflows)
  await server.call('POST', '/v1/members', { ...person, role: 'admin', name: 'Ada Lovelace' })
})
afterAll(() => server?.[Symbol.asyncDispose]())

/** Of one scene: a workspace of its own, but for the one whose workflows are written in code; those are in the first. */
async function worldOf({ dialect }: Scene): Promise<World> {
  const login = async () => (await server.call<{ token: string }>('POST', '/v1/auth/login', person, { as: '' })).token
  const place = async (): Promise<string> => {
    if (dialect === 'medusa') return login()
    const { id } = await server.call<{ id: string }>('POST', '/v1/workspaces', { name: dialect, handle: dialect })
    const { token: there } = await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: id })
    await server.call('POST', '/v1/members', { email: person.email, role: 'admin' }, { as: there })
    return (await server.call<{ token: string }>('POST', '/v1/auth/switch', { workspace: id }, { as: await login() })).token
  }
  const token = await place()
  const { secret } = await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'powerless', scopes: ['audit'] }, { as: token })
  return { server: { ...server, ...callerOf(server.url, token) }, real: new Map(), token, powerless: secret, say: () => Promise.reject(new Error('before its scene')) }
}

test.for(scenes.map((scene): [string, Scene] => [scene.dialect, scene]))('the examples of openapi/%s.json are answered as they show', { timeout: 90_000 }, async ([, scene]) => {
  const { flaws, executed } = await execute(scene, await worldOf(scene))
  expect(flaws).toEqual([])
  expect(executed.size).toBeGreaterThan(5)
})

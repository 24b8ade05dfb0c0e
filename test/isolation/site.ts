import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestServer, testServer } from '../support/server.ts'
import { furnish, owner, type World } from './world.ts'

const letIn = "@request.auth.id != ''"
/** Beside the collections that every server has, one whose records lie in its own table. */
const collections = [
  {
    name: 'notes',
    ...{ listRule: letIn, viewRule: letIn, createRule: letIn, updateRule: letIn, deleteRule: letIn },
    fields: [
      { name: 'text', type: 'text' },
      { name: 'about', type: 'relation', collectionId: 'notes' },
    ],
  },
]

export interface Site extends AsyncDisposable {
  server: TestServer
  /** Another workspace with an owner who stands in no other, full of everything. */
  world(name: string): Promise<World>
}

export async function site(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-isolation-'))
  const file = join(folder, 'collections.json')
  await writeFile(file, JSON.stringify(collections))
  const server = await testServer({ SLUICE_COLLECTIONS: file })
  const worlds: World[] = []
  return {
    server,
    async world(name) {
      const { token, workspace } = await owner(server.url, name)
      const made = await furnish(server.url, token, name, workspace)
      worlds.push(made)
      return made
    },
    async [Symbol.asyncDispose]() {
      for (const each of worlds) await each[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

import type { Definition, Run, Workflow } from '@sluice/schema'
import { flow } from '../support/flow.ts'
import { type Caller, callerOf, type TestServer, testServer } from '../support/server.ts'
import type { Begun, Named, Round, Teller } from './face.ts'
import { once } from './face.ts'
import { faces } from './faces.ts'

const text = "{{ input.text | default: input.user_message | default: 'nobody' }}"

/** A chatbot that asks a question, and, unless it is `brief`, wants an approval afterwards. What it is asked by names nobody writes elsewhere. */
export const asking = ({ brief = false } = {}): Definition => ({
  ...flow(
    {
      in: 'input',
      ask: { type: 'human', config: { kind: 'question', message: `May ${text} come in?` } },
      ...(!brief && { allow: { type: 'human', config: { kind: 'approval', message: `Should ${text} be let in?` } } }),
      end: { type: 'template', config: { text: 'It is done' } },
    },
    [brief ? 'in > ask > end' : 'in > ask > allow > end'],
  ),
  kind: 'chatbot',
})

/** One server, somebody who speaks to it by every face, somebody who may only read, and who looks at what became of it. */
export interface Place extends AsyncDisposable {
  server: TestServer
  /** Of an editor. */
  token: string
  userId: string
  tellers: ReadonlyMap<string, Teller>
  viewers: ReadonlyMap<string, Teller>
  /** Of the editor, natively. */
  eye: Caller
  named(workflow: string): Promise<Named>
  /** The round that has begun: of a conversation its first. */
  roundOf(workflow: Named, begun: Begun): Promise<Round>
}

const password = 'another correct horse'

export async function createPlace(settings?: Record<string, string>): Promise<Place> {
  const server = await testServer(settings)
  const join = async (role: string) => {
    const email = `${role}@sluice.example`
    const { userId } = await server.call<{ userId: string }>('POST', '/v1/members', { email, role, password })
    const { token } = await server.call<{ token: string }>('POST', '/v1/auth/login', { email, password }, { as: '' })
    return { userId, token }
  }
  const editor = await join('editor')
  const viewer = await join('viewer')
  const speaking = async (token: string) => new Map(await Promise.all(faces.map(async (face) => [face.name, await face.teller(server, token)] as const)))
  const eye = callerOf(server.url, editor.token)
  return {
    server,
    ...editor,
    tellers: await speaking(editor.token),
    viewers: await speaking(viewer.token),
    eye,
    async named(workflow) {
      const { id, handle } = await eye.call<Workflow>('GET', `/v1/workflows/${workflow}`)
      return { id, handle }
    },
    async roundOf(workflow, begun) {
      const found =
        'run' in begun
          ? await eye.get(begun.run)
          : await once('the conversation has a round', async () => (await eye.call<{ items: Run[] }>('GET', `/v1/runs?sessionId=${begun.session}&limit=1`)).items[0])
      return { workflow, run: found.id, session: found.sessionId, number: 1 }
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

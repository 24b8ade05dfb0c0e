import OpenAI from 'openai'
import { absent, type Face, Unsaid } from '../face.ts'

const own = 'a completion is the answer to the message that was sent, and to no other'

/** What a person is asked. */
const wanted = /(?:May|Should) [\w ]+\?/

/** The gateway of OpenAI's chat completions, by its own library. */
export const openai: Face = {
  name: 'openai',
  title: 'OpenAI gateway',
  departures: {
    draw: { why: 'models are listed and asked, and made elsewhere', tried: 'POST /v1/models', answered: 405 },
    publish: { why: 'models are listed and asked, and made elsewhere', tried: 'POST /v1/models/{model}', answered: 405 },
    status: { why: own, tried: 'GET /v1/chat/completions/{id}', answered: 404 },
    decide: { why: 'what is said answers a question, and is never an approval', tried: 'POST /v1/chat/completions', answered: 'nothing' },
    watch: { why: own, tried: 'GET /v1/chat/completions/{id}', answered: 404 },
    cancel: { why: 'who leaves a stream does not stop the round: it is stopped as a session', tried: 'DELETE /v1/chat/completions/{id}', answered: 404 },
  },
  conversations: true,
  async teller({ url }, token) {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0, timeout: 60_000 })
    /** What was last answered in a conversation. */
    const said = new Map<string, string>()
    const ask = async (model: string, content: string, session?: string) => {
      const asked = client.chat.completions.create({ model, messages: [{ role: 'user', content }], ...(session !== undefined && { metadata: { session } }) })
      const { data, response } = await asked.withResponse()
      const id = response.headers.get('x-sluice-session')!
      said.set(id, data.choices[0]!.message.content ?? '')
      return id
    }
    return {
      draw: async (definition, name) => (await client.post<{ id: string }>('/models', { body: { id: name, definition } })).id,
      publish: ({ handle }) => client.post(`/models/${handle}`, { body: {} }),
      start: async ({ handle }, text) => ({ session: await ask(handle, text) }),
      continue: ({ workflow, session }, text) => ask(workflow.handle, text, session!),
      status: ({ session }) => client.get(`/chat/completions/${session}`),
      async pause({ session }) {
        const answer = said.get(session ?? '')
        if (answer === undefined) throw new Unsaid('another was asked')
        return wanted.exec(answer)?.[0] ?? ''
      },
      answer: ({ workflow, session }, text) => ask(workflow.handle, text, session!),
      async decide({ workflow, session }) {
        await ask(workflow.handle, 'approve', session!)
        if (wanted.test(said.get(session!)!)) throw new Unsaid('it is still to be approved')
      },
      watch: ({ id }) => client.get(`/chat/completions/${id}`),
      cancel: ({ session }) => client.delete(`/chat/completions/${session}`),
      missing: () => client.models.retrieve(absent),
      malformed: () => client.post('/chat/completions', { body: { model: 7 } }),
    }
  },
  told: () => [],
}

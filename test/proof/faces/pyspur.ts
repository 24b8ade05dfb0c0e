import type { Definition, JsonObject } from '@sluice/schema'
import { clientOf } from '../../dialects/pyspur/server.ts'
import { absent, askedIn, type Face, type Named, once, passesOf, taken } from '../face.ts'

/** PySpur's workflow management, whose clients poll. */
export const pyspur: Face = {
  name: 'pyspur',
  title: 'PySpur',
  departures: {
    publish: { why: 'a version is made when a run starts, and by nothing else', tried: 'POST /wf/{id}/versions/', answered: 405 },
  },
  refusals: { malformed: 422 },
  samples: true,
  async teller({ url }, token) {
    const client = clientOf(url, token)
    const body = async (method: string, path: string, sent?: unknown) => taken(client.call(method, path, sent))
    /** By the id of the input node, as its definition tells it. */
    const given = async ({ id }: Named, more: JsonObject): Promise<JsonObject> => {
      const { definition } = (await body('GET', `/wf/${id}/`)) as { definition: { nodes: { id: string; node_type: string }[] } }
      return { initial_inputs: { [definition.nodes.find(({ node_type }) => /^input/i.test(node_type))!.id]: more } }
    }
    const decide = (run: string, action: string, inputs: JsonObject) =>
      body('POST', `/wf/process_pause_action/${run}/`, { action, inputs, user_id: 'Ada', comments: 'in the words of PySpur' })
    const statusOf = async (run: string): Promise<string> => (await body('GET', `/run/${run}/status/`)).status
    return {
      draw: async (definition, name) => (await body('POST', '/wf/', { name, description: '', definition: wireOf(definition) })).id,
      publish: ({ id }) => body('POST', `/wf/${id}/versions/`, {}),
      start: async (workflow, text) => ({ run: (await body('POST', `/wf/${workflow.handle}/start_run/`, await given(workflow, { text, user_message: text }))).id }),
      continue: async ({ workflow, session }, text) => body('POST', `/wf/${workflow.id}/start_run/`, await given(workflow, { session_id: session, user_message: text })),
      status: ({ run }) => statusOf(run),
      async steps({ run }) {
        const tasks = (await body('GET', `/run/${run}/tasks/`)) as { node_id: string; status: string }[]
        return Object.fromEntries(tasks.map(({ node_id, status }) => [node_id, status]))
      },
      runs: async ({ id }) => ((await body('GET', `/wf/${id}/runs/`)) as { id: string }[]).map((run) => run.id),
      async pause({ run }) {
        const all = (await body('GET', '/wf/paused_workflows/?page_size=100')) as { run: { id: string }; current_pause: JsonObject }[]
        return askedIn(all.find((each) => each.run.id === run)?.current_pause['pause_message'] ?? null)
      },
      answer: ({ run }, text) => decide(run, 'APPROVE', { text }),
      decide: ({ run }) => decide(run, 'APPROVE', {}),
      async watch() {
        const seen: string[] = []
        const look = async (run: string): Promise<string> => {
          const status = await statusOf(run)
          if (status !== seen.at(-1)) seen.push(status)
          return status
        }
        return {
          paused: ({ run }) => once(`${run} is paused`, async () => ((await look(run)) === 'PAUSED' ? true : undefined)),
          whole: ({ run }) => once(`${run} has ended`, async () => (ends.has(await look(run)) ? seen : undefined)),
          leave() {},
        }
      },
      cancel: ({ run }) => body('POST', `/wf/cancel_workflow/${run}/`),
      missing: () => body('GET', `/run/${absent}/`),
      malformed: () => body('POST', '/wf/', '{"name": '),
    }
  },
  told: (events) =>
    passesOf(events)
      .map((status, at, all) => (status === 'waiting' && waitsForPerson(events, all.slice(0, at + 1)) ? 'PAUSED' : words[status]!))
      .filter((status, at, all) => status !== all[at - 1]),
}

const words: Record<string, string> = {
  queued: 'PENDING',
  running: 'RUNNING',
  waiting: 'RUNNING',
  held: 'RUNNING',
  cancelling: 'RUNNING',
  compensating: 'RUNNING',
  completed: 'COMPLETED',
  failed: 'FAILED',
  cancelled: 'CANCELED',
  compensated: 'FAILED',
}
const ends = new Set(['COMPLETED', 'FAILED', 'CANCELED'])

/** Whether the last of these is a wait for a person. */
function waitsForPerson(events: Parameters<Face['told']>[0], passed: readonly string[]): boolean {
  const waits = events.filter(({ type }) => type === 'run.waiting')
  const event = waits[passed.filter((status) => status === 'waiting').length - 1]
  return event?.type === 'run.waiting' && event.kind === 'pause'
}

const textsOf = (...names: string[]) => ({
  output_schema: Object.fromEntries(names.map((name) => [name, 'string'])),
  output_json_schema: JSON.stringify({ type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])), required: names }),
})

/** As PySpur's clients draw it: a chatbot has the fields of a chat, in and out. */
function wireOf({ nodes, links }: Definition): JsonObject {
  const drawn = nodes.map(({ id, type, config = {} }) => ({
    id,
    title: id,
    parent_id: null,
    node_type: type === 'input' ? 'InputNode' : type,
    config: type === 'input' ? textsOf('user_message', 'session_id') : config,
  }))
  const last = nodes.at(-1)!.id
  const out = {
    id: 'out',
    title: 'out',
    parent_id: null,
    node_type: 'OutputNode',
    config: { ...textsOf('assistant_message'), output_map: { assistant_message: `${last}.text` } },
  }
  const joined = [...links, { source: last, target: 'out' }].map(({ source, target }) => ({ source_id: source, target_id: target }))
  return { spur_type: 'chatbot', nodes: [...drawn, out], links: joined, test_inputs: [] }
}

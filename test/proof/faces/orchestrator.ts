import type { RunEvent } from '@sluice/schema'
import { WebSocket } from 'ws'
import type { Message } from '../../../packages/server/src/dialects/orchestrator/messages.ts'
import { clientOf } from '../../dialects/orchestrator/server.ts'
import { described } from '../../dialects/orchestrator/socket.ts'
import { absent, askedIn, type Face, hearing, taken, Unsaid } from '../face.ts'

const noPeople = 'it has no word for a decision: what waits for a person is a node that goes on'

/** The Workflow Orchestrator: its API, and its socket. */
export const orchestrator: Face = {
  name: 'orchestrator',
  title: 'Orchestrator',
  departures: {
    publish: { why: 'what stands on the canvas is what the next start runs; `activate` is a label', tried: 'POST /api/workflow/{id}/publish/', answered: 404 },
    continue: { why: 'it starts workflows, and knows no conversations', tried: 'POST /api/workflow/{conversation}/start_execution/', answered: 404 },
    pause: { why: noPeople, tried: 'the state of the socket, and the task', answered: 'nothing' },
    answer: { why: noPeople, tried: 'POST /api/workflow/{id}/nodes/{node}/decide/', answered: 404 },
    decide: { why: noPeople, tried: 'POST /api/workflow/{id}/nodes/{node}/decide/', answered: 404 },
  },
  async teller({ url }, token) {
    const client = clientOf(url, token)
    const body = async (method: string, path: string, sent?: unknown) => taken(client.call(method, path, sent))
    const watch = async (workflow: string, query = '') => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/workflow/${workflow}/${query}`, { headers: { authorization: `Bearer ${token}` } })
      const heard = hearing<Message>()
      socket.on('message', (data: Buffer) => {
        try {
          heard.hear(described(data.toString()))
        } catch (error) {
          heard.fail(error)
        }
      })
      socket.on('error', (error) => heard.fail(error))
      await heard.until('the state of the socket', ([first]) => first)
      return { heard, leave: () => socket.terminate() }
    }
    return {
      async draw(definition, name) {
        const { id } = await body('POST', '/workflow/', { name })
        const ids = new Map<string, string>()
        for (const { id: key, type, config = {} } of definition.nodes)
          ids.set(key, (await body('POST', `/workflow/${id}/nodes/add/`, { nodeTemplate: type, position: { x: 0, y: 0 }, form_values: config })).id)
        for (const { source, target } of definition.links)
          await body('POST', `/workflow/${id}/connections/add/`, { source: ids.get(source), target: ids.get(target), sourceHandle: 'default' })
        return id as string
      },
      publish: ({ id }) => body('POST', `/workflow/${id}/publish/`),
      start: async ({ id }) => ({ run: (await body('POST', `/workflow/${id}/start_execution/`)).task_id }),
      continue: ({ session }) => body('POST', `/workflow/${session}/start_execution/`),
      // Of both that tell it: the task, and the socket.
      async status({ workflow, run }) {
        const { status } = await body('GET', `/workflow/${workflow.id}/task_status/?task_id=${run}`)
        const { heard, leave } = await watch(workflow.id, `?task_id=${run}`)
        leave()
        const [first] = heard.items
        return `${status}, ${first?.type === 'state_sync' ? first.state.status : ''}`
      },
      async steps({ workflow, run }) {
        const { heard, leave } = await watch(workflow.id, `?task_id=${run}`)
        leave()
        const [first] = heard.items
        if (first?.type !== 'state_sync') throw new Unsaid('no state')
        const { executing_nodes, completed_nodes } = first.state
        return Object.fromEntries([...Object.keys(executing_nodes).map((id) => [id, 'executing']), ...completed_nodes.map(({ node_id }) => [node_id, 'completed'])])
      },
      async pause({ workflow, run }) {
        const { heard, leave } = await watch(workflow.id, `?task_id=${run}`)
        leave()
        return askedIn([heard.items, await body('GET', `/workflow/${workflow.id}/task_status/?task_id=${run}`), await body('GET', `/celery/task/${run}/status/`)])
      },
      answer: ({ workflow }) => body('POST', `/workflow/${workflow.id}/nodes/ask/decide/`, { action: 'approve' }),
      decide: ({ workflow }) => body('POST', `/workflow/${workflow.id}/nodes/allow/decide/`, { action: 'approve' }),
      async watch({ id }) {
        const { heard, leave } = await watch(id)
        return {
          // A node that waits is one that has begun, and not ended.
          paused: () => heard.until('a node that waits', (items) => (lastBegun(items) ? true : undefined)),
          whole: () => heard.until('the end', (items) => (items.slice(1).some(isLast) ? items.slice(1).map(lineOf) : undefined)),
          leave,
        }
      },
      cancel: ({ workflow, run }) => body('POST', `/workflow/${workflow.id}/stop_execution/?task_id=${run}`),
      missing: () => body('GET', `/workflow/${absent}/`),
      malformed: () => body('POST', '/workflow/', '{"name": '),
    }
  },
  told: (events) => events.flatMap(toldOf),
}

/** Two begin before anybody waits: the input, and who asks. */
function lastBegun(items: readonly Message[]): boolean {
  const begun = items.filter(({ type }) => type === 'node_started')
  return begun.length > 1 && items.at(-1)?.type === 'node_started'
}

const isLast = (message: Message): boolean =>
  message.type === 'workflow_completed' || message.type === 'workflow_failed' || (message.type === 'state_sync' && message.state.status === 'idle')

function lineOf(message: Message): string {
  if (message.type === 'state_sync') return `state ${message.state.status}`
  return 'node_id' in message ? `${message.type} ${message.node_id}` : message.type
}

/** As its document has it. */
function toldOf(event: RunEvent): string[] {
  switch (event.type) {
    case 'run.started':
      return ['state running']
    case 'run.cancelled':
      return ['state idle']
    case 'run.completed':
      return ['workflow_completed']
    case 'run.failed':
    case 'run.compensated':
      return ['workflow_failed']
    case 'step.started':
      return event.attempt === 1 ? [`node_started ${event.nodeId}`] : []
    case 'step.completed':
      return [`node_completed ${event.nodeId}`]
    case 'step.failed':
      return [`node_failed ${event.nodeId}`]
    default:
      return []
  }
}

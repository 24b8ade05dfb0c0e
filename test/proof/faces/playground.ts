import type { Pause } from '@sluice/schema'
import { clientOf } from '../../dialects/playground/server.ts'
import { absent, askedIn, type Face, once, type Round, taken, Unsaid } from '../face.ts'

interface ChatData {
  messages: { role: string; content: string; _createdAt: number }[]
  logs: { message: string; _createdAt: number }[]
}

/** The chat playground, whose clients poll. */
export const playground: Face = {
  name: 'playground',
  title: 'Playground',
  departures: {
    draw: { why: 'a workflow of the playground is a conversation', tried: 'POST /api/workflows/', answered: 405 },
    publish: { why: 'a workflow of the playground is a conversation', tried: 'POST /api/workflows/{workflow}/publish', answered: 404 },
    decide: { why: 'what is said answers a question, and is never an approval', tried: 'POST /api/chat/playground/start', answered: 'nothing' },
  },
  conversations: true,
  async teller({ url }, token) {
    const client = clientOf(url, token)
    const body = async (method: string, path: string, sent?: unknown) => taken(client.call(method, path, sent))
    const say = (to: string, input: string) => body('POST', `/api/chat/playground/start?workflowId=${to}`, { input })
    const dataOf = async (session: string): Promise<ChatData> => body('GET', `/api/chat/playground/wf_${session}/chatData`)
    const inOrder = ({ messages, logs }: ChatData) =>
      [
        ...messages.map(({ role, content, _createdAt }) => ({ at: _createdAt, line: `${role}: ${content}` })),
        ...logs.map(({ message, _createdAt }) => ({ at: _createdAt, line: message })),
      ]
        .sort((one, other) => one.at - other.at)
        .map(({ line }) => line)
    const conversation = ({ session }: { session: string | null }): string => {
      if (session === null) throw new Unsaid('no conversation')
      return session
    }
    return {
      draw: async (definition, name) => (await body('POST', '/api/workflows/', { name, definition })).id,
      publish: ({ id }) => body('POST', `/api/workflows/${id}/publish`, {}),
      start: async ({ handle }, text) => ({ session: String((await say(handle, text)).id).replace(/^wf_/, '') }),
      continue: (round, text) => say(`wf_${conversation(round)}`, text),
      status: async (round) => (await body('GET', `/api/workflows/wf_${conversation(round)}/status`)).status,
      pause: async (round) => askedIn(inOrder(await dataOf(conversation(round))).findLast((line) => line.endsWith('?')) ?? ''),
      answer: (round, text) => say(`wf_${conversation(round)}`, text),
      async decide(round) {
        await say(`wf_${conversation(round)}`, 'approve')
        if (!inOrder(await dataOf(conversation(round))).some((line) => line.startsWith('Approval '))) throw new Unsaid('nothing was approved')
      },
      async watch() {
        // What people say stands between what their round does, where they say it here.
        const told = async (round: Round): Promise<string[]> => {
          const all = inOrder(await dataOf(conversation(round)))
          const starts = all.flatMap((line, at) => (line === began ? at : []))
          return all.slice(starts[round.number - 1] ?? all.length, starts[round.number]).filter((line) => !line.startsWith('user: '))
        }
        return {
          paused: (round) => once('the question is told', async () => (await told(round)).find((line) => line.startsWith('assistant: May '))),
          whole: (round) =>
            once('the end is told', async () => {
              const lines = await told(round)
              return lines.some((line) => line !== began && line.startsWith('The round ')) ? lines : undefined
            }),
          leave() {},
        }
      },
      cancel: (round) => body('POST', `/api/chat/playground/wf_${conversation(round)}/stop`),
      missing: () => body('GET', `/api/workflows/wf_${absent}`),
      malformed: () => body('POST', '/api/chat/playground/start', '{"input": '),
    }
  },
  told: (events) =>
    events.flatMap((event) => {
      switch (event.type) {
        case 'run.started':
          return [began]
        case 'step.started':
          return [event.attempt === 1 ? `${event.step} began` : `${event.step} began again (attempt ${event.attempt})`]
        case 'step.retrying':
          return [`${event.step} failed and will be tried again: ${event.error.message}`]
        case 'step.failed':
          return [`${event.step} failed: ${event.error.message}`]
        case 'pause.opened':
          return event.pause.kind === 'question' ? [`assistant: ${event.pause.message}`] : [`Waits for approval ${event.pause.id}: ${event.pause.message}`]
        case 'pause.decided':
          return event.pause.kind === 'question' ? [] : [approved(event.pause)]
        case 'run.completed':
          return ['assistant: It is done', 'The round was completed']
        case 'run.cancelled':
          return [event.reason.code === 'pause_declined' ? `The round ended: ${event.reason.message}` : 'The round was stopped']
        case 'run.failed':
        case 'run.compensated':
          return [`The round failed: ${event.reason.message}`]
        default:
          return []
      }
    }),
}

const began = 'The round began'

function approved({ id, status, decision }: Pause): string {
  const { by, comments } = decision!
  return `Approval ${id} was ${status} by ${by.label ?? by.id}${comments === null ? '' : `: ${comments}`}`
}

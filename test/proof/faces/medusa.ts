import type { Json, RunEvent } from '@sluice/schema'
import { WorkflowEvent } from '../../../packages/server/src/dialects/medusa/messages.ts'
import { medusaSdk } from '../../dialects/medusa/sdk.ts'
import { absent, askedIn, type Face, hearing, once } from '../face.ts'

const prefix = '/admin/workflows-executions'
const noPeople = 'a report is of a step that waits for one: who may decide for a person, it does not say'

interface Execution {
  state: string
  execution: { steps: Record<string, { id: string; definition: { action: string }; invoke: { state: string; status: string } }> }
}

/** Medusa's workflow executions, by its own SDK. */
export const medusa: Face = {
  name: 'medusa',
  title: 'Medusa',
  departures: {
    draw: { why: 'its workflows are written in code', tried: `POST ${prefix}`, answered: 405 },
    publish: { why: 'its workflows are written in code', tried: `POST ${prefix}/{workflow}/publish`, answered: 405 },
    continue: { why: 'it executes workflows, and knows no conversations', tried: `POST ${prefix}/{conversation}/run`, answered: 404 },
    pause: { why: 'what waits for a person is a step that waits for a response', tried: `GET ${prefix}/{id}`, answered: 'nothing' },
    answer: { why: noPeople, tried: `POST ${prefix}/{workflow}/steps/success`, answered: 400 },
    decide: { why: noPeople, tried: `POST ${prefix}/{workflow}/steps/success`, answered: 400 },
    cancel: { why: 'its API has no cancel', tried: `POST ${prefix}/{workflow}/{transaction}/cancel`, answered: 404 },
  },
  async teller({ url }, token) {
    const sdk = medusaSdk(url)
    await sdk.client.setToken(token)
    const get = (path: string) => sdk.client.fetch<{ workflow_execution: Execution }>(`${prefix}${path}`)
    const post = <T>(path: string, body: object) => sdk.client.fetch<T>(`${prefix}${path}`, { method: 'POST', body })
    const succeed = (workflow: string, run: string, step_id: string) => post(`/${workflow}/steps/success`, { transaction_id: run, step_id, response: {} })
    return {
      draw: async (definition, name) => (await post<{ id: string }>('', { name, definition })).id,
      publish: ({ handle }) => post(`/${handle}/publish`, {}),
      async start({ handle }, text) {
        const { acknowledgement } = await post<{ acknowledgement: { transactionId: string } }>(`/${handle}/run`, { input: { text } })
        return { run: acknowledgement.transactionId }
      },
      continue: ({ session }, text) => post(`/${session}/run`, { input: { text } }),
      status: async ({ run }) => (await get(`/wf_exec_${run}`)).workflow_execution.state,
      async steps({ run }) {
        const { workflow_execution } = await get(`/wf_exec_${run}`)
        const steps = Object.values(workflow_execution.execution.steps).filter(({ id }) => id !== '_root')
        return Object.fromEntries(steps.map(({ definition, invoke }) => [definition.action, `${invoke.state}/${invoke.status}`]))
      },
      async runs({ handle }) {
        const { workflow_executions: all } = await sdk.client.fetch<{ workflow_executions: { id: string }[] }>(prefix, { query: { workflow_id: handle, fields: 'id' } })
        return all.map(({ id }) => id.replace(/^wf_exec_/, ''))
      },
      pause: async ({ run }) => askedIn(await get(`/wf_exec_${run}`)),
      answer: ({ workflow, run }) => succeed(workflow.handle, run, 'ask'),
      decide: ({ workflow, run }) => succeed(workflow.handle, run, 'allow'),
      async watch({ handle }) {
        const heard = hearing<WorkflowEvent>()
        const path = `${prefix}/${handle}/subscribe`
        const before = subscribed.get(path)
        const { stream, abort } = await sdk.client.fetchStream(path)
        await once('the head of the stream', async () => (subscribed.get(path) === before ? undefined : subscribed.get(path)))
        void (async () => {
          for await (const { data } of stream) heard.hear(WorkflowEvent.strict().parse(JSON.parse(data!) as Json))
        })().catch(heard.fail)
        const mine = (items: readonly WorkflowEvent[], run: string) => items.filter((each) => each.transaction_id === run)
        return {
          paused: ({ run }) => heard.until('a step that is waited for', (items) => mine(items, run).find(({ event_type }) => event_type === 'onStepAwaiting')),
          whole: ({ run }) => heard.until('the end', (items) => (mine(items, run).some(({ event_type }) => event_type === 'onFinish') ? mine(items, run).map(lineOf) : undefined)),
          leave: () => abort(),
        }
      },
      cancel: ({ workflow, run }) => post(`/${workflow.handle}/${run}/cancel`, {}),
      missing: () => get(`/wf_exec_${absent}`),
      malformed: () => post(`/${absent}/run`, { input: {}, unheard_of: 1 }),
    }
  },
  told: toldOf,
}

/** The SDK does not say when a stream is open: the last answer by the path of its stream. */
const subscribed = new Map<string, Response>()
const { fetch } = globalThis
globalThis.fetch = async (input, init) => {
  const response = await fetch(input, init)
  const { pathname } = new URL(input instanceof Request ? input.url : input)
  if (pathname.endsWith('/subscribe')) subscribed.set(pathname, response)
  return response
}

const lineOf = ({ event_type, step }: WorkflowEvent): string => (step ? `${event_type} ${step.definition.action}` : event_type)

/** As its engine tells it: it resumes when somebody has answered, or the time of another attempt has come, and always goes back where it does not complete. */
function toldOf(events: readonly RunEvent[]): string[] {
  const waiting = new Set<string>()
  let isGoingBack = false
  return events.flatMap((event) => {
    // What a run was given is no step there.
    if ('nodeType' in event && event.nodeType.toLowerCase().startsWith('input')) return []
    switch (event.type) {
      case 'run.started':
        return ['onBegin']
      case 'step.started':
        return [...(event.attempt > 1 ? ['onResume'] : []), `onStepBegin ${event.step}`]
      case 'step.retrying':
      case 'step.failed':
        return [...(waiting.delete(event.nodeId) ? ['onResume'] : []), `onStepFailure ${event.step}`]
      case 'step.compensating':
        return [`onStepBegin ${event.step}`]
      case 'step.compensated':
        return [`onCompensateStepSuccess ${event.step}`]
      case 'step.waiting':
        waiting.add(event.nodeId)
        return [`onStepAwaiting ${event.step}`]
      case 'step.completed':
        return [...(waiting.delete(event.nodeId) ? ['onResume'] : []), `onStepSuccess ${event.step}`]
      case 'run.completed':
        return ['onFinish']
      case 'run.compensating':
        isGoingBack = true
        return ['onCompensateBegin']
      case 'run.failed':
      case 'run.compensated':
      case 'run.cancelled':
        return [...(isGoingBack ? [] : ['onCompensateBegin']), 'onFinish']
      default:
        return []
    }
  })
}

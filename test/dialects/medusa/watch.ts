import type { Json } from '@sluice/schema'
import { onTestFinished } from 'vitest'
import { WorkflowEvent } from '../../../packages/server/src/dialects/medusa/messages.ts'
import { deadline } from '../../support/deadline.ts'
import { medusaSdk } from './sdk.ts'

const prefix = '/admin/workflows-executions'

/** Who is told of executions by Medusa's own SDK. Whatever comes has been checked against the contract. */
export interface Watcher {
  messages: WorkflowEvent[]
  ids: string[]
  /** Whether the stream has ended by itself. */
  readonly ended: boolean
  /** Once so many messages have come, or one that fits. */
  told(what: string, fits: (message: WorkflowEvent) => boolean): Promise<WorkflowEvent>
  /** Once the stream has ended by itself. */
  over(): Promise<WorkflowEvent[]>
  leave(): void
}

/** `path`: of a workflow, of one of its executions, of one step there. It is watched once this is done. */
export async function watch({ url, token }: { url: string; token: string }, ...path: string[]): Promise<Watcher> {
  const client = medusaSdk(url)
  await client.client.setToken(token)
  const open = openedBy(globalThis.fetch)
  const { stream, abort } = await client.client.fetchStream([prefix, ...path.map(encodeURIComponent), 'subscribe'].join('/'))
  await open
  onTestFinished(() => abort())
  const messages: WorkflowEvent[] = []
  const ids: string[] = []
  const lookers = new Set<() => void>()
  const end: { is: boolean; error?: unknown } = { is: false }
  const look = () => {
    for (const looker of lookers) looker()
  }
  void (async () => {
    for await (const { event, data, id } of stream) {
      const message = WorkflowEvent.strict().parse(JSON.parse(data!) as Json)
      if (event !== message.event_type) throw new Error(`an event ${event} with the data of ${message.event_type}`)
      messages.push(message)
      ids.push(String(id))
      look()
    }
  })()
    .catch((error: unknown) => (end.error = error))
    .finally(() => {
      end.is = true
      look()
    })
  const until = <T>(what: string, find: () => T | undefined): Promise<T> =>
    deadline<T>(`${what}; it was told ${rows(messages).join(', ')}`, (done, fail) => {
      const looker = () => {
        const found = find()
        if (found !== undefined) done(found)
        else if (end.error !== undefined) fail(end.error)
      }
      lookers.add(looker)
      looker()
      return () => void lookers.delete(looker)
    })
  return {
    messages,
    ids,
    get ended() {
      return end.is
    },
    told: (what, fits) => until(what, () => messages.find(fits)),
    over: () => until('the end of the stream', () => (end.is && end.error === undefined ? messages : undefined)),
    leave: () => abort(),
  }
}

/** Once the head of the stream that is fetched next has come, of which the SDK says nothing. */
function openedBy(fetch: typeof globalThis.fetch): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  globalThis.fetch = (input, init) => {
    const response = fetch(input, init)
    if (!String(input instanceof Request ? input.url : input).endsWith('/subscribe')) return response
    globalThis.fetch = fetch
    response.then(resolve, reject)
    return response
  }
  return promise
}

/** A message in a line: the event, the step, what it has come to, and how often it was tried. */
export const rows = (messages: readonly WorkflowEvent[]): string[] => messages.map(rowOf)

function rowOf({ event_type, step }: WorkflowEvent): string {
  if (!step) return event_type
  const { state, status } = step.stepFailed ? step.compensate : step.invoke
  return `${event_type} ${step.definition.action} ${state}/${status} ${step.attempts}`
}

export const names = (messages: readonly WorkflowEvent[]): string[] => messages.map(({ event_type }) => event_type)

import type { JsonObject, Pause, Run, RunEvent, SentMessage } from '@sluice/schema'
import { readStream } from '../../support/events.ts'
import { callerOf } from '../../support/server.ts'
import { absent, type Face, hearing, linesOf, Refusal, Unsaid, watchingEvents } from '../face.ts'

/** The native REST API, and its server-sent events. */
export const native: Face = {
  name: 'native',
  title: 'Native REST',
  departures: {},
  async teller({ url }, token) {
    const { call } = callerOf(url, token)
    const openPause = async (run: string): Promise<Pause> => {
      const [open] = (await call<{ items: Pause[] }>('GET', `/v1/pauses?runId=${run}&status=open`)).items
      if (!open) throw new Unsaid('no open pause')
      return open
    }
    const decide = async (run: string, more: JsonObject) => call('POST', `/v1/pauses/${(await openPause(run)).id}/decide`, { action: 'approve', ...more })
    return {
      draw: async (definition, name) => (await call<{ id: string }>('POST', '/v1/workflows', { name, definition })).id,
      publish: ({ id }) => call('POST', `/v1/workflows/${id}/publish`, {}),
      // As a message, so that there is a conversation: the SDK starts the run alone.
      start: async ({ handle }, text) => ({ session: (await call<SentMessage>('POST', '/v1/sessions/send', { to: handle, text })).session.id }),
      continue: ({ session }, text) => call('POST', '/v1/sessions/send', { to: session, text }),
      status: async ({ run }) => (await call<Run>('GET', `/v1/runs/${run}`)).status,
      runs: async ({ id }) => (await call<{ items: Run[] }>('GET', `/v1/runs?workflow=${id}`)).items.map((run) => run.id),
      pause: async ({ run }) => (await openPause(run)).message,
      answer: ({ run }, text) => decide(run, { inputs: { text } }),
      decide: ({ run }) => decide(run, { comments: 'by REST' }),
      async watch({ id }) {
        const heard = hearing<RunEvent>()
        const opened = Promise.withResolvers<void>()
        const items = readStream(`${url}/v1/workflows/${id}/events`, { authorization: `Bearer ${token}` })
        void (async () => {
          for await (const { item } of items) {
            opened.resolve()
            if ('subject' in item && item.subject.kind === 'run') heard.hear(item as RunEvent)
          }
        })().catch((error: unknown) => {
          opened.reject(error)
          heard.fail(error)
        })
        await opened.promise
        return watchingEvents(heard, () => void items.return().catch(() => {}))
      },
      cancel: ({ run }) => call('POST', `/v1/runs/${run}/cancel`, {}),
      missing: () => call('GET', `/v1/runs/${absent}`),
      async malformed() {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
        const response = await fetch(`${url}/v1/runs`, { method: 'POST', headers, body: '{"workflow": ' })
        if (!response.ok) throw new Refusal(response.status, await response.json())
      },
    }
  },
  told: linesOf,
}

import { createClient } from '@sluice/client'
import type { RunEvent } from '@sluice/schema'
import { absent, type Face, hearing, linesOf, Unsaid, watchingEvents } from '../face.ts'

/** The SDK: typed calls and subscriptions over tRPC. */
export const sdk: Face = {
  name: 'sdk',
  title: 'SDK, tRPC',
  departures: {},
  async teller({ url }, token) {
    const sluice = createClient({ url, token, retries: 0 })
    const openPause = async (run: string) => {
      const [open] = (await sluice.pauses.list({ runId: run, status: 'open' })).items
      if (!open) throw new Unsaid('no open pause')
      return open
    }
    return {
      draw: async (definition, name) => (await sluice.workflows.create({ name, definition })).id,
      publish: ({ id }) => sluice.workflows.publish({ workflow: id }),
      start: async ({ handle }, text) => ({ run: (await sluice.workflow(handle).start({ text })).id }),
      continue: ({ session }, text) => sluice.session(session!).send(text).sent,
      status: async ({ run }) => (await sluice.run(run)).status,
      runs: async ({ id }) => (await sluice.workflow(id).runs()).items.map((run) => run.id),
      pause: async ({ run }) => (await openPause(run)).message,
      answer: async ({ run }, text) => sluice.pauses.approve((await openPause(run)).id, { inputs: { text } }),
      decide: async ({ run }) => sluice.pauses.approve((await openPause(run)).id, { comments: 'by the SDK' }),
      async watch({ id }) {
        const heard = hearing<RunEvent>()
        const gone = new AbortController()
        const opened = Promise.withResolvers<void>()
        void (async () => {
          for await (const item of sluice.workflows.watch({ workflow: id }, { signal: gone.signal })) {
            opened.resolve()
            if ('subject' in item && item.subject.kind === 'run') heard.hear(item as RunEvent)
          }
        })().catch((error: unknown) => {
          opened.reject(error)
          heard.fail(error)
        })
        await opened.promise
        return watchingEvents(heard, () => gone.abort())
      },
      cancel: async ({ run }) => (await sluice.run(run)).cancel(),
      missing: () => sluice.runs.get({ id: absent }),
      malformed: () => sluice.runs.start({ workflow: 7 as never }),
    }
  },
  told: linesOf,
}

import type { Open, Opened } from '../contestant.ts'
import { startLoader } from '../http-load/loader.ts'
import type { Repeated } from '../http-load/requests.ts'

interface Asked {
  url: string
  token: string
  close(): Promise<void>
}

const prefix = '/admin/workflows-executions'

/** Executions of a workflow. */
export const executing = (open: (databaseUrl: string) => Promise<Asked & { workflow: string }>): Open =>
  asking(open, ({ workflow }) => ({
    path: `${prefix}/${workflow}/run`,
    method: 'POST',
    body: JSON.stringify({ input: {} }),
    expect: { statusCode: 200, text: '"hasFinished":true' },
  }))

/** The same execution, read again and again. */
export const reading = (open: (databaseUrl: string) => Promise<Asked & { execution: string }>): Open =>
  asking(open, ({ execution }) => ({ path: `${prefix}/${execution}`, method: 'GET', expect: { statusCode: 200, text: execution } }))

const asking =
  <T extends Asked>(open: (databaseUrl: string) => Promise<T>, requestOf: (asked: T) => Omit<Repeated, 'url' | 'token'>): Open =>
  async (databaseUrl): Promise<Opened> => {
    const asked = await open(databaseUrl)
    const loader = await startLoader({ url: asked.url, token: asked.token, ...requestOf(asked) })
    return {
      load: (inFlight) => loader.load(inFlight),
      async close() {
        await loader.close()
        await asked.close()
      },
    }
  }

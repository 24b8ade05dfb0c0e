import type pg from 'pg'
import type { Database } from './database.ts'

export interface Listening {
  close(): Promise<void>
}

/**
 * Listens on channels over one connection of its own, in the order of commits, and listens again when the connection is lost.
 * What was sent in between is lost too: `missed` is called after every (re)connection, so that listeners look for themselves.
 */
export function listen(database: Database, channels: Readonly<Record<string, (payload: string) => void>>, missed: () => void): Listening {
  let client: pg.Client | undefined
  let closed = false
  let retry: NodeJS.Timeout | undefined
  let probe: NodeJS.Timeout | undefined

  const lost = (of: pg.Client): void => {
    if (client !== of) return
    client = undefined
    clearInterval(probe)
    of.end().catch(() => {})
    if (!closed) retry = setTimeout(connect, 250)
  }

  const connect = (): void => {
    database
      .dedicated()
      .then(async (made) => {
        if (closed) return made.end()
        client = made
        made.on('notification', ({ channel, payload = '' }) => channels[channel]?.(payload))
        made.on('error', () => lost(made))
        made.on('end', () => lost(made))
        for (const channel of Object.keys(channels)) await made.query(`listen ${channel}`)
        // A silent link says nothing for ever: ask now and then whether it still stands.
        probe = setInterval(() => made.query('select 1').catch(() => lost(made)), 2_500)
        probe.unref()
        return missed()
      })
      .catch(() => {
        if (client) lost(client)
        else if (!closed) retry = setTimeout(connect, 500)
      })
  }
  connect()

  return {
    async close() {
      closed = true
      clearTimeout(retry)
      clearInterval(probe)
      const last = client
      client = undefined
      await last?.end().catch(() => {})
    },
  }
}

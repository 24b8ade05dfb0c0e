// A process of its own: one of several servers on a database.
import { openApp } from '../sluice/served.ts'

export type ServerOrder = { do: 'open'; databaseUrl: string; role: string } | { do: 'cpu' } | { do: 'close' }
/** Where it listens; and the CPU that it has taken, in milliseconds. */
export type ServerAnswer = { url: string; cpuMs: number } | { failed: string }

let app: Awaited<ReturnType<typeof openApp>> | undefined

async function carryOut(order: ServerOrder): Promise<ServerAnswer> {
  if (order.do === 'open') app = await openApp(order.databaseUrl, { SLUICE_ROLE: order.role })
  if (order.do === 'close') await app?.close()
  const { user, system } = process.cpuUsage()
  return { url: app?.url ?? '', cpuMs: (user + system) / 1000 }
}

process.on('message', (order: ServerOrder) => {
  carryOut(order)
    .catch((error: unknown): ServerAnswer => ({ failed: String(error) }))
    .then((answer) => process.send!(answer))
    .catch(() => process.exit(1))
})
process.on('disconnect', () => process.exit(0))

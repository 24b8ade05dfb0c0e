import type { FastifyInstance } from 'fastify'
import { type StartLink, startPage, startPolicy } from './start-page.ts'

/** How long the database may take to say that it is there. */
const readyMs = 2_000

const links: readonly StartLink[] = [
  { href: '/docs', title: 'Every operation, to read and to try', under: 'api' },
  { href: '/openapi/sluice.json', title: 'The same for programs, as OpenAPI', under: 'api' },
  { href: '/v1/workflows', title: 'Workflows', under: 'data' },
  { href: '/v1/runs', title: 'Runs', under: 'data' },
  { href: '/v1/pauses?status=open', title: 'Open pauses', under: 'data' },
  { href: '/v1/node-types', title: 'Node types', under: 'data' },
  { href: '/health', title: 'The process lives', under: 'server' },
  { href: '/ready', title: 'The database answers', under: 'server' },
]

/** What is asked by those who watch over the server, and by those who come by. None of it asks for a credential. */
export function mountHealth(app: FastifyInstance, ready: () => Promise<void>, leaving: () => boolean): void {
  const config = { bare: true }
  app.get('/health', { config }, async () => ({ status: 'ok' }))
  app.get('/ready', { config }, async (_request, reply) => {
    const isReady = !leaving() && (await inTime(ready()))
    if (!isReady) reply.code(503).header('retry-after', '2')
    return { status: isReady ? 'ready' : 'unavailable' }
  })
}

/** For who comes by where there is something to see. */
export function mountStart(app: FastifyInstance): void {
  app.get('/', { config: { bare: true } }, async (request, reply) => {
    if (!/text\/html/.test(request.headers.accept ?? '')) return { name: 'sluice', links }
    return reply.header('content-security-policy', startPolicy).type('text/html; charset=utf-8').send(startPage(links))
  })
}

async function inTime(answer: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, readyMs, false)))
  try {
    return await Promise.race([answer.then(() => true), late])
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}

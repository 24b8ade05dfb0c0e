import type { FastifyInstance } from 'fastify'

/** How long the database may take to say that it is there. */
const readyMs = 2_000

const links = [
  { href: '/docs', title: 'API: every operation, to read and to try' },
  { href: '/openapi/sluice.json', title: 'The same as an OpenAPI document' },
  { href: '/v1/workflows', title: 'Workflows' },
  { href: '/v1/runs', title: 'Runs' },
  { href: '/v1/pauses?status=open', title: 'Open pauses' },
  { href: '/v1/node-types', title: 'Node types' },
  { href: '/health', title: 'Health: the process lives' },
  { href: '/ready', title: 'Readiness: the database answers' },
]

const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sluice</title><h1>Sluice</h1><ul>${links.map(({ href, title }) => `<li><a href="${href}">${title}</a></li>`).join('')}</ul></html>`

/** What is asked by those who watch over the server, and by those who come by. None of it asks for a credential. */
export function mountHealth(app: FastifyInstance, ready: () => Promise<void>, leaving: () => boolean): void {
  const config = { bare: true }
  app.get('/health', { config }, async () => ({ status: 'ok' }))
  app.get('/ready', { config }, async (_request, reply) => {
    const isReady = !leaving() && (await inTime(ready()))
    if (!isReady) reply.code(503).header('retry-after', '2')
    return { status: isReady ? 'ready' : 'unavailable' }
  })
  app.get('/', { config }, async (request, reply) => {
    if (!/text\/html/.test(request.headers.accept ?? '')) return { name: 'sluice', links }
    return reply.type('text/html; charset=utf-8').send(page)
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

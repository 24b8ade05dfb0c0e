import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { docsIndex, docsInitializer, docsPolicy, docsStyle } from './docs-page.ts'
import { pathOf } from './query.ts'

/** A document of an API; it is served at `/openapi/<name>.json`. */
export interface ApiPage {
  name: string
  /** Null: the page of Swagger UI cannot show it. */
  title: string | null
  /** JSON. */
  text: string
}

/** Of swagger-ui-dist, and nothing else of it: its own initializer asks foreign hosts. */
const assets: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
  'swagger-ui-standalone-preset.js': 'text/javascript',
}

/**
 * Swagger UI at `/docs`, of what comes with the server, and the documents at `/openapi/NAME.json`. Open to everyone: they
 * say what is public anyway. `pages` is asked once, by the first who comes: to describe everything takes longer than a start should.
 */
export function mountDocs(app: FastifyInstance, pages: () => Promise<readonly ApiPage[]>): void {
  const config = { bare: true }
  let made: Promise<readonly ApiPage[]> | undefined
  const all = () =>
    (made ??= pages().catch((error: unknown) => {
      made = undefined
      throw error
    }))

  app.get('/docs', { config }, async (request, reply) => {
    // The page names its parts from the folder above.
    if (pathOf(request.raw.url ?? '').endsWith('/')) return reply.redirect('../docs')
    return reply.header('content-security-policy', docsPolicy).type('text/html; charset=utf-8').send(docsIndex)
  })
  app.get('/docs/initializer.js', { config }, async (_request, reply) =>
    reply
      .type('text/javascript; charset=utf-8')
      .send(docsInitializer((await all()).flatMap(({ name, title }) => (title === null ? [] : [{ title, url: `../openapi/${name}.json` }])))),
  )
  app.get('/docs/sluice.css', { config }, async (_request, reply) => reply.type('text/css; charset=utf-8').send(docsStyle))
  for (const [name, type] of Object.entries(assets)) app.get(`/docs/${name}`, { config }, (request, reply) => sendAsset(name, type, request, reply))
  app.get('/openapi/:file', { config }, async (request, reply) => {
    const { file } = request.params as { file: string }
    const page = (await all()).find(({ name }) => file === `${name}.json`)
    return page ? reply.type('application/json; charset=utf-8').send(page.text) : reply.callNotFound()
  })
}

const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
const kept = new Map<string, Promise<{ bytes: Buffer; tag: string }>>()

/** Read once; browsers ask whether theirs is still the one. */
async function sendAsset(name: string, type: string, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  let asset = kept.get(name)
  if (!asset) {
    asset = readAsset(name)
    kept.set(name, asset)
    // One that could not be read is tried again by who asks next.
    asset.catch(() => kept.delete(name))
  }
  const { bytes, tag } = await asset
  reply.headers({ etag: tag, 'cache-control': 'no-cache' })
  return request.headers['if-none-match'] === tag ? reply.code(304).send() : reply.type(`${type}; charset=utf-8`).send(bytes)
}

async function readAsset(name: string): Promise<{ bytes: Buffer; tag: string }> {
  const [bytes, manifest] = await Promise.all([readFile(join(folder, name)), readFile(join(folder, 'package.json'), 'utf8')])
  return { bytes, tag: `"${(JSON.parse(manifest) as { version: string }).version}"` }
}

import { expect, test } from 'vitest'
import { documents, pagesFor } from '../../src/openapi/documents.ts'
import { ask, serve } from '../http/serve.ts'

const served = () => serve({ documents: async () => pagesFor(null) })
const get = (url: string, path: string, headers: Record<string, string> = {}) => ask(url, 'GET', path, undefined, { authorization: '', ...headers })

/** Whatever a page or a script of ours names with a host. */
const hosts = (text: string): string[] => [...text.matchAll(/(?:https?:)?\/\/[\w.-]+\.\w+/g)].map(([host]) => host)

test('the page of the API names nothing that is not on this host', async () => {
  const { url } = await served()
  const page = await get(url, '/docs')
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  const initializer = await get(url, '/docs/initializer.js')
  expect(hosts(page.text)).toEqual([])
  expect(hosts(initializer.text)).toEqual([])
  const named = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name!)
  for (const name of named.filter((each) => !each.startsWith('data:'))) {
    const { status, headers } = await get(url, `/${name}`)
    expect([name, status, headers.get('x-content-type-options')]).toEqual([name, 200, 'nosniff'])
  }
})

test('the browser is told to load nothing from elsewhere, whatever a script of Swagger UI wants', async () => {
  const { url } = await served()
  const policy = (await get(url, '/docs')).headers.get('content-security-policy')!
  const sources = policy.split('; ').flatMap((directive) => directive.split(' ').slice(1))
  expect(policy).toContain("default-src 'none'")
  expect(new Set(sources)).toEqual(new Set(["'none'", "'self'", "'unsafe-inline'", 'data:']))
  expect(policy).toMatch(/script-src 'self';/)
})

test('Swagger UI is set up by us: our documents, no foreign validator, who was authorised stays so', async () => {
  const { url } = await served()
  const { text } = await get(url, '/docs/initializer.js')
  let options: Record<string, unknown> = {}
  const bundle = Object.assign((given: Record<string, unknown>) => (options = given), { presets: { apis: [] } })
  const page = { currentScript: { src: 'https://sluice.example/below/docs/initializer.js' } }
  // oxlint-disable-next-line typescript/no-implied-eval, no-new-func -- as a browser would
  new Function('window', 'document', 'SwaggerUIBundle', 'SwaggerUIStandalonePreset', text)({}, page, bundle, [])
  expect(options['urls']).toEqual(documents.map(({ name, title }) => ({ name: title, url: `/below/openapi/${name}.json` })))
  expect([options['validatorUrl'], options['persistAuthorization'], options['queryConfigEnabled']]).toEqual([null, true, false])
})

test('documents are served as they are written, and nothing else is below /openapi', async () => {
  const { url } = await served()
  for (const [at, { name }] of documents.entries()) {
    const { status, headers, text } = await get(url, `/openapi/${name}.json`)
    expect([status, headers.get('content-type'), text === pagesFor(null)[at]!.text]).toEqual([200, 'application/json; charset=utf-8', true])
  }
  expect((await get(url, '/openapi/other.json')).status).toBe(404)
  expect((await get(url, '/openapi/..%2Fpackage.json')).status).toBe(404)
  expect((await get(url, '/docs/package.json')).status).toBe(404)
})

test('behind a public address with a path the operations are below that path', () => {
  expect(JSON.parse(pagesFor('https://example.com/sluice/')[0]!.text)).toMatchObject({ servers: [{ url: 'https://example.com/sluice' }, { url: '/sluice' }] })
  expect(JSON.parse(pagesFor('https://example.com')[0]!.text)).toMatchObject({ servers: [{ url: 'https://example.com' }, { url: '/' }] })
  const pyspur = (publicUrl: string | null) => JSON.parse(pagesFor(publicUrl).find(({ name }) => name === 'pyspur')!.text) as { servers: { url: string }[] }
  expect(pyspur(null).servers.map(({ url }) => url)).toEqual(['/', '/api'])
  expect(pyspur('https://example.com/sluice').servers.map(({ url }) => url)).toEqual(['https://example.com/sluice', 'https://example.com/sluice/api', '/sluice', '/sluice/api'])
})

test('the start page leads there; a slash too many leads back; what a browser has is not sent again', async () => {
  const { url } = await served()
  const start = await get(url, '/', { accept: 'text/html' })
  expect(start.text).toContain('href="docs"')
  expect(start.text).toContain('href="openapi/sluice.json"')
  expect(start.headers.get('content-security-policy')).not.toContain('script')
  const slash = await fetch(`${url}/docs/`, { redirect: 'manual' })
  expect([slash.status, new URL(slash.headers.get('location')!, `${url}/docs/`).pathname]).toEqual([302, '/docs'])
  const style = await get(url, '/docs/swagger-ui.css')
  const again = await get(url, '/docs/swagger-ui.css', { 'if-none-match': style.headers.get('etag')! })
  expect([again.status, again.text]).toEqual([304, ''])
})

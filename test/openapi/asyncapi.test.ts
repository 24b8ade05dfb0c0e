import { readFile } from 'node:fs/promises'
import { Parser } from '@asyncapi/parser'
import { expect, test } from 'vitest'
import { pagesFor, socketDocuments } from '../../packages/server/src/openapi/documents.ts'
import { here } from '../support/processes.ts'
import { testServer } from '../support/server.ts'

test.for(socketDocuments.map(({ name }) => name))("openapi/%s.json is valid by AsyncAPI's own parser", async (name) => {
  const parser = new Parser()
  const text = await readFile(here(`../../openapi/${name}.json`), 'utf8')
  const { document, diagnostics } = await parser.parse(text)
  expect(diagnostics.map(({ code, message, path }) => `${code} ${path.join('.')}: ${message}`)).toEqual([])
  expect(document?.channels().all().length).toBeGreaterThan(0)
  const broken = await parser.parse(text.replace('"action": "send"', '"action": "shout"'))
  expect(broken.diagnostics).not.toEqual([])
})

test('it is served as it is in the repository, and is not among those that Swagger UI shows', async () => {
  await using server = await testServer()
  for (const { name } of socketDocuments) expect(await (await fetch(`${server.url}/openapi/${name}.json`)).text()).toBe(await readFile(here(`../../openapi/${name}.json`), 'utf8'))
  const shown = await (await fetch(`${server.url}/docs/initializer.js`)).text()
  expect(shown).toContain('openapi/orchestrator.json')
  expect(shown).not.toContain('asyncapi')
})

test('it tells where the server is, when that was told', () => {
  const placeOf = (publicUrl: string) =>
    pagesFor(publicUrl).flatMap(({ name, text }) => (name.endsWith('.asyncapi') ? [(JSON.parse(text) as { servers: { here: object } }).servers.here] : []))
  expect(placeOf('https://flows.example.com/sluice/')).toMatchObject([{ host: 'flows.example.com', protocol: 'wss', pathname: '/sluice' }])
  expect(placeOf('http://localhost:4000')).toMatchObject([{ host: 'localhost:4000', protocol: 'ws' }])
})

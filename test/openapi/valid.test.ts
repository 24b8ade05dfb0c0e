import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createConfig, lint } from '@redocly/openapi-core'
import spectral, { type RulesetDefinition } from '@stoplight/spectral-core'
import rulesets from '@stoplight/spectral-rulesets'
import { expect, test } from 'vitest'
import { documents, socketDocuments } from '../../packages/server/src/openapi/documents.ts'

const fileOf = (name: string): string => fileURLToPath(new URL(`../../openapi/${name}.json`, import.meta.url))
const read = (name: string): Record<string, unknown> => JSON.parse(readFileSync(fileOf(name), 'utf8')) as Record<string, unknown>

test.for(documents.map(({ name }) => name))('openapi/%s.json is valid by the rules of redocly, its examples included', { timeout: 180_000 }, async (name) => {
  // The paths of a dialect are spelled as they were published.
  const ours = name === 'sluice' ? ('error' as const) : ('off' as const)
  const rules = { 'no-path-trailing-slash': ours, 'no-ambiguous-paths': ours }
  const config = await createConfig({ extends: ['recommended-strict'], rules })
  const problems = await lint({ ref: fileOf(name), config })
  expect(problems.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer}: ${message}`)).toEqual([])
})

/** Rules of spectral that are not asked for, each with its reason. */
const notAsked: Readonly<Record<string, string>> = {
  'oas3-valid-media-example': 'redocly and our own tests hold every example against its schema, in a tenth of the time',
  'oas3-valid-schema-example': 'as above',
  'info-contact': 'who runs the server is whom to turn to, and a document does not know them',
  'asyncapi-info-contact': 'as above',
}
const departures: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  pyspur: { 'path-keys-no-trailing-slash': 'published so' },
  orchestrator: { 'path-keys-no-trailing-slash': 'published so', 'operation-success-response': 'nobody registers here: the operation only ever refuses' },
  playground: { 'path-keys-no-trailing-slash': 'published so' },
  medusa: { 'operation-success-response': 'nobody registers here: the operation only ever refuses' },
  'orchestrator.asyncapi': {
    'asyncapi-3-channel-no-trailing-slash': 'published so',
    'asyncapi-3-operation-description': 'its summary says it all',
    'asyncapi-3-tags': 'one channel needs no order',
  },
}

async function problemsOf(name: string, document: unknown, off: readonly string[]): Promise<string[]> {
  const linter = new spectral.Spectral()
  const { asyncapi, oas } = rulesets
  const published: unknown = name.endsWith('.asyncapi') ? asyncapi : oas
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the two packages know different types of the same thing
  linter.setRuleset({ extends: [[published as RulesetDefinition, 'recommended']], rules: Object.fromEntries(off.map((rule) => [rule, 'off'])) })
  return (await linter.run(document as Record<string, unknown>)).map(({ code, message, path }) => `${code} ${path.join('.')}: ${message}`)
}

const offFor = (name: string): string[] => {
  const general = Object.keys(notAsked).filter((rule) => rule.startsWith('asyncapi-') === name.endsWith('.asyncapi'))
  return [...general, ...Object.keys(departures[name] ?? {})]
}

test.for([...documents, ...socketDocuments].map(({ name }) => name))('openapi/%s.json is valid by the rules of spectral', { timeout: 180_000 }, async (name) => {
  expect(await problemsOf(name, read(name), offFor(name))).toEqual([])
})

test('spectral finds what is wrong with a document', async () => {
  const document = read('openai') as { paths: Record<string, Record<string, { operationId?: string; responses?: object }>> }
  const [first] = Object.values(Object.values(document.paths)[0]!)
  delete first!.responses
  expect(await problemsOf('openai', document, offFor('openai'))).not.toEqual([])
})

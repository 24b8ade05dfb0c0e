import { fileURLToPath } from 'node:url'
import { createConfig, lint } from '@redocly/openapi-core'
import { expect, test } from 'vitest'
import { documents } from '../../packages/server/src/openapi/documents.ts'

test.for(documents.map(({ name }) => name))('openapi/%s.json is valid by the rules of redocly, its examples included', async (name) => {
  // The paths of a dialect are spelled as they were published.
  const ours = name === 'sluice' ? ('error' as const) : ('off' as const)
  const rules = { 'no-path-trailing-slash': ours, 'no-ambiguous-paths': ours }
  const config = await createConfig({ extends: ['recommended-strict'], rules })
  const problems = await lint({ ref: fileURLToPath(new URL(`../../openapi/${name}.json`, import.meta.url)), config })
  expect(problems.map(({ ruleId, message, location }) => `${ruleId} ${location[0]?.pointer}: ${message}`)).toEqual([])
})

import { afterEach, expect, test } from 'vitest'
import { type Program, endAll, here, start } from './support/processes.ts'
import { admin, callerOf, secret, testServer } from './support/server.ts'

afterEach(endAll)

/** What takes long to load, or much memory, and is needed only once somebody asks for it. */
const onDemand = [
  ...['@mikro-orm/core', '@mikro-orm/postgresql', '@mikro-orm/migrations', 'kysely'],
  ...['undici', 'openai', 'ajv', 'quickjs-emscripten', 'trpc-to-openapi', 'zod-openapi', 'swagger-ui-dist', 'light-my-request'],
  ...['@opentelemetry/sdk-trace', '@opentelemetry/resources', '@opentelemetry/exporter-trace-otlp-http'],
  'effect/dist/index.js',
]

async function loaded(program: Program, time: number): Promise<string[]> {
  program.kill('SIGUSR2')
  const [, names] = await program.says(new RegExp(`^Loaded ${time}: (.*)$`, 'm'))
  return JSON.parse(names!) as string[]
}

test('a server at rest has loaded nothing that only those need who ask for it; who asks gets it', async () => {
  // The first start made the admin: that takes what a login takes.
  await using first = await testServer()
  const program = start(['--import', here('loaded.ts'), here('../../packages/server/src/main.ts')], {
    SLUICE_DATABASE_URL: first.db.url,
    SLUICE_PORT: '0',
    SLUICE_SECRET: secret,
    SLUICE_LOG_LEVEL: 'silent',
  })
  const [, url] = await program.says(/^Sluice is ready at (http:\S+)$/m)
  const atRest = await loaded(program, 1)
  expect(atRest).toEqual(expect.arrayContaining(['fastify', 'pg-boss', 'effect/dist/Schema.js']))
  expect(onDemand.filter((name) => atRest.includes(name))).toEqual([])

  await callerOf(url!, '').call('POST', '/v1/auth/login', admin)
  expect(await loaded(program, 2)).toEqual(expect.arrayContaining(['@mikro-orm/core']))
}, 60_000)

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { admin, testServer } from '../support/server.ts'
import { generated } from './generate.ts'

const tsc = fileURLToPath(new URL('../../node_modules/.bin/tsc', import.meta.url))
const strict = [
  '--ignoreConfig',
  '--noEmit',
  '--strict',
  '--noUncheckedIndexedAccess',
  '--module',
  'nodenext',
  '--target',
  'es2024',
  '--lib',
  'es2024,dom,dom.iterable',
  '--allowImportingTsExtensions',
  '--types',
  '',
]

test('a client generated from openapi/sluice.json knows the types, and does the main job', { timeout: 60_000 }, async () => {
  await using client = await generated()
  const checked = await promisify(execFile)(tsc, [...strict, `${client.folder}/program.ts`]).catch((error: { stdout: string }) => error)
  expect(checked.stdout).toBe('')
  expect(await readFile(`${client.folder}/sluice.ts`, 'utf8')).not.toMatch(/[:|<(]\s*any\b/)

  await using server = await testServer()
  const program = (await import(pathToFileURL(`${client.folder}/program.ts`).href)) as { mainJob(url: string, login: typeof admin): Promise<unknown> }
  expect(await program.mainJob(server.url, admin)).toEqual({
    status: 'completed',
    output: { amount: 1250 },
    same: true,
    refused: [409, 'pause_decided'],
    found: [1, true, ['where', 'password_hash']],
    types: expect.arrayContaining(['run.queued', 'pause.opened', 'pause.decided', 'run.completed']),
    amounts: [{ amount: 1250 }],
    live: expect.arrayContaining(['run.queued', 'run.completed']),
  })
})

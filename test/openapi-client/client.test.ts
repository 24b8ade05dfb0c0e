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

async function compiles(folder: string, document: string): Promise<void> {
  const checked = await promisify(execFile)(tsc, [...strict, `${folder}/program.ts`]).catch((error: { stdout: string }) => error)
  expect(checked.stdout).toBe('')
  expect(await readFile(`${folder}/${document}.ts`, 'utf8')).not.toMatch(/[:|<(]\s*any\b/)
}

test('a client generated from openapi/sluice.json knows the types, and does the main job', { timeout: 60_000 }, async () => {
  await using client = await generated('sluice', 'program.ts')
  await compiles(client.folder, 'sluice')

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

test('a client generated from openapi/pyspur.json knows the types, and creates, runs, approves and overrides', { timeout: 60_000 }, async () => {
  await using client = await generated('pyspur', 'pyspur-program.ts')
  await compiles(client.folder, 'pyspur')

  await using server = await testServer()
  const { secret } = await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'generated' })
  const program = (await import(pathToFileURL(`${client.folder}/program.ts`).href)) as { mainJob(url: string, key: string): Promise<unknown> }
  for (const mount of ['', '/api'])
    expect(await program.mainJob(`${server.url}${mount}`, secret)).toEqual({
      nodes: ['InputNode', 'HumanInterventionNode', 'OutputNode'],
      asked: [['Charge it?', { input_node: { amount: 1250 } }]],
      outputs: [
        { amount: 1250, remark: 'fine' },
        { amount: null, remark: 'mine' },
      ],
      history: ['APPROVE', 'OVERRIDE'],
      refused: [404, 'Workflow not found'],
      unfit: [422, ['body', 'definition', 'nodes']],
      paged: [1, 1, 0],
      gone: [204, 404],
    })
})

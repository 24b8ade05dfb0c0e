import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { documents, socketDocuments } from '../../src/openapi/documents.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const sluiceServer = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 20_000 })

test('sluice-server openapi writes the documents; --check writes nothing, and fails when one has drifted', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-openapi-'))
  try {
    const path = join(folder, 'sluice.json')
    expect(sluiceServer('openapi', folder)).toMatchObject({
      status: 0,
      stdout: [...documents, ...socketDocuments].map(({ name }) => `Wrote ${join(folder, `${name}.json`)}\n`).join(''),
      stderr: '',
    })
    expect(sluiceServer('openapi', folder, '--check')).toMatchObject({ status: 0, stdout: '', stderr: '' })
    await writeFile(path, (await readFile(path, 'utf8')).replace('Start a run', 'Start a walk'))
    const drifted = sluiceServer('openapi', folder, '--check')
    expect([drifted.status, drifted.stderr]).toEqual([1, expect.stringContaining(`Not up to date: ${path}. Run sluice-server openapi`)])
    expect(await readFile(path, 'utf8')).toContain('Start a walk')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

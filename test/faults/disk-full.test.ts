import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import type { Json, Run } from '@sluice/schema'
import { expect, test } from 'vitest'
import { eventually, here, start } from '../support/processes.ts'
import { admin } from '../support/server.ts'
import { audit } from '../support/audit.ts'
import { tell } from '../support/rig.ts'

/** The data directory on a file system of its own, as small as it is said: in a mount namespace, for which nobody needs rights. */

const main = here('../../packages/server/src/main.ts')
const MiB = 2 ** 20
const possible = spawnSync('unshare', ['-U', '-r', '-m', 'true']).status === 0

interface Answer<T = Json> {
  status: number
  body: T & { error?: { code: string } }
  retryAfter: string | null
}

test.runIf(possible)('a full disk: 503 or 507 with a code, nothing by half, no process ends; with room again all that was acknowledged goes on', { timeout: 240_000 }, async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-full-'))
  const program = start(
    [main, 'serve'],
    { SLUICE_DATA_DIR: dataDir, SLUICE_PORT: '0', SLUICE_LOG_LEVEL: 'warn', SLUICE_ADMIN_PASSWORD: admin.password, SLUICE_RATE_LIMIT: 'off' },
    ['unshare', '-U', '-r', '-m', 'sh', '-c', `mount -t tmpfs -o size=${200 * MiB},mode=0700 none "$0" && exec "$@"`, dataDir],
  )
  /** The directory as the server sees it. */
  const inside = (path: string): string => join('/proc', String(program.pid), 'root', dataDir, path)
  const [, url] = await program.says(/^Sluice is ready at (http:\S+)$/m, 60_000)
  let token = ''
  async function call<T = Json>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(url + path, {
      method,
      headers: { ...(token && { authorization: `Bearer ${token}` }), ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    })
    const text = await response.text()
    return { status: response.status, body: text === '' ? null : JSON.parse(text), retryAfter: response.headers.get('retry-after') }
  }
  try {
    token = (await call<{ token: string }>('POST', '/v1/auth/login', { email: admin.email, password: admin.password })).body.token
    const { id: workflow } = (
      await call<{ id: string }>('POST', '/v1/workflows', {
        name: 'Full',
        definition: {
          nodes: [
            { id: 'in', type: 'input' },
            { id: 'nap', type: 'delay', config: { ms: 300 } },
            { id: 'out', type: 'output', config: { map: { length: '{{ input.text | size }}' } } },
          ],
          links: [
            { source: 'in', target: 'nap' },
            { source: 'nap', target: 'out' },
          ],
        },
      })
    ).body
    // What an operator will take away to make room.
    await writeFile(inside('filler'), randomBytes(60 * MiB))

    const acknowledged: string[] = []
    const refused: Answer[] = []
    // Does not compress, so that it takes the room that it seems to take.
    const startOne = () => call<Run>('POST', '/v1/runs', { workflow, input: { text: randomBytes(300_000).toString('base64') } })
    for (let tries = 0; refused.length < 12; tries++) {
      expect(tries, 'the disk was never full').toBeLessThan(1_500)
      const answer = await startOne()
      if (answer.status === 201) acknowledged.push(answer.body.id)
      else {
        refused.push(answer)
        await new Promise((resolve) => setTimeout(resolve, 250))
      }
    }
    expect(acknowledged.length).toBeGreaterThan(20)
    const odd = refused.filter(
      ({ status, body, retryAfter }) => !((status === 507 && body.error?.code === 'storage_full') || (status === 503 && body.error?.code === 'unavailable' && retryAfter !== null)),
    )
    expect(odd).toEqual([])
    expect((await call('GET', '/health')).status).toBe(200)

    const freed = performance.now()
    await rm(inside('filler'))
    await eventually('starts are taken again', async () => (await startOne()).status === 201, 60_000)
    const taken = performance.now() - freed
    for (const id of acknowledged) await eventually(`${id} has ended`, async () => (await call<Run>('GET', `/v1/runs/${id}`)).body?.status === 'completed', 90_000)
    tell(
      `a full disk: ${acknowledged.length} runs acknowledged, ${refused.length} refused (${[...new Set(refused.map(({ status }) => status))].join(', ')}); starts were taken ${Math.round(taken)} ms after there was room`,
    )
    for (const id of acknowledged.slice(-10)) audit((await call<{ items: Parameters<typeof audit>[0] }>('GET', `/v1/runs/${id}/events?limit=100`)).body.items)
    // What was refused is not there by half: every run there is was acknowledged, or begun after there was room.
    const { body } = await call<{ items: Run[]; total: number }>('GET', '/v1/runs?status=failed&limit=10')
    expect(body.items).toEqual([])
    program.kill('SIGTERM')
    expect(await program.ended).toBe(0)
  } finally {
    program.kill('SIGKILL')
    await program.ended
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
  }
})

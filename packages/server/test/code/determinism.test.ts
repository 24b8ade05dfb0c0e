import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const hashed = async () => (await promisify(execFile)(process.execPath, [fileURLToPath(new URL('hashed.ts', import.meta.url))])).stdout

test('a workflow is the same version, and names the same functions, in every process that loads it', async () => {
  const [one, other] = await Promise.all([hashed(), hashed()])
  expect(one).toMatch(/^[0-9a-f]{64} transform:[0-9a-f]{16} transform:[0-9a-f]{16}-2 charge transform:[0-9a-f]{16} check created\n$/)
  expect(other).toBe(one)
})

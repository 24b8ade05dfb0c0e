import { afterAll, describe, expect, test } from 'vitest'
import { code } from '../../src/nodes/library/code.ts'
import { SandboxError } from '../../src/sandbox/error.ts'
import type { SandboxErrorCode } from '../../src/sandbox/error.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import { context, failure, run } from './asked.ts'

const sandbox = createSandbox({ warm: 0 })
afterAll(() => sandbox.close())
const node = code(sandbox)

describe('code', () => {
  test('runs on the outputs of its predecessors, and prints into the log of the run', async () => {
    const lines: string[] = []
    const abilities = { ...context().abilities, log: (_level: string, line: string) => void lines.push(line) }
    const { output } = await run(node, { source: 'console.log("adding", input.a.n); return { sum: input.a.n + input.b }' }, { input: { a: { n: 1 }, b: 2 }, abilities })
    expect(output).toEqual({ sum: 3 })
    expect(lines).toEqual(['adding 1'])
  })

  test('that throws fails the step with its line, and what it printed is kept', async () => {
    const lines: string[] = []
    const abilities = { ...context().abilities, log: (_level: string, line: string) => void lines.push(line) }
    expect(await failure(() => run(node, { source: 'console.log("here")\nthrow new Error("no")' }, { abilities }))).toMatchObject({
      code: 'code_failed',
      message: 'no',
      details: { line: 2 },
      retry: true,
    })
    expect(lines).toEqual(['here'])
  })

  test('that nests too deeply fails for good', async () => {
    const nested = (levels: number) => ({ source: `let value = 1; for (let level = 0; level < ${levels}; level++) value = [value]; return value` })
    expect((await run(node, nested(64))).output).toBeDefined()
    expect(await failure(() => run(node, nested(65)))).toMatchObject({ code: 'code_output_not_json', retry: false })
  })

  test('is stopped with the reason of the signal', async () => {
    const stop = AbortSignal.timeout(300)
    await expect(run(node, { source: 'while (true);' }, { signal: stop })).rejects.toMatchObject({ name: 'TimeoutError' })
  })

  test.each<[SandboxErrorCode, string, boolean]>([
    ['code_failed', 'code_failed', true],
    ['timed_out', 'code_timed_out', true],
    ['unavailable', 'sandbox_unavailable', true],
    ['out_of_memory', 'code_out_of_memory', false],
    ['output_too_large', 'code_output_too_large', false],
    ['output_not_json', 'code_output_not_json', false],
  ])('%s of the sandbox is %s of the step', async (thrown, becomes, retry) => {
    const broken = code({ run: () => Promise.reject(new SandboxError(thrown, 'why')), close: async () => {} })
    expect(await failure(() => run(broken, { source: '' }))).toMatchObject({ code: becomes, message: 'why', retry })
  })
})

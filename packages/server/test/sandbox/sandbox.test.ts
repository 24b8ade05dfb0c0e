import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Json } from '@sluice/schema'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { childArguments } from '../../src/sandbox/permissions.ts'
import type { SandboxError } from '../../src/sandbox/error.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import { childrenOf, isAlive, until } from './processes.ts'

const sandbox = createSandbox({ concurrency: 2 })
// For attacks that end by time: the same code, less patience.
const patient = createSandbox({ cpuMs: 1500, warm: 0 })
const impatient = createSandbox({ cpuMs: 200, concurrency: 2 })
afterAll(() => Promise.all([sandbox, patient, impatient].map((each) => each.close())))

const output = async (source: string, input: Json = {}) => (await sandbox.run({ source, input })).output
const failure = async (work: Promise<unknown>) =>
  (await work.then(
    (value) => expect.fail(`gave ${JSON.stringify(value).slice(0, 200)}`),
    (error: unknown) => error,
  )) as SandboxError
const fails = (source: string, input: Json = {}) => failure(sandbox.run({ source, input }))

describe('code', () => {
  test('is the body of a function of its input, and what it returns is the output', async () => {
    expect(await output('return { sum: input.a + input.b, list: [...input.list, "é💧"] }', { a: 1, b: 2, list: [null, true] })).toEqual({ sum: 3, list: [null, true, 'é💧'] })
  })
  test('may await, and gives what its promise gives', async () => {
    expect(await output('const value = await Promise.all([1, Promise.resolve(2)])\nreturn (async () => value)()')).toEqual([1, 2])
  })
  test('that returns nothing gives null', async () => {
    expect(await output('const nothing = 1')).toBeNull()
  })
  test('may end with a comment', async () => {
    expect(await output('return 1 // done')).toBe(1)
  })
  test('prints into its log', async () => {
    const { logs } = await sandbox.run({ source: 'console.log("a", 1, { b: [2] }, undefined); console.error(new Error("x").message); return 0', input: null })
    expect(logs).toEqual(['a 1 {"b":[2]} undefined', 'x'])
  })
  test('that fails says why, where, and what it printed before', async () => {
    expect(await fails('console.log("before")\nconst x = 1\nthrow new Error("no more")')).toMatchObject({
      name: 'SandboxError',
      code: 'code_failed',
      message: 'no more',
      line: 3,
      logs: ['before'],
    })
    expect(await fails('\ninput.a.b.c')).toMatchObject({ code: 'code_failed', message: expect.stringMatching(/^TypeError: /), line: 2 })
    expect(await fails('let a = 1\n\nlet b = ;')).toMatchObject({ code: 'code_failed', message: expect.stringMatching(/^SyntaxError: /), line: 3 })
    expect(await fails('throw "text"')).toMatchObject({ code: 'code_failed', message: 'text' })
    expect(await fails('throw null')).toMatchObject({ code: 'code_failed', message: 'null' })
    expect(await fails('throw { get message() { throw 1 } }')).toMatchObject({ code: 'code_failed' })
    expect(await fails('await Promise.reject(new RangeError("far"))')).toMatchObject({ code: 'code_failed', message: 'RangeError: far' })
  })
  test('gets any JSON as it is, and gives it back as it is', async () => {
    const values = fc.sample(fc.jsonValue(), { numRuns: 500, seed: 7 }) as Json
    expect(await output('return input', values)).toEqual(JSON.parse(JSON.stringify(values)))
  })
})

describe('X1: code sees nothing but the language', () => {
  test('no name of a host is there', async () => {
    const names = [
      'process',
      'require',
      'module',
      'fetch',
      'XMLHttpRequest',
      'WebSocket',
      'setTimeout',
      'setInterval',
      'setImmediate',
      'queueMicrotask',
      'Deno',
      'Bun',
      'std',
      'os',
      'WebAssembly',
      'Worker',
      'Atomics',
      'Buffer',
      'performance',
      'import',
    ]
    expect(await output('return input.filter((name) => name in globalThis)', names)).toEqual([])
  })
  test('no way out of the interpreter leads to the process', async () => {
    const ways = [
      '[].constructor.constructor("return typeof process + typeof require")()',
      'console.log.constructor("return typeof process + typeof require")()',
      'input.constructor.constructor("return typeof process + typeof require")()',
      '(0, eval)("typeof process + typeof require")',
      '(function () { return typeof this.process + typeof this.require })()',
      '(async () => {}).constructor("return typeof process + typeof require")()',
      '(function* () {}).constructor("yield typeof process + typeof require")().next().value',
      'typeof (function f() { return f.caller })() + typeof Error.prepareStackTrace',
    ]
    for (const found of (await output(`return Promise.all([${ways.join(', ')}])`)) as string[]) expect(found).toBe('undefinedundefined')
  })
  test('no module, no host function', async () => {
    const tries = [
      'import("fs")',
      'import("node:fs")',
      'import("std")',
      'import("os")',
      'import("file:///etc/passwd")',
      'import("./child.ts")',
      'require("fs")',
      'fetch("http://127.0.0.1")',
    ]
    const source = `const seen = []\n${tries.map((each) => `try { await ${each}; seen.push('reached') } catch { seen.push('failed') }`).join('\n')}\nreturn seen`
    expect(await output(source)).toEqual(tries.map(() => 'failed'))
  })
  test('what it does to its world does not change how it is run', async () => {
    const vandal = `
      JSON.stringify = () => '"forged"'; JSON.parse = () => 'forged'; Array.prototype.push = Array.prototype.join = () => { throw 1 }
      String.prototype.slice = () => 'x'.repeat(1e6); Object.prototype.toJSON = undefined; Error.prototype.toString = null; Function.prototype.call = null
      Promise.prototype.then = () => { throw 1 }; Object.defineProperty(Object.prototype, 'ok', { get() { return false }, set() {} }); globalThis.String = globalThis.Error = null
      console.log('still here')
      return { plain: [1, 'two'] }`
    expect(await sandbox.run({ source: vandal, input: {} })).toEqual({ output: { plain: [1, 'two'] }, logs: ['still here'] })
  })
  test('keys that name prototypes are data', async () => {
    const value = await output('return JSON.parse(\'{"__proto__": {"polluted": true}, "constructor": {"prototype": 1}}\')')
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.hasOwn(value as object, '__proto__')).toBe(true)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
  test('a source that closes the function runs inside all the same', async () => {
    expect(await fails('return 1 }), (function () { throw new Error(typeof process)')).toMatchObject({ code: 'code_failed' })
    const error = await sandbox
      .run({ source: '}); (async function () { return typeof process + typeof globalThis.require', input: {} })
      .catch((thrown: unknown) => thrown as SandboxError)
    expect(error).toSatisfy((value: { output?: unknown; code?: string }) => value.output === 'undefinedundefined' || value.code === 'code_failed')
  })
  test('the process around it has no environment, reads no files of others, writes none and starts nothing', () => {
    const probe = `const fs = require('node:fs'); const tried = (work) => { try { work(); return 'done' } catch (error) { return error.code ?? error.name } }
      console.log(JSON.stringify([Object.keys(process.env), tried(() => fs.readFileSync('/etc/hostname')), tried(() => fs.readdirSync('/')), tried(() => fs.writeFileSync('/tmp/sluice-probe', '')),
        tried(() => require('node:child_process').spawnSync('true')), tried(() => new (require('node:worker_threads').Worker)('1', { eval: true })), tried(() => new Function('return 1'))]))`
    const { stdout } = spawnSync(process.execPath, [...childArguments(), '-e', probe], { env: {}, cwd: '/', encoding: 'utf8' })
    expect(JSON.parse(stdout)).toEqual([[], 'ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED', 'EvalError'])
  })
})

describe('X2: code is bounded', () => {
  test.each([
    ['a loop', 'while (true);'],
    ['a loop that catches', 'for (;;) { try { while (true); } catch {} }'],
    ['a loop in a promise job', 'await null; while (true);'],
    ['promise jobs without an end', 'const again = () => Promise.resolve().then(again); await again()'],
    ['a loop behind a promise that nobody awaits', 'Promise.resolve().then(() => { while (true); }); await new Promise(() => {})'],
    ['a regular expression', 'return /^(a+)+$/.test("a".repeat(50) + "b")'],
    ['a loop in a getter of the output', 'return { get x() { while (true); } }'],
    ['a loop in a getter of the error', 'throw { get message() { while (true); }, toString() { while (true); } }'],
    ['a loop in toJSON of what is printed', 'console.log({ toJSON() { while (true); } })'],
    ['sorting that never agrees', 'return Array.from({ length: 1e5 }, (_, i) => i).sort(() => { while (true); })'],
    ['a proxy', 'return new Proxy({}, { ownKeys() { while (true); } })'],
    ['built-ins that work for long', 'const long = "x".repeat(2e7); for (;;) long.indexOf("y")'],
    ['big numbers', 'let n = 3n; for (;;) n = (n * n) % (2n ** 20000n)'],
  ])('in time: %s', async (_, source) => {
    const error = await failure(impatient.run({ source, input: {} }))
    expect(error).toMatchObject({ code: 'timed_out', message: 'the code ran for more than 200 ms' })
  })

  test('in time by the wall clock', async () => {
    const work = sandbox.run({ source: 'while (true);', input: {}, timeoutMs: 150 })
    expect(await failure(work)).toMatchObject({ code: 'timed_out', message: 'the code gave no output within 150 ms' })
  })

  test.each([
    ['arrays', 'const a = []; for (;;) a.push(new Array(1000).fill(1))'],
    ['objects that stay', 'globalThis.a = []; for (;;) a.push({})'],
    ['strings', 'const a = []; for (;;) a.push("x".repeat(1e6) + a.length)'],
    ['doubling', 'let a = [1]; for (;;) a = a.concat(a)'],
    ['one large buffer', 'return new Uint8Array(100 * 2 ** 20).length'],
    ['keys', 'const o = {}; for (let i = 0; ; i++) o["key" + i] = i'],
    ['promises', 'let p = Promise.resolve(); for (;;) p = p.then(() => 1)'],
    ['closures', 'let f = () => 0; for (;;) { const g = f; f = () => g; globalThis.keep = f }'],
  ])('in memory: %s', async (_, source) => {
    expect((await fails(source)).code).toBe('out_of_memory')
  })

  test('in memory: the process stays small', async () => {
    const work = failure(patient.run({ source: 'globalThis.a = []; try { for (;;) a.push(new Array(1000).fill(1)) } catch {} for (;;);', input: {} }))
    let most = 0
    const { readFileSync } = await import('node:fs')
    const watch = setInterval(() => {
      for (const pid of childrenOf(process.pid)) {
        try {
          most = Math.max(most, Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0))
        } catch {}
      }
    }, 50)
    expect((await work).code).toBe('timed_out')
    clearInterval(watch)
    expect(most).toBeGreaterThan(60_000)
    expect(most).toBeLessThan(220_000)
  })

  test.each([
    ['a function', 'function f() { f() } f()'],
    ['a string that doubles', 'let s = "x"; for (;;) s += s'],
    ['nesting', 'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a'],
    ['parsing', 'return JSON.parse("[".repeat(1e6))'],
    ['a getter', 'const o = { get x() { return this.x } }; return o.x'],
    ['toString', 'const o = { toString() { return "" + o } }; return "" + o'],
    ['a generator', 'function* g() { yield* g() } return [...g()]'],
    ['a regular expression', 'return new RegExp("(".repeat(1e5) + ")".repeat(1e5)).test("x")'],
    ['source', 'return eval("(".repeat(1e5))'],
    ['a proxy of a proxy', 'let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x'],
    ['a bound function', 'let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); return f()'],
    ['reviving', 'return JSON.parse("[[1]]", function f(k, v) { return JSON.parse("[[1]]", f) })'],
  ])('in depth: %s', async (_, source) => {
    expect(['code_failed', 'out_of_memory']).toContain((await fails(source)).code)
  })

  test('in output', async () => {
    expect((await fails('return "x".repeat(3 * 1024 * 1024)')).code).toBe('output_too_large')
    expect((await fails('return "é".repeat(1.5 * 1024 * 1024)')).code).toBe('output_too_large')
    expect((await fails('return Array.from({ length: 1e6 }, () => "xx")')).code).toBe('output_too_large')
    expect(((await output('return "x".repeat(2 * 1024 * 1024 - 2)')) as string).length).toBe(2 * 1024 * 1024 - 2)
  })

  test('in what it prints', async () => {
    const { logs } = await sandbox.run({
      source: 'console.log("\\u0001".repeat(1e6)); console.log(...Array(1e4).fill("many")); for (let i = 0; i < 1e4; i++) console.log(i, {}, [], "é💧"); return 1',
      input: {},
    })
    expect(logs.length).toBe(101)
    expect(Math.max(...logs.map((line) => line.length))).toBe(2000)
    expect(logs.at(-1)).toBe('(further lines are not kept)')
  })

  test('in error text', async () => {
    expect((await fails('throw new Error("x".repeat(1e7))')).message.length).toBeLessThan(3000)
    expect((await fails('const e = new Error("x"); e.name = "n".repeat(1e7); e.stack = "s".repeat(1e7); throw e')).message.length).toBeLessThan(5000)
  })

  test.each([
    ['itself', 'const a = {}; a.a = a; return a', 'it contains itself'],
    ['a function', 'return () => 1', 'a function'],
    ['a function inside', 'return { a: { f() {} } }', 'a function at f'],
    ['a symbol', 'return [Symbol("x")]', 'a symbol at 0'],
    ['NaN', 'return { rate: 0 / 0 }', 'NaN at rate'],
    ['infinity', 'return [1 / 0]', 'Infinity at 0'],
    ['a BigInt', 'return { big: 1n }', 'a bigint at big'],
  ])('to JSON: it may not return %s', async (_, source, why) => {
    expect(await fails(source)).toMatchObject({ code: 'output_not_json', message: `the output is not JSON: ${why}` })
  })

  test('to JSON: undefined and dates are as JSON has them', async () => {
    expect(await output('return { a: undefined, b: [undefined], c: new Date(0) }')).toEqual({ b: [null], c: '1970-01-01T00:00:00.000Z' })
  })

  test('a promise that never settles ends at once', async () => {
    const started = performance.now()
    expect(await fails('await new Promise(() => {})')).toMatchObject({ code: 'code_failed', message: 'the code awaits something that never happens' })
    expect(performance.now() - started).toBeLessThan(4000)
  })

  test('the server stays responsive while code burns', async () => {
    const burning = [1, 2].map(() => failure(impatient.run({ source: 'const a = []; for (;;) { a.push(1); if (a.length > 1e6) a.length = 0 }', input: {} })))
    let ticks = 0
    const clock = setInterval(() => ticks++, 10)
    await Promise.all(burning)
    clearInterval(clock)
    expect(ticks).toBeGreaterThan(5)
  })
})

describe('stopping', () => {
  test('a signal kills the code, and its reason is the error', async () => {
    const stop = new AbortController()
    const work = failure(sandbox.run({ source: 'while (true);', input: {}, signal: stop.signal }))
    await sleep(300)
    const started = performance.now()
    stop.abort(new Error('the run was cancelled'))
    expect(await work).toMatchObject({ message: 'the run was cancelled' })
    expect(performance.now() - started).toBeLessThan(3000)
  })

  test('a signal also ends waiting for a turn, and the others keep theirs', async () => {
    const one = createSandbox({ concurrency: 1, warm: 0 })
    const stop = new AbortController()
    const first = one.run({ source: 'let n = 0; for (let i = 0; i < 3e6; i++) n += i; return 1', input: {} })
    const second = failure(one.run({ source: 'return 2', input: {}, signal: stop.signal }))
    const third = one.run({ source: 'return 3', input: {} })
    stop.abort(new Error('no longer'))
    expect(await second).toMatchObject({ message: 'no longer' })
    expect([(await first).output, (await third).output]).toEqual([1, 3])
    await one.close()
  })
})

describe('X3, X4: a child runs code once and is reaped', () => {
  const own = createSandbox({ warm: 1, idleMs: 500, concurrency: 4 })
  afterAll(() => own.close())

  test('nothing of one execution is there in the next', async () => {
    await own.run({ source: 'globalThis.left = 1; Object.prototype.left = 1; return 1', input: {} })
    expect((await own.run({ source: 'return [typeof left, typeof ({}).left]', input: {} })).output).toEqual(['undefined', 'undefined'])
  })

  test('after executions only the warm one lives, and not for ever', async () => {
    const before = new Set(childrenOf(process.pid))
    const mine = () => childrenOf(process.pid).filter((pid) => !before.has(pid))
    await own.run({ source: 'return 1', input: {} })
    await Promise.all([1, 2, 3].map(() => own.run({ source: 'return 1', input: {} })))
    await until(() => mine().length <= 1)
    await until(() => mine().length === 0)
    expect((await own.run({ source: 'return 2', input: {} })).output).toBe(2)
  })

  test('a child that is killed from outside is an outage, and the next execution works', async () => {
    const one = createSandbox({ warm: 0 })
    const before = new Set(childrenOf(process.pid))
    const work = failure(one.run({ source: 'while (true);', input: {} }))
    await until(() => childrenOf(process.pid).some((pid) => !before.has(pid)))
    for (const pid of childrenOf(process.pid)) if (!before.has(pid)) process.kill(pid, 'SIGKILL')
    expect(await work).toMatchObject({ code: 'unavailable', message: 'the process for the code ended early (SIGKILL)' })
    expect((await one.run({ source: 'return 2', input: {} })).output).toBe(2)
    await one.close()
  })

  test('close ends what runs, and refuses what comes', async () => {
    const one = createSandbox({ warm: 1 })
    const before = new Set(childrenOf(process.pid))
    const work = failure(one.run({ source: 'while (true);', input: {} }))
    await sleep(100)
    await one.close()
    expect((await work).code).toBe('unavailable')
    expect((await failure(one.run({ source: 'return 1', input: {} }))).code).toBe('unavailable')
    await until(() => childrenOf(process.pid).every((pid) => before.has(pid)))
  })

  test('when the server is killed its children end: the idle one at once, the busy one when its time is up', async () => {
    const program = `import { createSandbox } from ${JSON.stringify(fileURLToPath(new URL('../../src/sandbox/sandbox.ts', import.meta.url)))}
      createSandbox({ cpuMs: 1500, warm: 1 }).run({ source: 'while (true);', input: {} }).catch(() => {})`
    const server = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' })
    await until(() => childrenOf(server.pid!).length === 2)
    const children = childrenOf(server.pid!)
    server.kill('SIGKILL')
    await until(() => children.every((pid) => !isAlive(pid)))
  })
})

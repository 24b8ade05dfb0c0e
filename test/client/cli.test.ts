import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type Sluice } from '@sluice/client'
import type { RunEvent } from '@sluice/schema'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { approval, flow } from '../support/flow.ts'
import { here } from '../support/processes.ts'
import { admin, type TestServer, testServer } from '../support/server.ts'

// Processes start slowly where much else runs.
vi.setConfig({ testTimeout: 120_000 })

let server: TestServer
let sluice: Sluice
let key: string
let folder: string
beforeAll(async () => {
  server = await testServer()
  key = (await createClient({ url: server.url, token: server.token }).keys.create({ name: 'cli' })).secret
  sluice = createClient({ url: server.url, apiKey: key })
  const ask = approval({ config: { message: 'Ship\u001b[2J it?', form: { type: 'object', required: ['limit'], properties: { limit: { type: 'number' } } } } })
  await sluice.workflows.create({ name: 'Ship it', handle: 'ship', definition: flow({ in: 'input', ask, out: 'output' }, ['in > ask > out']) })
  await sluice.workflows.create({ name: 'Echo', handle: 'echo', definition: flow({ in: 'input', out: 'output' }, ['in > out']) })
  await sluice.workflows.create({
    name: 'Fail',
    handle: 'fail',
    definition: flow({ in: { type: 'input', config: { schema: { type: 'object' } } }, bad: { type: 'code', config: { source: 'throw new Error("no luck")' } } }, ['in > bad']),
  })
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'))
  return () => rm(folder, { recursive: true, force: true })
})
afterAll(() => server[Symbol.asyncDispose]())

const bin = here('../../packages/client/src/cli/main.ts')

interface Said {
  code: number | null
  stdout: string
  stderr: string
}
interface Command {
  /** Waits until it has written that. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  type(text: string): void
  interrupt(): void
  ended: Promise<Said>
}

const keyed = (): Record<string, string> => ({ SLUICE_URL: server.url, SLUICE_KEY: key })

/** The command as a process of its own: nothing of this environment reaches it but what is given. In a terminal where one is asked for. */
function begin(
  args: readonly string[],
  { env = keyed(), input, terminal }: { env?: Record<string, string>; input?: string; terminal?: { columns: number; rows: number } } = {},
): Command {
  const quoted = [process.execPath, bin, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const whole = { PATH: process.env['PATH']!, HOME: folder, TERM: 'xterm-256color', ...env }
  const child = terminal
    ? spawn('script', ['-qfec', `stty cols ${terminal.columns} rows ${terminal.rows}; exec ${quoted}`, '/dev/null'], { env: whole, cwd: folder, stdio: 'pipe' })
    : spawn(process.execPath, [bin, ...args], { env: whole, cwd: folder, stdio: 'pipe' })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
  if (input !== undefined) child.stdin.end(input)
  else if (!terminal) child.stdin.end()
  const ended = new Promise<Said>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`it did not end; it wrote:\n${stdout}${stderr}`))
    }, 60_000)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ code, stdout, stderr })
    })
  })
  ended.catch(() => {})
  return {
    async says(pattern) {
      const until = performance.now() + 45_000
      for (;;) {
        const match = pattern.exec(stdout)
        if (match) return match
        if (performance.now() > until) throw new Error(`${pattern} did not come; it wrote:\n${stdout}${stderr}`)
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
    },
    type: (text) => void child.stdin.write(text),
    interrupt: () => void (terminal ? child.stdin.write('\u0003') : child.kill('SIGINT')),
    ended,
  }
}
const run = (args: readonly string[], options?: Parameters<typeof begin>[1]): Promise<Said> => begin(args, options).ended

/** An address at which nobody listens, for now. */
async function closedPort(): Promise<string> {
  const listening = createServer().listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  listening.close()
  return `http://127.0.0.1:${port}`
}

describe('who asks', () => {
  const account = (): string => join(folder, '.config', 'sluice', 'account.json')
  const login = (password: string): Promise<Said> => run(['login', '--url', server.url, '--email', admin.email], { env: {}, input: `${password}\n` })

  test('a login by password keeps a key that only its person reads, and a logout revokes it', async () => {
    const before = (await sluice.keys.list()).items.filter(({ revokedAt }) => revokedAt === null).length
    expect(await login(admin.password)).toMatchObject({ code: 0, stdout: expect.stringContaining(`Logged in at ${server.url} as ${admin.email}`) as string })
    expect([(await stat(account())).mode & 0o777, (await stat(join(account(), '..'))).mode & 0o777]).toEqual([0o600, 0o700])
    const kept = await readFile(account(), 'utf8')
    expect(kept).not.toContain(admin.password)
    expect(await run(['workflows', 'list'], { env: {} })).toMatchObject({ code: 0, stdout: expect.stringMatching(/^HANDLE +VERSION[^]*\nship /) as string })
    // Logged in with the very key that is kept, it stays, and stays this machine's.
    const { key } = JSON.parse(kept) as { key: string }
    expect(await run(['login', '--url', server.url, '--key', '-'], { env: {}, input: `${key}\n` })).toMatchObject({ code: 0 })
    expect(await readFile(account(), 'utf8')).toBe(kept)
    expect(await run(['workflows', 'list'], { env: {} })).toMatchObject({ code: 0 })
    // Logged in again, the key of before is nobody's.
    await login(admin.password)
    expect(await readFile(account(), 'utf8')).not.toBe(kept)
    expect((await sluice.keys.list()).items.filter(({ revokedAt }) => revokedAt === null)).toHaveLength(before + 1)
    expect((await run(['logout'], { env: {} })).stdout).toBe(`Logged out of ${server.url}\n`)
    expect((await sluice.keys.list()).items.filter(({ revokedAt }) => revokedAt === null)).toHaveLength(before)
    expect(existsSync(account())).toBe(false)
    expect(await run(['workflows', 'list'], { env: {} })).toMatchObject({ code: 1, stderr: 'Not logged in. Run sluice login, or set SLUICE_URL and SLUICE_KEY\n' })
  })

  test('a wrong password, a wrong key and no server are told apart, in one line', async () => {
    expect(await login('wrong')).toEqual({ code: 1, stdout: '', stderr: `${server.url} knows no user ${admin.email} with this password\n` })
    expect(await run(['login', '--url', server.url, '--key', 'sk_wrong'], { env: {} })).toMatchObject({ code: 1, stderr: `${server.url} does not know this key\n` })
    expect(await run(['workflows', 'list'], { env: { SLUICE_URL: server.url, SLUICE_KEY: 'sk_wrong' } })).toMatchObject({
      code: 1,
      stderr: `${server.url} does not accept the credential. Log in again: sluice login\n`,
    })
    const closed = await closedPort()
    const nobody = await run(['workflows', 'list'], { env: { SLUICE_URL: closed, SLUICE_KEY: 'x' } })
    expect(nobody).toMatchObject({ code: 1, stderr: `No server answers at ${closed}. Is it running there? Another address: SLUICE_URL, or sluice login --url ADDRESS\n` })
    expect(existsSync(account())).toBe(false)
  })

  test('a login that cannot be kept says so, and leaves no key behind', async () => {
    const before = (await sluice.keys.list()).items.filter(({ revokedAt }) => revokedAt === null).length
    await writeFile(join(folder, '.config'), 'no folder')
    expect(await login(admin.password)).toEqual({ code: 1, stdout: '', stderr: expect.stringContaining(`The login cannot be kept in ${account()}: `) as string })
    expect((await sluice.keys.list()).items.filter(({ revokedAt }) => revokedAt === null)).toHaveLength(before)
  })

  test('a key that was kept goes to no other server', async () => {
    expect(await run(['login', '--url', server.url, '--key', key], { env: {} })).toMatchObject({ code: 0, stderr: expect.stringContaining('--key - reads') as string })
    expect(await run(['login', '--url', server.url, '--key', '-'], { env: {}, input: `${key}\n` })).toMatchObject({ code: 0, stderr: '' })
    expect(await run(['workflows', 'list'], { env: {} })).toMatchObject({ code: 0 })
    const elsewhere = await run(['workflows', 'list'], { env: { SLUICE_URL: 'http://127.0.0.1:17878' } })
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringContaining(`Not logged in at http://127.0.0.1:17878, but at ${server.url}`) as string })
  })
})

describe('runs', () => {
  test('are started with JSON, with fields, from a file and from what is piped in', async () => {
    const outputOf = async (args: string[], input?: string): Promise<unknown> =>
      JSON.parse((await run(['run', 'start', 'echo', '--wait', ...args], { ...(input !== undefined && { input }) })).stdout)
    expect(await outputOf(['--input', '{"a":[1]}'])).toEqual({ a: [1] })
    expect(await outputOf(['--customer', 'c_42', '--amount', '-12.5', '--urgent=true', '--note=a=b'])).toEqual({ customer: 'c_42', amount: -12.5, urgent: true, note: 'a=b' })
    await writeFile(join(folder, 'in.json'), '{"from":"file"}')
    expect(await outputOf(['--input-file', 'in.json'])).toEqual({ from: 'file' })
    expect(await outputOf(['-'], '{"from":"pipe"}')).toEqual({ from: 'pipe' })
  })

  test('are one run for one idempotency key', async () => {
    const start = async (): Promise<string> => (await run(['run', 'start', 'echo', '--idempotency-key', 'cli-1', '--a', '1'])).stdout
    const id = await start()
    expect(id).toMatch(/^[a-z0-9]{15}\n$/)
    expect(await start()).toBe(id)
  })

  test('that are asked for wrongly are refused in one line, before anything is started', async () => {
    const said = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await run(['run', 'start', ...args])
      expect([code, stdout]).toEqual([1, ''])
      return stderr
    }
    expect(await said('echo', '--input', '{a')).toMatch(/^--input is no JSON: [^\n]+\n$/)
    expect(await said('echo', '--wacth')).toBe('--wacth needs a value, or is no option: see --help\n')
    expect(await said('echo', '--input', '1', '--a', '1')).toBe('Give the input once: --input, --input-file, - or its fields\n')
    expect(await said('no-such', '--a', '1')).toMatch(/^[^\n]*no-such|^[^\n]+\n$/)
    expect(await said('fail', '--input', '"text"')).toMatch(/object/)
  })

  test('end with 1 when they fail, and say why', async () => {
    expect(await run(['run', 'start', 'fail', '--input', '{}', '--wait'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^Run \w+ ended failed: .*no luck.*\n$/) as string,
    })
    const watched = await run(['run', 'start', 'fail', '--input', '{}', '--watch'])
    expect(watched.code).toBe(1)
    expect(watched.stdout).toMatch(/ step\.failed bad .*no luck\n(?:.*\n)*.* run\.failed .*\n$/)
  })

  test('are watched to the end while another process decides, an event a line, as text and as JSON', async () => {
    const started = begin(['run', 'start', 'ship', '--watch', '--customer', 'Ana'])
    const [, pause] = await started.says(/ pause\.opened ask (\w{15}): Ship\[2J it\?\n/)
    const listed = await run(['pauses', 'list'])
    expect(listed.stdout).toMatch(new RegExp(`^PAUSE +RUN +STATUS +STEP +MESSAGE\\n[^]*${pause} +\\w{15} +open +ask +Ship\\[2J it\\?\\n`))
    const [{ runId }] = [await sluice.pauses.get({ id: pause! })] as const
    const other = begin(['run', 'watch', runId, '--json'])
    await other.says(/"pause\.opened"/)
    expect(await run(['pauses', 'decide', pause!, 'approve'])).toMatchObject({ code: 1, stderr: expect.stringMatching(/limit/) as string })
    expect(await run(['pauses', 'decide', pause!, 'aprove'])).toMatchObject({ code: 1, stderr: 'aprove is no decision: approve, decline or override\n' })
    expect(await run(['pauses', 'decide', pause!, 'approve', '--inputs', '{"limit":5}', '--comments', 'fine'])).toMatchObject({
      code: 0,
      stdout: `ask of run ${runId} is approved\n`,
    })
    const lines = await started.ended
    expect(lines).toMatchObject({ code: 0, stderr: '' })
    expect(lines.stdout).toMatch(/ pause\.decided ask \w+: approved \(fine\)\n(?:.*\n)*.* run\.completed \{"customer":"Ana","limit":5\}\n$/)
    const { code, stdout } = await other.ended
    expect(code).toBe(0)
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent)
    expect(events).toEqual(await server.events(runId))
    expect(lines.stdout.trimEnd().split('\n')).toHaveLength(events.length)
    expect(await run(['pauses', 'decide', pause!, 'decline'])).toMatchObject({ code: 1, stderr: expect.stringMatching(/^[^\n]+\n$/) as string })
  })

  test('go on when the watch is left by Ctrl-C, which says so', async () => {
    const { id } = await sluice.workflow('ship').start({})
    const watching = begin(['run', 'watch', id])
    await watching.says(/pause\.opened/)
    watching.interrupt()
    expect(await watching.ended).toMatchObject({ code: 130, stderr: `The run goes on. To watch it again: sluice run watch ${id}\n` })
    const before = (await sluice.runs.list({ workflow: 'ship' })).items.length
    const waiting = begin(['run', 'start', 'ship', '--wait', '--idempotency-key', 'left', '--a', '1'])
    const runs = async (): Promise<number> => (await sluice.runs.list({ workflow: 'ship' })).items.length
    while ((await runs()) <= before) await new Promise((resolve) => setTimeout(resolve, 50))
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    waiting.interrupt()
    expect(await waiting.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('The run goes on') as string })
    expect((await sluice.run(id)).status).toBe('waiting')
  })
})

// util-linux is part of every Debian; where it is not, the tests of the picture alone have to do.
const hasScript = ((): boolean => {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux')
  } catch {
    return false
  }
})()

describe.runIf(hasScript)('in a terminal', () => {
  const terminal = { columns: 70, rows: 20 }
  // oxlint-disable-next-line no-control-regex -- what a terminal is told is made of them
  const unstyled = (text: string): string => text.replaceAll(/\u001b\[[\d;?]*[A-Za-z]/g, '').replaceAll('\r', '')

  test('a run is a picture that moves, with the command that decides its pause, and stays when it is over', async () => {
    const watching = begin(['run', 'start', 'ship', '--customer', 'Ana', '--watch'], { terminal })
    const [, pause] = await watching.says(/sluice pauses decide (\w{15}) approve --inputs '\{"limit": …\}'/)
    await watching.says(/waits for a person/)
    expect(await run(['pauses', 'decide', pause!, 'approve', '--inputs', '{"limit":5}'])).toMatchObject({ code: 0 })
    const { code, stdout } = await watching.ended
    expect(code).toBe(0)
    // Coloured, the cursor hidden and shown again, and nothing of a message reached the terminal as a command.
    expect(stdout).toContain('\u001b[33m')
    expect(stdout.indexOf('\u001b[?25l')).toBeGreaterThanOrEqual(0)
    expect(stdout.lastIndexOf('\u001b[?25h')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?25l'))
    expect(stdout).not.toContain('\u001b[2J')
    const last = unstyled(stdout.slice(stdout.lastIndexOf('Ship it ·')))
    expect(last).toMatch(/^Ship it · \w{15} completed · .*\n\n {2}✔ in .*\n {2}✔ ask .*\n {2}✔ out .*\n\n?Output: \{\n {2}"customer": "Ana",\n {2}"limit": 5\n\}\n/)
  })

  test('NO_COLOR is heard, Ctrl-C leaves with a word, and a dumb terminal gets lines', async () => {
    const { id } = await sluice.workflow('ship').start({})
    const watching = begin(['run', 'watch', id], { terminal, env: { ...keyed(), NO_COLOR: '1' } })
    await watching.says(/Ctrl-C leaves/)
    watching.interrupt()
    const { code, stdout } = await watching.ended
    expect(code).toBe(130)
    expect(stdout).toContain(`The run goes on. To watch it again: sluice run watch ${id}`)
    expect(stdout.split('\u001b[').filter((rest) => /^\d+m/.test(rest))).toEqual([])
    const dumb = begin(['run', 'watch', id], { terminal, env: { ...keyed(), TERM: 'dumb' } })
    await dumb.says(/pause\.opened ask/)
    dumb.interrupt()
    expect((await dumb.ended).code).toBe(130)
  })

  test('a password is asked for and not shown', async () => {
    const login = begin(['login', '--url', server.url], { terminal, env: {} })
    await login.says(/Email: /)
    login.type(`${admin.email}\r`)
    await login.says(/Password: /)
    login.type(`${admin.password}\r`)
    const { code, stdout } = await login.ended
    expect([code, stdout]).toEqual([0, expect.stringContaining('Logged in at')])
    expect(stdout).not.toContain(admin.password)
  })
})

test('output that cannot be written is a failure; output that nobody reads any more is none', async () => {
  const list = async (into: string): Promise<unknown> => {
    const shell = spawn('bash', ['-c', `set -o pipefail; '${process.execPath}' '${bin}' workflows list --json ${into}`], {
      env: { PATH: process.env['PATH']!, HOME: folder, ...keyed() },
      stdio: 'ignore',
    })
    return (await once(shell, 'close'))[0]
  }
  expect(await list('> /dev/full')).toBe(1)
  expect(await list('| true')).toBe(0)
})

describe('workflows', () => {
  test('are written as files, and made of them again; what is somebody else’s file stays as it is', async () => {
    const made = await sluice.workflows.publish({ workflow: 'ship' })
    const { handle } = await sluice.workflows.create({ name: 'Never published', definition: flow({ in: 'input' }, []) })
    expect(await run(['workflows', 'export', 'ship', handle, '--out', 'kept'])).toEqual({ code: 0, stdout: 'kept/ship.json\nkept/never-published.json\n', stderr: '' })
    const text = await readFile(join(folder, 'kept/ship.json'), 'utf8')
    expect(JSON.parse(text)).toEqual(await sluice.workflows.export({ workflow: 'ship' }))
    expect((await run(['workflows', 'export', 'ship', '--out', '-'])).stdout).toBe(text)
    expect(await run(['workflows', 'import', 'kept/ship.json', 'kept/never-published.json'])).toEqual({
      code: 0,
      stdout: 'kept/ship.json: ship-2, version 1\nkept/never-published.json: never-published-2\n',
      stderr: '',
    })
    expect(await sluice.workflows.version({ workflow: 'ship-2', version: 1 })).toMatchObject({ hash: made.hash })
    expect(JSON.parse((await run(['workflows', 'import', '-', '--json'], { input: text })).stdout)).toMatchObject({ handle: 'ship-3' })
    // All of them; over what was written before, and over nothing else.
    await writeFile(join(folder, 'fail.json'), '{}')
    expect(await run(['workflows', 'export'])).toMatchObject({ code: 1, stderr: 'fail.json is no file of a workflow, and stays as it is. Write somewhere else with --out\n' })
    expect(await readFile(join(folder, 'fail.json'), 'utf8')).toBe('{}')
    expect((await run(['workflows', 'export', '--out', 'kept', '--versions', '0'])).stdout).toContain('kept/fail.json\n')
    expect(JSON.parse(await readFile(join(folder, 'kept/ship.json'), 'utf8'))).toMatchObject({ versions: [] })
  })

  test('a file that cannot be one says where', async () => {
    const importing = async (file: object) => {
      await writeFile(join(folder, 'in.json'), JSON.stringify(file))
      const { code, stderr } = await run(['workflows', 'import', 'in.json'])
      expect(code).toBe(1)
      return stderr
    }
    const file = await sluice.workflows.export({ workflow: 'echo' })
    expect(await importing({ ...file, format: 'sluice.workflow/2' })).toMatch(/^in\.json is no file of a workflow \(sluice\.workflow\/1\): format: /)
    expect(await importing({ ...file, versions: [{ number: 1, hash: '0'.repeat(64), name: 'Echo', description: '', definition: file.draft }] })).toMatch(
      /versions\.0\.hash: The definition has the hash /,
    )
    expect(await run(['workflows', 'export', 'nowhere'])).toMatchObject({ code: 1, stderr: 'There is no workflow nowhere\n' })
    expect(await run(['workflows', 'export', '--out', '-'])).toMatchObject({ code: 1, stderr: expect.stringContaining('Name one workflow') as string })
    expect(await run(['workflows', 'export', '--versions', 'all'])).toMatchObject({ code: 1, stderr: '--versions all is no number from 0 to 100\n' })
  })
})

test('help names the commands, the exit codes and what the environment says', async () => {
  const { code, stdout } = await run(['--help'], { env: {} })
  expect(code).toBe(0)
  for (const word of ['login', 'logout', 'pull', 'run', 'pauses', 'workflows', 'Exit codes: 0', 'SLUICE_URL', 'NO_COLOR']) expect(stdout).toContain(word)
  expect(await run(['run', 'strat'], { env: {} })).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean start?') as string })
  expect((await run([], { env: {} })).code).toBe(1)
})

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deriveKeys } from '../../packages/server/src/access/keyring.ts'
import { createTokens } from '../../packages/server/src/access/tokens.ts'
import { launchBrowser, openPage, type WatchedPage } from '../support/browser.ts'
import { deadline } from '../support/deadline.ts'
import { approval, flow } from '../support/flow.ts'
import { here } from '../support/processes.ts'
import { admin, secret, type TestServer, testServer } from '../support/server.ts'

/**
 * The SDK in a browser, on a page of another origin than the server's: what a page may not do (other headers than the server
 * allows, answers it may not read, Node's modules) fails here and nowhere else.
 */

let server: TestServer
let browser: Browser
let pages: PageServer
let key: string

beforeAll(async () => {
  pages = await pageServer()
  ;[browser, server] = await Promise.all([launchBrowser(), testServer({ SLUICE_CORS_ORIGINS: pages.origin })])
  key = (await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'page' })).secret
})
afterAll(async () => {
  await browser?.close()
  await server?.[Symbol.asyncDispose]()
  await pages?.close()
})

describe('the programs of the README, on a page', () => {
  test('draw a workflow, start it, get its events as they happen, approve and print the result', async () => {
    await using opened = await openPage(browser)
    await opened.page.goto(pages.show(await bundled(await programOf('draw.ts'))))
    await says(opened, ['drawn: invoice'])
    await opened.page.goto(pages.show(await bundled(await programOf('run.ts'))))
    const types = ['run.queued', 'pause.opened', 'pause.decided', 'run.completed']
    await says(opened, [expect.objectContaining({ amount: 1250 })])
    const told = opened.said.flatMap(([seq, type]) => (typeof seq === 'number' ? [{ seq, type }] : []))
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => index + 1))
    expect(told.map(({ type }) => type)).toEqual(expect.arrayContaining(types))
    expect(opened.errors).toEqual([])
    const [run] = (await server.call<{ items: { id: string }[] }>('GET', '/v1/runs?workflow=invoice')).items
    expect(told).toEqual((await server.events(run!)).map(({ seq, type }) => ({ seq, type })))
    // It was another origin: the browser asked first.
    expect(new URL(opened.page.url()).origin).not.toBe(server.url)
    expect(opened.requests.map((request) => new URL(request.url()).origin)).toEqual(expect.arrayContaining([server.url, pages.origin]))
  })

  test('need nothing of Node, and little of the wire', async () => {
    const { code, inputs } = await bundled(await programOf('run.ts'))
    expect(inputs.filter((name) => /\bnode:|client\/src\/cli\/|\/zod\//.test(name))).toEqual([])
    expect(code).not.toMatch(/\bprocess\.|\bBuffer\b|\brequire\(/)
    expect(gzipSync(code).length).toBeLessThan(16 * 1024)
  })
})

const imports = "import { createClient, NetworkError } from '@sluice/client'\n"

test('a page that was loaded again in the middle of a run goes on where it was, and misses nothing', async () => {
  const { id } = await server.workflow(asked, 'Reloaded')
  const program = await bundled(`${imports}
    const sluice = createClient({ url: '${server.url}', apiKey: '${key}' })
    const known = JSON.parse(sessionStorage.getItem('known') ?? '[]')
    const runId = sessionStorage.getItem('run')
    const run = runId ? await sluice.run(runId) : await sluice.workflow('${id}').start({ a: 1 })
    sessionStorage.setItem('run', run.id)
    for await (const event of run.events({ after: known.at(-1)?.cursor })) {
      known.push(event)
      sessionStorage.setItem('known', JSON.stringify(known))
    }
    document.title = JSON.stringify(await run.result())
  `)
  await using opened = await openPage(browser)
  await opened.page.goto(pages.show(program))
  await opened.page.waitForFunction("sessionStorage.getItem('known')?.includes('run.waiting')")
  await opened.page.reload()
  const runId = (await stored(opened.page, 'run')) as string
  await server.decide((await server.pauses(runId))[0]!, 'approve')
  await opened.page.waitForFunction("document.title.startsWith('{')")
  expect(JSON.parse(await opened.page.title())).toEqual({ a: 1 })
  expect(JSON.parse((await stored(opened.page, 'known')) as string)).toEqual(await server.events(runId))
  expect(opened.errors).toEqual([])
})

test('the token of a login is renewed in the middle of a stream, which goes on', async () => {
  const { id } = await server.workflow(asked, 'Renewed')
  const tokens = await almostExpired()
  const program = await bundled(`${imports}
    const sluice = createClient({ url: '${server.url}', token: ${JSON.stringify(tokens)}, onTokens: (pair) => console.log('renewed', pair.token !== '${tokens.token}') })
    const run = await sluice.workflow('${id}').start({})
    console.log('run', run.id)
    for await (const event of run.events()) console.log('event', event.seq)
    console.log('ended', await run.result())
  `)
  await using opened = await openPage(browser)
  await opened.page.goto(pages.show(program))
  await says(opened, ['renewed', true])
  const runId = opened.said.find(([word]) => word === 'run')![1] as string
  await server.wait(runId, 'parked')
  await server.decide((await server.pauses(runId))[0]!, 'approve')
  await says(opened, ['ended', {}])
  expect(opened.said.flatMap(([word, seq]) => (word === 'event' ? [seq] : []))).toEqual((await server.events(runId)).map(({ seq }) => seq))
  expect(opened.requests.filter((request) => request.url().includes('auth.refresh') && request.method() === 'POST')).toHaveLength(1)
})

test('an aborted signal, and a loop that is left, close the connection', async () => {
  const { id } = await server.workflow(asked, 'Left')
  const program = await bundled(`${imports}
    const sluice = createClient({ url: '${server.url}', apiKey: '${key}' })
    const run = await sluice.workflow('${id}').start({})
    for await (const { type } of run.events()) if (type === 'run.waiting') break
    console.log('left')
    const controller = new AbortController()
    try {
      for await (const { type } of run.events({ signal: controller.signal })) if (type === 'run.waiting') controller.abort(new Error('enough'))
    } catch (error) {
      console.log('aborted', error.message)
    }
  `)
  await using opened = await openPage(browser)
  const closed: string[] = []
  opened.page.on('requestfailed', (request) => request.url().includes('events.subscribe') && closed.push(request.failure()!.errorText))
  await opened.page.goto(pages.show(program))
  await says(opened, ['left'])
  await says(opened, ['aborted', 'enough'])
  await until('both connections to close', () => closed.length === 2)
  expect(closed).toEqual(['net::ERR_ABORTED', 'net::ERR_ABORTED'])
})

test('a page of an origin that the server does not know gets no answer', async () => {
  const program = await bundled(`${imports}
    const sluice = createClient({ url: '${server.url}', apiKey: '${key}', retries: 0 })
    await sluice.runs.list().catch((error) => console.log('refused', error instanceof NetworkError, error.code))
  `)
  await using opened = await openPage(browser)
  await opened.page.goto(pages.show(program).replace('127.0.0.1', 'localhost'))
  await says(opened, ['refused', true, 'network'])
  expect(opened.errors.join('\n')).toContain('CORS policy')
})

const asked = flow({ in: 'input', ask: approval(), out: 'output' }, ['in > ask > out'])

/** A block of the README, as it stands there; its address and its key given as values. */
async function programOf(name: string): Promise<string> {
  const readme = await readFile(here('../../README.md'), 'utf8')
  const block = new RegExp(`^\`\`\`ts ${name.replace('.', '\\.')}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(readme)?.[1]
  if (!block) throw new Error(`The README has no block ${name}`)
  const program = block
    .replaceAll('http://127.0.0.1:7878', server.url)
    .replaceAll('http://127.0.0.1:4000/charge', `${server.toy.url}/ok/charge`)
    .replaceAll('process.env.SLUICE_KEY!', JSON.stringify(key))
  expect(program).toContain(server.url)
  return program
}

interface Bundle {
  code: string
  /** The files that are in it. */
  inputs: string[]
}

/** As somebody's bundler makes it for a page; a module of Node in it is an error. */
async function bundled(program: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: program, loader: 'ts', resolveDir: here('.') },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent',
  })
  return { code: outputFiles[0]!.text, inputs: Object.keys(metafile.inputs) }
}

interface PageServer {
  origin: string
  /** The address of a page that runs the program. */
  show(program: Bundle): string
  close(): Promise<void>
}

async function pageServer(): Promise<PageServer> {
  const programs: string[] = []
  const listener = createServer(({ url }, reply) => {
    const [, kind, index] = /^\/(page|program)\/(\d+)$/.exec(url ?? '') ?? []
    if (kind === 'page') reply.setHeader('content-type', 'text/html').end(`<!doctype html><link rel="icon" href="data:,"><script type="module" src="/program/${index}"></script>`)
    else if (kind === 'program') reply.setHeader('content-type', 'text/javascript').end(programs[Number(index)])
    else reply.writeHead(404).end()
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  return {
    origin,
    show: ({ code }) => `${origin}/page/${programs.push(code) - 1}`,
    close: () => new Promise((resolve) => (listener.close(() => resolve()), listener.closeAllConnections())),
  }
}

/** A login whose token dies in a few seconds, signed as the server does. */
async function almostExpired(): Promise<{ token: string; refreshToken: string }> {
  const { token, refreshToken } = await server.call<{ token: string; refreshToken: string }>('POST', '/v1/auth/login', admin)
  const { tokens: signing } = deriveKeys(secret)
  const { expiresAt, ...claims } = await createTokens(signing, Date.now).verify(token)
  const lifetimeMs = expiresAt - Date.now()
  return { token: await createTokens(signing, () => Date.now() - lifetimeMs + 3_000).sign(claims), refreshToken }
}

const stored = (page: Page, name: string): Promise<unknown> => page.evaluate(`sessionStorage.getItem('${name}')`)

/** The line comes on the console of the page. */
async function says({ said, errors }: Pick<WatchedPage, 'said' | 'errors'>, line: unknown[]): Promise<void> {
  const there = (): boolean => said.some((each) => isLike(each, line))
  await until(JSON.stringify(line), there).catch((error: unknown) => {
    throw new Error(`${String(error)}; the console has ${JSON.stringify([...said, ...errors])}`)
  })
}

function isLike(value: unknown, pattern: unknown): boolean {
  try {
    expect(value).toEqual(pattern)
    return true
  } catch {
    return false
  }
}

const until = (what: string, holds: () => boolean): Promise<void> =>
  deadline(what, (done) => {
    const timer = setInterval(() => holds() && done(), 20)
    return () => clearInterval(timer)
  })

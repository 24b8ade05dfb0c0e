import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage } from '../../support/browser.ts'
import { here } from '../../support/processes.ts'
import { admin, type TestServer, testServer } from '../../support/server.ts'

/** The published SDK on a page that is served from elsewhere: what a browser does not send, or a page may not read, fails here. */

let server: TestServer
let browser: Browser
let bundle: string
const front = createServer((request, reply) => {
  const isPage = request.url === '/'
  reply.setHeader('content-type', isPage ? 'text/html' : 'text/javascript').end(isPage ? '<!doctype html><link rel="icon" href="data:,"><script src="/sdk.js"></script>' : bundle)
})

beforeAll(async () => {
  const built = build({
    stdin: { contents: `import PocketBase from 'pocketbase'\nwindow.PocketBase = PocketBase`, resolveDir: here('../dialects/pocketbase') },
    bundle: true,
    format: 'iife',
    write: false,
    logLevel: 'silent',
  })
  ;[browser, server, bundle] = await Promise.all([
    launchBrowser(),
    testServer(),
    built.then(({ outputFiles }) => outputFiles[0]!.text),
    new Promise<void>((done) => void front.listen(0, '127.0.0.1', done)),
  ])
})
afterAll(async () => {
  await browser?.close()
  await server?.[Symbol.asyncDispose]()
  front.close()
})

/** Runs on the page: each line is awaited, and told with what it gave or how it was refused. */
const program = (lines: readonly string[]): string => `(async () => {
  const pb = window.pb ??= new PocketBase(${JSON.stringify(server.url)})
  const { email, password } = ${JSON.stringify(admin)}
  const sessions = pb.collection('workflow_sessions')
  const told = []
  for (const line of [${lines.map((line) => `() => ${line}`).join(', ')}]) told.push(await line().catch((error) => error.status ?? String(error)))
  return told
})()`

test('a page of another origin logs in, lists sessions, is told of a new one, and keeps its login over a reload without a cookie', { timeout: 60_000 }, async () => {
  await using opened = await openPage(browser)
  const { page } = opened
  const address = `http://127.0.0.1:${(front.address() as AddressInfo).port}/`
  await page.goto(address)
  const run = (lines: string[]) => page.evaluate<unknown[]>(program(lines))
  const list = `sessions.getList(1, 10).then(({ items }) => items.map(({ title }) => title))`

  expect(await run([list, `pb.collection('users').authWithPassword(email, 'wrong horse battery')`])).toEqual([401, 400])
  expect(await run([`pb.collection('users').authWithPassword(email, password).then(({ record }) => record.email)`, list])).toEqual([admin.email, []])
  expect(
    await run([
      `(window.news = new Promise((tell) => { window.subscribed = sessions.subscribe('*', tell) })) && window.subscribed.then(() => 'subscribed')`,
      `sessions.create({ title: 'Of a page', status: 'idle', currentStepId: 'a', steps: [], user: pb.authStore.record.id }).then(({ title }) => title)`,
      `window.news.then(({ action, record }) => [action, record.title])`,
      `sessions.unsubscribe().then(() => 'unsubscribed')`,
    ]),
  ).toEqual(['subscribed', 'Of a page', ['create', 'Of a page'], 'unsubscribed'])

  await page.goto(address)
  expect(await run([`pb.collection('users').authRefresh().then(({ record }) => record.email)`, list])).toEqual([admin.email, ['Of a page']])
  expect(await page.context().cookies(server.url)).toEqual([])
  expect(await run([`(pb.authStore.clear(), Promise.resolve(pb.authStore.isValid))`, list])).toEqual([false, 401])
})

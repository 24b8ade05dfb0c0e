import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage } from '../../support/browser.ts'
import { here } from '../../support/processes.ts'
import { admin, type TestServer, testServer } from '../../support/server.ts'

/** The published SDK on a page that is served from elsewhere: what a page may not send, or a browser does not keep, fails here. */

let server: TestServer
let browser: Browser
let bundle: string
const front = createServer((request, reply) => {
  const isPage = request.url === '/'
  reply.setHeader('content-type', isPage ? 'text/html' : 'text/javascript').end(isPage ? '<!doctype html><link rel="icon" href="data:,"><script src="/sdk.js"></script>' : bundle)
})

beforeAll(async () => {
  const built = build({
    stdin: { contents: `import Medusa from '@medusajs/js-sdk'\nwindow.Medusa = Medusa`, resolveDir: here('../dialects/medusa') },
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
const program = (auth: object, lines: readonly string[]): string => `(async () => {
  const sdk = window.sdk ??= new Medusa({ baseUrl: ${JSON.stringify(server.url)}, auth: ${JSON.stringify(auth)} })
  const credentials = ${JSON.stringify(admin)}
  const me = async () => (await sdk.client.fetch('/admin/users/me')).user.email
  const told = []
  for (const line of [${lines.map((line) => `() => ${line}`).join(', ')}]) told.push(await line().catch((error) => error.status ?? String(error)))
  return told
})()`

test('a page keeps a session in a cookie that it cannot read: login, refresh, logout', { timeout: 60_000 }, async () => {
  await using opened = await openPage(browser)
  const { page } = opened
  await page.goto(`http://127.0.0.1:${(front.address() as AddressInfo).port}/`)
  const run = (lines: string[]) => page.evaluate<unknown[]>(program({ type: 'session' }, lines))

  expect(await run(['me()', `sdk.auth.login('user', 'emailpass', credentials).then((token) => token.split('.').length)`, 'me()'])).toEqual([401, 3, admin.email])
  const kept = async () => (await page.context().cookies(server.url)).filter(({ name }) => name === 'connect.sid')
  const [cookie, ...others] = await kept()
  expect(others).toEqual([])
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', secure: false, path: '/' })
  expect(await page.evaluate('document.cookie')).toBe('')

  expect(await run([`sdk.auth.refresh().then(({ token }) => token.split('.').length)`, 'me()'])).toEqual([3, admin.email])
  const [next] = await kept()
  expect(next!.value).not.toBe(cookie!.value)

  expect(await run([`sdk.auth.logout().then(() => 'gone')`, 'me()'])).toEqual(['gone', 401])
  expect(await kept()).toEqual([])
  // Whoever has seen one of its cookies has nothing.
  for (const value of [cookie!.value, next!.value]) {
    await page.context().addCookies([{ name: 'connect.sid', value, url: server.url }])
    expect(await run(['me()'])).toEqual([401])
  }
})

test('a page that keeps the token itself sends it with every request, and what its SDK sends beside it', { timeout: 60_000 }, async () => {
  await using opened = await openPage(browser)
  const { page } = opened
  await page.goto(`http://127.0.0.1:${(front.address() as AddressInfo).port}/`)
  const run = (lines: string[]) => page.evaluate<unknown[]>(program({ type: 'jwt' }, lines))
  expect(await run([`sdk.auth.login('user', 'emailpass', credentials).then(() => 'in')`, 'me()', `sdk.auth.refresh().then(() => 'again')`, 'me()'])).toEqual([
    'in',
    admin.email,
    'again',
    admin.email,
  ])
  expect(await page.context().cookies(server.url)).toEqual([])
  expect(opened.requests.some((request) => 'x-medusa-locale' in request.headers())).toBe(true)
  expect(await run([`sdk.auth.logout().then(() => 'gone')`, 'me()'])).toEqual(['gone', 401])
})

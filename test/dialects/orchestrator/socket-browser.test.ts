import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage } from '../../support/browser.ts'
import { flow, values } from '../../support/flow.ts'
import { type TestServer, testServer } from '../../support/server.ts'
import { described, lines } from './socket.ts'

/** The WebSocket of a browser sets no headers, and does not show how an upgrade is refused: what it needs fails here. */

let server: TestServer
let browser: Browser
/** Where a front end is served from: this machine, and not this server. */
const front = createServer((_request, reply) => void reply.setHeader('content-type', 'text/html').end('<!doctype html><link rel="icon" href="data:,">'))
beforeAll(async () => {
  ;[browser, server] = await Promise.all([launchBrowser(), testServer(), new Promise<void>((done) => void front.listen(0, '127.0.0.1', done))])
})
afterAll(async () => {
  await browser?.close()
  await server?.[Symbol.asyncDispose]()
  front.close()
})

/** What a page is told until one of these comes, or the socket closes; then it says the rest. */
interface Seen {
  texts: string[]
  code: number
}

/** Runs on the page. */
const program = (address: string, says: readonly string[], last: string): string => `new Promise((done) => {
  const seen = (window.seen = { texts: [], code: 0 })
  const socket = new WebSocket(${JSON.stringify(address)})
  socket.onopen = () => ${JSON.stringify(says)}.forEach((text) => socket.send(text))
  socket.onmessage = ({ data }) => {
    seen.texts.push(data)
    if (JSON.parse(data).type === ${JSON.stringify(last)}) done(seen)
  }
  socket.onclose = ({ code }) => done({ ...seen, code })
})`

test('a page is told over the WebSocket of a browser, by its cookie or by a ticket; without either it reads why, in message and code', { timeout: 60_000 }, async () => {
  const workflow = await server.workflow(flow({ a: values({ x: 1 }), b: values({ y: 1 }) }, ['a > b']))
  const address = `${server.url.replace('http', 'ws')}/ws/workflow/${workflow.id}/`
  await using opened = await openPage(browser)
  const { page } = opened
  await page.goto(`http://127.0.0.1:${(front.address() as AddressInfo).port}/`)
  const see = async (at: string, says: readonly string[], last: string): Promise<Seen & { told: string[] }> => {
    const seen = await page.evaluate<Seen>(program(at, says, last))
    return { ...seen, told: lines(seen.texts.map(described)) }
  }

  expect(await see(address, [], 'never')).toMatchObject({ told: ['error'], code: 4401 })

  const { ticket } = await server.call<{ ticket: string }>('POST', '/v1/auth/ticket')
  const following = see(`${address}?ticket=${ticket}`, ['{"type":"ping"}', '{', '{"type":"request_state"}'], 'workflow_completed')
  await page.waitForFunction('window.seen.texts.length === 4')
  await server.wait(await server.start(workflow))
  const { told, texts } = await following
  expect(told.filter((line) => line === 'pong' || line === 'error').toSorted()).toEqual(['error', 'pong'])
  expect(texts).toContain('{"type":"error","message":"Invalid JSON"}')
  expect(told.at(-1)).toBe('workflow_completed')
  expect(await see(`${address}?ticket=${ticket}`, [], 'never')).toMatchObject({ told: ['error'], code: 4401 })

  await page.context().addCookies([{ name: 'sluice_session', value: server.token, url: server.url }])
  expect(await see(address, [], 'state_sync')).toMatchObject({ told: ['state completed'], code: 0 })
})

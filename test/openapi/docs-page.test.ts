import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Run, Workflow } from '@sluice/schema'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser, openPage, type WatchedPage } from '../support/browser.ts'
import { flow } from '../support/flow.ts'
import { type TestServer, testServer } from '../support/server.ts'

/**
 * Somebody explores the API at `/docs`: says who they are, draws a workflow and runs it, with nothing but the page.
 * `SLUICE_TEST_SHOTS` names a folder that keeps how it looked.
 */

let server: TestServer
let browser: Browser
let shots: string

beforeAll(async () => {
  shots = process.env['SLUICE_TEST_SHOTS'] ?? (await mkdtemp(join(tmpdir(), 'sluice-docs-')))
  ;[browser, server] = await Promise.all([launchBrowser(), testServer()])
})
afterAll(async () => {
  await browser?.close()
  await server?.[Symbol.asyncDispose]()
  if (!process.env['SLUICE_TEST_SHOTS']) await rm(shots, { recursive: true, force: true })
})

/** What a page asks other hosts for; `data:` asks nobody. */
const foreign = ({ requests }: WatchedPage): string[] => requests.map((request) => request.url()).filter((url) => !url.startsWith(`${server.url}/`) && !url.startsWith('data:'))

/** An operation on the page, open and ready to be tried. */
async function tryOut(page: Page, operation: string): Promise<Locator> {
  const block = page.locator(`[id$="${operation.replace('.', '\\\\.')}"].opblock`)
  await block.locator('.opblock-summary-control').click()
  await block.locator('.try-out__btn').click()
  return block
}

/** The same by its address: of a long document the page draws what is looked at. */
async function tryOutAt(page: Page, address: string): Promise<Locator> {
  await page.goto(`${server.url}/docs#/${address}`)
  await page.reload()
  const block = page.locator('.opblock.is-open')
  await block.locator('.try-out__btn').click()
  return block
}

/** Executes it as it is filled in, and gives what the page shows of the answer. */
async function execute(block: Locator): Promise<{ status: string; body: unknown }> {
  await block.locator('.execute').click()
  const answer = block.locator('.live-responses-table')
  const body = await answer.locator('.highlight-code code').first().innerText()
  return { status: (await answer.locator('tbody .response-col_status').first().innerText()).trim().split('\n')[0]!, body: JSON.parse(body) }
}

const fill = (block: Locator, body: unknown): Promise<void> => block.locator('.body-param__text').fill(JSON.stringify(body))

test('the page is told a key, draws a workflow and runs it; nothing leaves this host and nothing goes wrong', { timeout: 90_000 }, async () => {
  const { secret } = await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'docs' })
  await using opened = await openPage(browser, { viewport: { width: 1280, height: 1000 } })
  const { page } = opened
  await page.goto(`${server.url}/docs`)

  await page.locator('.btn.authorize').first().click()
  const dialog = page.locator('.dialog-ux')
  // What nobody can type in is not asked for: a cookie, a one-use ticket.
  expect(await dialog.locator('h4').allInnerTexts()).toEqual([expect.stringContaining('bearer'), expect.stringContaining('apiKey')])
  await dialog.locator('#api_key_value').fill(secret)
  await dialog.locator('.auth-container', { hasText: 'x-api-key' }).getByRole('button', { name: 'Apply credentials' }).click()
  await dialog.locator('.close-modal').click()

  const create = await tryOutAt(page, 'workflows/workflows.create')
  await fill(create, { name: 'From the page', definition: flow({ in: 'input', out: 'output' }, ['in > out']) })
  const created = await execute(create)
  const workflow = created.body as Workflow
  expect([created.status, workflow.name]).toEqual(['201', 'From the page'])

  const start = await tryOutAt(page, 'runs/runs.start')
  await fill(start, { workflow: workflow.handle, input: { a: 1 }, wait: { until: 'finished' } })
  const started = await execute(start)
  await start.locator('.live-responses-table').screenshot({ path: join(shots, 'run.png') })
  const run = started.body as Run
  expect([started.status, run.status, run.output]).toEqual(['201', 'completed', { a: 1 }])
  expect((await server.get(run.id)).status).toBe('completed')

  await page.screenshot({ path: join(shots, 'docs.png') })
  expect(foreign(opened)).toEqual([])
  expect(opened.errors).toEqual([])
})

test('the page shows the API of PySpur as well, creates a workflow by it and gets it again', { timeout: 90_000 }, async () => {
  const { secret } = await server.call<{ secret: string }>('POST', '/v1/keys', { name: 'docs of PySpur' })
  await using opened = await openPage(browser, { viewport: { width: 1280, height: 1000 } })
  const { page } = opened
  await page.goto(`${server.url}/docs`)
  await page.locator('.topbar select').selectOption({ label: 'PySpur' })
  await page.locator('.info .title', { hasText: 'PySpur' }).waitFor()

  await page.locator('.btn.authorize').first().click()
  const dialog = page.locator('.dialog-ux')
  await dialog.locator('#api_key_value').fill(secret)
  await dialog.locator('.auth-container', { hasText: 'x-api-key' }).getByRole('button', { name: 'Apply credentials' }).click()
  await dialog.locator('.close-modal').click()

  // As the page fills it in: the example of the document.
  const created = await execute(await tryOut(page, '-createWorkflow'))
  const { id, name, definition } = created.body as { id: string; name: string; definition: { nodes: { node_type: string }[] } }
  expect([created.status, name, definition.nodes.map(({ node_type }) => node_type)]).toEqual(['200', 'Approve a text', ['InputNode', 'HumanInterventionNode']])

  const get = await tryOut(page, '-getWorkflow')
  await get.locator('tr[data-param-name="workflow_id"] input').fill(id)
  expect(await execute(get)).toEqual({ status: '200', body: created.body })
  await get.locator('.live-responses-table').screenshot({ path: join(shots, 'pyspur.png') })
  expect(foreign(opened)).toEqual([])
  expect(opened.errors).toEqual([])
})

test('an address of one operation opens that one; its errors are listed, and shown whole when asked for', { timeout: 60_000 }, async () => {
  await using opened = await openPage(browser)
  const { page } = opened
  await page.goto(`${server.url}/docs#/pauses/pauses.decide`)
  const block = page.locator('.opblock.is-open')
  await block.waitFor()
  expect(await block.locator('.opblock-summary-path').innerText()).toContain('/v1/pauses/{id}/decide')
  const conflict = block.locator('tr.response[data-code="409"]')
  expect(await conflict.innerText()).toContain('pause_decided')
  expect(await conflict.locator('.highlight-code').count()).toBe(0)
  await conflict.getByRole('button', { name: 'Example' }).click()
  expect(await conflict.locator('.highlight-code').first().innerText()).toContain('"kind": "conflict"')
  expect([foreign(opened), opened.errors]).toEqual([[], []])
})

test.each(['light', 'dark'] as const)('the start page is whole by itself, in the %s', async (colorScheme) => {
  await using opened = await openPage(browser, { colorScheme })
  const { page } = opened
  await page.goto(server.url)
  await page.screenshot({ path: join(shots, `start-${colorScheme}.png`) })
  const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor')
  expect(ground).toBe(colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(18, 24, 28)')
  for (const address of await page.locator('a').evaluateAll((links) => links.map((link) => (link as unknown as { href: string }).href)))
    expect([address, (await fetch(address, { headers: { authorization: `Bearer ${server.token}` } })).status]).toEqual([address, 200])
  expect([foreign(opened), opened.errors]).toEqual([[], []])
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { flow } from './support/flow.ts'
import { type TestServer, testServer } from './support/server.ts'
import { statementsOf } from './support/statements.ts'

/** Without work of its own: what is counted is what a start costs. */
const instant = flow({ in: 'input', out: 'output' }, ['in > out'])

let server: TestServer
beforeAll(async () => {
  server = await testServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const starts = 8

/** Until all that they started has ended. */
async function atRest(): Promise<void> {
  const live = async () => (await server.db.database.query('select 1 from runs where ended_at is null')).length
  await expect.poll(live, { timeout: 20_000 }).toBe(0)
}

/** How many statements one of them takes, done one after the other, when its workflow is known. */
async function eachTakes(start: () => Promise<unknown>): Promise<{ each: number; all: string[] }> {
  for (let n = 0; n < 2; n++) await start()
  await atRest()
  const all = await statementsOf(async () => {
    for (let n = 0; n < starts; n++) {
      await start()
      await atRest()
    }
  })
  // Those of the look whether they have ended are not theirs.
  const own = all.filter((text) => !text.startsWith('select 1 from runs'))
  return { each: own.length / starts, all: own }
}

describe('a start takes few statements', () => {
  test('into a lane that is free, as the Orchestrator has one for each workflow: it is stored with its first turn, as one without a lane', async () => {
    const { id } = await server.workflow(instant)
    const { each, all } = await eachTakes(() => server.call('POST', `/api/workflow/${id}/start_execution/`, {}))
    expect(each, all.join('\n')).toBeLessThanOrEqual(8)
    expect(all).not.toContain('runs-claim')
  })

  test('of a conversation that is made with it: what nobody can have known of is not locked, and not looked for', async () => {
    const { id } = await server.workflow(instant)
    const { each, all } = await eachTakes(() => server.call('POST', '/v1/sessions/send', { to: id, text: 'Hello' }))
    expect(each, all.join('\n')).toBeLessThanOrEqual(32)
    expect(all).not.toContain('events-has')
  })
})

test('each record of a batch takes few statements', async () => {
  const { id } = await server.workflow(instant)
  const { user } = await server.call<{ user: { id: string } }>('GET', '/v1/auth/me')
  const request = { method: 'POST', url: '/api/collections/workflow_sessions/records', body: { title: 'Ada', user: user.id, workflow: id, status: 'idle', context: {} } }
  const requests = Array.from({ length: 20 }, () => request)
  const all = await statementsOf(() => server.call('POST', '/api/batch', { requests }))
  expect(all.length / requests.length, all.join('\n')).toBeLessThanOrEqual(9)
  expect(all).not.toContain('events-has')
})

import { expect, test } from 'vitest'
import { flow, post } from '../support/flow.ts'
import { testServer } from '../support/server.ts'

test('the log names a run that failed and the step it failed at, and no secret that it used', async () => {
  await using server = await testServer({ SLUICE_LOG_LEVEL: 'trace' })
  await server.call('PUT', '/v1/secrets/payments', { value: 'hunter2-is-not-for-logs' })
  const refused = post(`${server.toy.url}/refuse/logged`) as { type: string; config: object }
  const run = await server.start(await server.workflow(flow({ call: { ...refused, config: { ...refused.config, auth: { secret: 'payments' } } } })))
  expect((await server.wait(run)).status).toBe('failed')
  const lines = server.lines.map((line) => JSON.parse(line) as { runId?: string; msg: string })
  expect(lines.filter(({ runId, msg }) => runId === run.id && msg === 'A run ended')).toMatchObject([{ level: 'info', status: 'failed', reason: 'step_failed', step: 'call' }])
  expect(server.lines.join('')).not.toContain('hunter2-is-not-for-logs')
  expect(server.lines.join('')).not.toContain(server.token)
})

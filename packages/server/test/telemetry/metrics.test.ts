import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { settingNames } from '../../src/config.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'

const page = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8')

/** The rows of the table whose first column has such names. */
const rows = (name: RegExp): string[][] =>
  page
    .split('\n')
    .filter((line) => line.startsWith('| `') && name.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim()),
    )

test('docs/operations.md lists the metrics that there are, each with its type and labels', async () => {
  const all = await createMetrics().names()
  const ours = all.filter(({ name }) => name.startsWith('sluice_')).map(({ name, type, labels }) => [name, type, labels.join(', ')])
  expect(
    rows(/^\| `sluice_/)
      .map((cells) => cells.slice(0, 3))
      .sort(),
  ).toEqual(ours.sort())
  expect(all.filter(({ name }) => !/^(sluice|process|nodejs)_/.test(name))).toEqual([])
})

test('docs/operations.md lists the settings that there are', () => {
  expect(
    rows(/^\| `SLUICE_/)
      .map(([name]) => name)
      .sort(),
  ).toEqual([...settingNames].sort())
})

test('two registries do not mix, and each counts for itself', async () => {
  const [one, other] = [createMetrics(), createMetrics()]
  one.runStarted()
  expect(await one.text()).toContain('\nsluice_runs_started_total 1\n')
  expect(await other.text()).toContain('\nsluice_runs_started_total 0\n')
})

test('what a caller makes up is no label: unknown types and methods count as other', async () => {
  const metrics = createMetrics()
  metrics.watch({ isNodeType: (type) => type === 'template' })
  metrics.stepMoved('template', 'completed')
  metrics.stepMoved('no-such-type', 'failed')
  metrics.attempted('no-such-type', 1)
  metrics.answered({ method: 'PROPFIND', route: 'unmatched', status: 404, seconds: 0.1 })
  const text = await metrics.text()
  expect(text).toContain('sluice_steps_total{type="template",outcome="completed"} 1')
  expect(text).toContain('sluice_steps_total{type="other",outcome="failed"} 1')
  expect(text).toContain('sluice_http_requests_total{method="other",route="unmatched",status="404"} 1')
  expect(text).not.toMatch(/no-such-type|PROPFIND/)
})

test('gauges show the moment they are read at', async () => {
  const metrics = createMetrics()
  let held = 3
  metrics.watch({ jobsHeld: () => held, connections: () => ({ busy: 2, idle: 1, waiting: 7 }) })
  expect(await metrics.text()).toContain('\nsluice_jobs_held 3\n')
  held = 0
  const text = await metrics.text()
  expect(text).toContain('\nsluice_jobs_held 0\n')
  expect(text).toContain('sluice_database_connections{state="busy"} 2')
  expect(text).toContain('\nsluice_database_waiting 7\n')
})

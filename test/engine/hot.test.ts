import { expect, test } from 'vitest'
import { flow, post } from '../support/flow.ts'
import { testServer } from '../support/server.ts'

test('a run that moves is written without touching an index, until it ends', async () => {
  await using server = await testServer()
  const to = (name: string) => post(`${server.toy.url}/ok/${name}`)
  const steps = flow({ a: to('a'), b: to('b'), c: to('c') }, ['a > b > c'])
  const runs = 5
  for (let run = 0; run < runs; run++) expect(await server.run(steps)).toMatchObject({ status: 'completed' })

  const counted = async () => {
    const [row] = await server.db.database.query<{ updates: number; hot: number; ended: number }>(
      `select n_tup_upd as updates, n_tup_hot_upd as hot, (select count(*) from runs where ended_at is not null) as ended from pg_stat_user_tables where relname = 'runs'`,
    )
    return row!
  }
  // Each connection tells what it did, once it has been at rest for a while.
  await expect.poll(async () => (await counted()).updates, { timeout: 20_000 }).toBeGreaterThanOrEqual(3 * runs)
  const { updates, hot, ended } = await counted()
  expect(ended).toBe(runs)
  expect(updates - hot).toBeLessThanOrEqual(runs)
})

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { keepInFlight } from '../../bench/closed-loop.ts'
import { linesOf, steepest } from '../../bench/growth/slope.ts'
import { aimsTable, atLeast, atMost, under } from '../../bench/page/aims.ts'
import { figure } from '../../bench/page/figure.ts'
import { causeOf } from '../../bench/profile/causes.ts'
import { medians, quantile } from '../../bench/statistics.ts'

const store = 'file:///anywhere/packages/server/src/store/views/runs.ts'
const pg = 'file:///anywhere/node_modules/.pnpm/pg@8/node_modules/pg/lib/connection.js'

test('what ends in a closed loop is counted once, whenever it is taken', async () => {
  let ended = 0
  const load = keepInFlight(async () => {
    await sleep(5)
    return ++ended
  }, 8)
  let taken: number[] = []
  for (let look = 0; look < 20; look++) {
    await sleep(3)
    taken = taken.concat(await load.take())
  }
  await load.stop()
  taken = taken.concat(await load.take())
  expect(taken.toSorted((a, b) => a - b)).toEqual(Array.from({ length: ended }, (_, at) => at + 1))
  expect(ended).toBeGreaterThan(8)
})

test('the first one of a load that fails ends it, and is told', async () => {
  let begun = 0
  const load = keepInFlight(async () => {
    if (++begun === 3) throw new Error('the third')
    await sleep(2)
    return 1
  }, 2)
  while (begun < 3) await sleep(1)
  const failure = (await load.stop().catch((error: unknown) => error)) as Error
  expect(failure.cause).toEqual(new Error('the third'))
})

test('an aim is met by its figure alone, and what was not measured is neither', () => {
  expect([atLeast('a', 0.5, 0.5), atLeast('a', 0.5, 0.49), under('a', 15, 15), under('a', 15, 14.9), atMost('a', 50, 50), atMost('a', 50, 50.1)].map(({ met }) => met)).toEqual([
    true,
    false,
    false,
    true,
    true,
    false,
  ])
  expect([atLeast('a', 1, undefined), atMost('a', 1, Number.NaN)].map(({ met }) => met)).toEqual([null, null])
  expect(aimsTable([under('the wait', 5, 7.25, ' ms')])).toContain('| the wait | under 5.00 ms | 7.25 ms | **not met** |')
})

test('a curve tells where it is steepest; a line may lack sizes', () => {
  const [flat, square] = linesOf([10, 100, 1_000], [{ flat: 3, square: 1 }, { flat: 3, square: 100 }, { flat: 3 }])
  expect(steepest(flat!.points).power).toBe(0)
  expect(steepest(square!.points)).toEqual({ power: 2, from: 10, to: 100 })
  expect(steepest([[1, 5]]).power).toBe(Number.NEGATIVE_INFINITY)
})

test('the CPU of V8 is on the account of who called it, and that of a send tells who is sent to', () => {
  const native = (functionName: string) => ({ url: '', functionName })
  const at = (url: string) => ({ url, functionName: 'f' })
  expect(causeOf([at(store), at(pg)])).toBe('store: views')
  expect(causeOf([native('map'), at(store)])).toBe('store: views')
  expect(causeOf([native('stringify'), at(store)])).toBe('JSON')
  expect(causeOf([at('file:///anywhere/packages/server/src/engine/frontier.ts')])).toBe('engine: the machine')
  expect(causeOf([at('file:///anywhere/packages/server/src/engine/commit.ts')])).toBe('engine: commit')
  expect(causeOf([at('file:///anywhere/node_modules/.pnpm/zod@4/node_modules/zod/v4/core/schemas.js')])).toBe('zod')
  expect(causeOf([native('writev'), at('node:net'), at(pg), at(store)])).toBe('system calls that send to PostgreSQL')
  expect(causeOf([native('writeUtf8String'), at('node:_http_outgoing'), at('file:///anywhere/packages/server/src/http/bind.ts')])).toBe('system calls that send to clients')
})

test('figures keep three digits that matter, quantiles are values that were seen, medians go key by key', () => {
  expect([0, 0.123_45, 1.234, 12.34, 123.4, 99.96, 12_345, Number.NaN].map(figure)).toEqual(['0', '0.123', '1.23', '12.3', '123', '100', '12,345', '–'])
  expect([quantile([3, 1, 2, 4], 0.5), quantile([3, 1, 2, 4], 0.99), quantile([], 0.5)]).toEqual([2, 4, Number.NaN])
  expect(
    medians([
      { a: 1, b: 9 },
      { a: 3, b: 8 },
      { a: 2, b: 7 },
    ]),
  ).toEqual({ a: 2, b: 8 })
})

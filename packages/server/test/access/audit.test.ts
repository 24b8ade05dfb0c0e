import { setTimeout as pause } from 'node:timers/promises'
import { Fault } from '@sluice/schema'
import { describe, expect, test, vi } from 'vitest'
import { createAudit, type Deed } from '../../src/access/audit.ts'
import { Outage, type Tx } from '../../src/store/index.ts'
import type { NewAudit } from '../../src/store/rows/audit.ts'

const deed = (resource: string, over: Partial<Deed> = {}): Deed => ({
  principal: null,
  action: 'runs.start',
  resource,
  outcome: 'done',
  code: null,
  details: {},
  requestId: 'r',
  ip: '::1',
  ...over,
})

/** A database that keeps what it is given, unless `answer` says otherwise. */
function setup(answer: (deeds: NewAudit[]) => Promise<void> = async () => {}) {
  const kept: (string | null)[][] = []
  const errors: unknown[] = []
  const database: Tx = {
    async query(_statement, values) {
      const deeds = JSON.parse(String(values?.[0])) as NewAudit[]
      await answer(deeds)
      kept.push(deeds.map(({ resource }) => resource))
      return []
    },
  }
  return { audit: createAudit({ database, onError: (error) => errors.push(error) }), kept, errors }
}

describe('the audit log', () => {
  test('writes what comes within a moment in one statement, and one statement at a time', async () => {
    const gate = Promise.withResolvers<void>()
    const { audit, kept } = setup(() => gate.promise)
    for (const name of ['a', 'b', 'c']) audit.record(deed(name))
    await pause(1_000)
    for (const name of ['d', 'e']) audit.record(deed(name))
    gate.resolve()
    await audit.close()
    expect(kept).toEqual([
      ['a', 'b', 'c'],
      ['d', 'e'],
    ])
  })

  test('waits for no more deeds when somebody asks for them', async () => {
    vi.useFakeTimers()
    try {
      const { audit, kept } = setup()
      audit.record(deed('a'))
      await audit.close()
      expect(kept).toEqual([['a']])
    } finally {
      vi.useRealTimers()
    }
  })

  test.each([
    ['an outage', new Outage('away')],
    ['a full disk', new Fault('storage_full')],
  ])('waits %s out, in order', async (_, error) => {
    vi.useFakeTimers()
    try {
      let away = 3
      const { audit, kept, errors } = setup(async () => {
        if (away-- > 0) throw error
      })
      for (const name of ['a', 'b']) audit.record(deed(name))
      await vi.advanceTimersByTimeAsync(5_000)
      expect(kept.flat()).toEqual(['a', 'b'])
      expect(errors).toHaveLength(3)
    } finally {
      vi.useRealTimers()
    }
  })

  test('what is not taken keeps nothing else out', async () => {
    const { audit, kept, errors } = setup(async (deeds) => {
      if (deeds.some(({ resource }) => resource === 'odd')) throw new Error('invalid input')
    })
    for (const name of ['a', 'b', 'odd', 'c', 'd']) audit.record(deed(name))
    await audit.close()
    expect([kept.flat(), errors.length]).toEqual([['a', 'b', 'c', 'd'], 1])
  })

  test('keeps ten thousand in memory and says how many it could not', async () => {
    const gate = Promise.withResolvers<void>()
    const { audit, kept, errors } = setup(() => gate.promise)
    for (let count = 0; count < 10_007; count++) audit.record(deed(String(count)))
    gate.resolve()
    await audit.close()
    expect(kept.flat()).toHaveLength(10_000)
    expect(Math.max(...kept.map(({ length }) => length))).toBe(500)
    expect(String(errors)).toContain('7 deeds')
  })

  test('a server leaves within a second, whatever the database does', async () => {
    const { audit } = setup(() => new Promise(() => {}))
    audit.record(deed('a'))
    const started = performance.now()
    await audit.close()
    expect(performance.now() - started).toBeLessThan(5_000)
  })

  test('one that comes while the last statement ends is written too', async () => {
    const { audit, kept } = setup()
    for (let count = 0; count < 20; count++) {
      audit.record(deed(String(count)))
      for (let turns = 0; turns < count; turns++) await Promise.resolve()
    }
    await audit.close()
    expect(kept.flat()).toHaveLength(20)
  })
})

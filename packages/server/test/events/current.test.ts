import type { Event } from '@sluice/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canvasLane, type Current, currentSieve, type Standing } from '../../src/events/current.ts'
import { numbered } from '../../src/events/place.ts'
import type { Entry, Sieve } from '../../src/events/sieve.ts'

const lane = canvasLane('w')
const within = { key: '', fits: () => true }
const current: Current = { within, asked: within, lane }
const nobody: Standing = { run: null, isLive: false, isFirst: false, isAlone: true }

let place = 0
const entry = (run: string, type: Event['type'], more: object = {}): Entry => ({
  event: { subject: { kind: 'run', id: run }, seq: 1, cursor: 'c', at: '2026-01-31T12:00:00.000Z', type, ...more } as Event,
  workflowId: 'w',
  owner: null,
  place: numbered(++place),
})
const queued = (run: string, more: object = {}): Entry => entry(run, 'run.queued', { workflowId: 'w', version: 1, ...more })
const started = (run: string): Entry => entry(run, 'run.started')
const ended = (run: string): Entry => entry(run, 'run.completed', { output: 1 })

/** What is told of a log, whose events may come in pages of any size. */
function told(entries: readonly Entry[], from: Standing = nobody, pages: readonly number[] = [entries.length]): string[] {
  let sieve: Sieve = currentSieve(from, current)
  const all: string[] = []
  let at = 0
  for (const size of [...pages, entries.length]) {
    const page = entries.slice(at, at + size)
    at += size
    if (page.length === 0) continue
    const { events, next = sieve } = sieve.sift(page)
    all.push(...events.map(({ type, subject }) => `${type} ${subject.id}`))
    if (next === 'anew') return [...all, 'anew']
    sieve = next
  }
  return all
}

describe('the current run of a workflow, as its events tell', () => {
  test('is told whole, and so is the one that is started after its end', () => {
    expect(told([queued('a'), started('a'), ended('a'), queued('b'), started('b')])).toEqual(['run.queued a', 'run.started a', 'run.completed a', 'run.queued b', 'run.started b'])
  })

  test('is the newest of several, and then what went before is told no more', () => {
    expect(told([queued('a'), queued('b'), started('a'), started('b')])).toEqual(['run.queued a', 'run.queued b', 'run.started b'])
  })

  test('is that of the canvas, whatever else is started', () => {
    expect(told([queued('a', { lane }), queued('b'), queued('c', { lane: 'another' }), started('b'), started('a')])).toEqual(['run.queued a', 'run.started a'])
    expect(told([queued('a'), queued('b', { lane }), started('a'), started('b')])).toEqual(['run.queued a', 'run.queued b', 'run.started b'])
  })

  test('is no trial', () => {
    expect(told([queued('a', { trial: true }), started('a'), ended('a')])).toEqual([])
    expect(told([queued('a'), queued('t', { trial: true }), ended('t'), started('a')])).toEqual(['run.queued a', 'run.started a'])
  })

  test('once it ends beside others, the stream begins anew: which is the current one then, the log alone does not tell', () => {
    expect(told([queued('a', { lane }), queued('b'), ended('a'), started('b')])).toEqual(['run.queued a', 'run.completed a', 'anew'])
    expect(told([ended('a')], { run: 'a', isLive: true, isFirst: false, isAlone: false })).toEqual(['run.completed a', 'anew'])
    expect(told([ended('a'), queued('b'), ended('b')], { run: 'a', isLive: true, isFirst: false, isAlone: true })).toEqual(['run.completed a', 'run.queued b', 'run.completed b'])
  })

  test('is told the same in whatever pages the log is read', () => {
    const happening = fc.constantFrom('queue', 'canvas', 'trial', 'start', 'end')
    fc.assert(
      fc.property(fc.array(fc.tuple(happening, fc.nat(3)), { maxLength: 30 }), fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 30 }), (happenings, pages) => {
        const log = happenings.map(([what, which]) => {
          const run = 'abcd'[which]!
          if (what === 'start') return started(run)
          if (what === 'end') return ended(run)
          return queued(run, { ...(what === 'canvas' && { lane }), ...(what === 'trial' && { trial: true }) })
        })
        expect(told(log, nobody, pages)).toEqual(told(log))
      }),
    )
  })
})

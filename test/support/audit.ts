import type { RunEvent } from '@sluice/schema'
import { expect } from 'vitest'

export const terminal: readonly string[] = ['run.completed', 'run.failed', 'run.cancelled', 'run.compensated']

/** What no log of an ended run may break. */
export function audit(events: readonly RunEvent[]): void {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, at) => at + 1))
  expect(events[0]!.type).toBe('run.queued')
  expect(events.flatMap(({ type }, at) => (terminal.includes(type) ? [at] : []))).toEqual([events.length - 1])
  const times = events.map(({ at }) => Date.parse(at))
  expect(times).toEqual([...times].sort((a, b) => a - b))
  let waiting = false
  const steps = new Map<string, { attempts: number; settled: boolean; undone: boolean }>()
  const pauses = new Map<string, string>()
  for (const event of events) {
    if (event.type === 'run.waiting') waiting = true
    if (event.type === 'run.resumed') {
      expect(waiting).toBe(true)
      waiting = false
    }
    if ('pause' in event) {
      expect(pauses.get(event.pause.id)).toBe(event.type === 'pause.opened' ? undefined : 'pause.opened')
      pauses.set(event.pause.id, event.type)
    }
    if (!event.type.startsWith('step.') || !('nodeId' in event)) continue
    const key = `${event.nodeId} ${event.iteration}`
    const step = steps.get(key) ?? { attempts: 0, settled: false, undone: false }
    steps.set(key, step)
    if (/compensat/.test(event.type)) {
      expect([key, step.settled, step.undone]).toEqual([key, true, false])
      step.undone = event.type !== 'step.compensating'
      continue
    }
    expect([key, event.type, step.settled]).toEqual([key, event.type, false])
    if (event.type === 'step.started') {
      expect(event.attempt).toBe(++step.attempts)
      expect(waiting).toBe(false)
    }
    if (['step.completed', 'step.failed', 'step.skipped', 'step.cancelled'].includes(event.type)) step.settled = true
  }
  for (const [id, last] of pauses) expect([id, last]).not.toEqual([id, 'pause.opened'])
  for (const [key, { settled }] of steps) expect([key, settled]).toEqual([key, true])
}

import { type Event, terminalEvents } from '@sluice/schema'
import { laneOfWorkflow } from '../store/lanes.ts'
import type { Entry, Scope, Sieve, Sifted } from './sieve.ts'

/** Which run of a workflow is the current one, as far as its events have told. */
export interface Standing {
  /** Null: there was none yet. */
  run: string | null
  isLive: boolean
  /** Whether it is in the lane that goes before all other runs. */
  isFirst: boolean
  /** No other run has been live beside it. */
  isAlone: boolean
}

/** The live run of this lane is the current one, whatever else is live. */
export const canvasLane = (workflowId: string): string => laneOfWorkflow(workflowId, 'canvas')

/** What the current run of a workflow is told by. */
export interface Current {
  /** All that happens in the workflow. */
  within: Scope
  /** What of it may be told. */
  asked: Scope
  lane: string
}

/**
 * The events of a workflow's current run alone. A run that becomes the current one by being started is told from its first
 * event on; when the current one ends beside others the stream begins anew, with the snapshot of the one that then is:
 * what came of it before was not told. The same log gives the same events on every server.
 */
export const currentSieve = (standing: Standing, current: Current): Sieve => ({
  key: `${current.asked.key} of ${JSON.stringify(standing)}`,
  sift: (entries) => sifted(entries, standing, current),
})

function sifted(entries: readonly Entry[], standing: Standing, current: Current): Sifted {
  const events: Event[] = []
  let now = standing
  let silence = 0
  for (const entry of entries) {
    silence++
    if (!current.within.fits(entry)) continue
    const { event } = entry
    if (event.type === 'run.queued' && !event.trial) now = started(now, event.subject.id, event.lane === current.lane)
    if (event.subject.id !== now.run) continue
    if (current.asked.fits(entry)) {
      events.push(event)
      silence = 0
    }
    if (!isEnd(event)) continue
    if (!now.isAlone) return { events, silence, next: 'anew' }
    now = { ...now, isLive: false }
  }
  return { events, silence, ...(now !== standing && { next: currentSieve(now, current) }) }
}

/** Beside the live run of the lane every other one waits for its end; else the newest goes before. */
const started = (now: Standing, run: string, isFirst: boolean): Standing =>
  now.isLive && now.isFirst ? { ...now, isAlone: false } : { run, isLive: true, isFirst, isAlone: now.isAlone && !now.isLive }

const isEnd = ({ type }: Event): boolean => (terminalEvents as readonly string[]).includes(type)

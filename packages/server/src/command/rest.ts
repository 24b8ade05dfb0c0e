import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** For so long next to nothing must have happened. */
const quietMs = 2_000
/** A server that has not come to rest within a minute is one at work: its memory is V8's business. */
const looks = 30

/**
 * Gives back what the start took and rest does not need. While modules are loaded V8 makes its young generation large, and
 * leaves it so for minutes: 35 MB of 165. Done once, and only by a server that is at rest: it takes 0.15 s, in which nobody is
 * answered. Under load the young generation grows again as it did before.
 */
export function giveBackAtRest(left = looks): void {
  const before = performance.eventLoopUtilization()
  setTimeout(() => {
    if (performance.eventLoopUtilization(before).utilization < 0.1) collect()
    else if (left > 1) giveBackAtRest(left - 1)
  }, quietMs).unref()
}

/** V8's thorough collection, which alone makes the young generation small; Node has no other door to it. */
function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void
  setFlagsFromString('--no-expose-gc')
  gc({ type: 'major', flavor: 'last-resort' })
}

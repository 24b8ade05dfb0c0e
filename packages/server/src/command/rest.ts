import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** After the start, before it is looked whether anybody asks anything. */
const settleMs = 2_000

/**
 * Gives back what the start took and rest does not need. While modules are loaded V8 makes its young generation large, and
 * leaves it so for minutes: 35 MB of 165. Done once, and only by a server that is at rest: it takes 0.15 s, in which nobody is
 * answered. Under load the young generation grows again as it did before.
 */
export function giveBackAtRest(): void {
  const start = performance.eventLoopUtilization()
  setTimeout(() => {
    if (performance.eventLoopUtilization(start).utilization < 0.1) collect()
  }, settleMs).unref()
}

/** V8's thorough collection, which alone makes the young generation small; Node has no other door to it. */
function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: { type: 'major'; flavor: 'last-resort' }) => void
  setFlagsFromString('--no-expose-gc')
  gc({ type: 'major', flavor: 'last-resort' })
}

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Loaded before a server that is fuzzed: it tells on its standard error, line by line, how long its event loop was held by one turn,
 * and how much memory it has. A turn is measured by the processor's time of its thread: that others take the processor is not its fault.
 */
const everyMs = 20
const toldMs = 150

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

interface Told {
  is: 'turn' | 'memory'
  at: number
  /** Of the processor. */
  turnMs?: number
  /** Of the clock. */
  lateMs?: number
  heap?: number
  rss?: number
}
const tell = (told: Told): void => void process.stderr.write(`watched ${JSON.stringify(told)}\n`)

let clock = performance.now()
let used = usedMs()
setInterval(() => {
  const [now, then] = [performance.now(), usedMs()]
  const [lateMs, turnMs] = [now - clock - everyMs, then - used]
  if (turnMs > toldMs) tell({ is: 'turn', at: Date.now(), turnMs: Math.round(turnMs), lateMs: Math.round(lateMs) })
  ;[clock, used] = [now, then]
}, everyMs).unref()

const loop = monitorEventLoopDelay({ resolution: 10 })
loop.enable()
setInterval(() => {
  const { heapUsed, rss } = process.memoryUsage()
  tell({ is: 'memory', at: Date.now(), heap: heapUsed, rss, lateMs: Math.round(loop.max / 1e6) })
  loop.reset()
}, 1_000).unref()

process.on('SIGUSR2', () => {
  collect()
  tell({ is: 'memory', at: Date.now(), heap: process.memoryUsage().heapUsed, rss: process.memoryUsage().rss })
})

function usedMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

import { Outage } from '../store/database.ts'
import type { Log } from '../telemetry.ts'
import type { Doorbell, Topic } from './doorbell.ts'

/** Looks after something again and again: when it is woken, and every so often besides. */
export interface Lookout {
  start(): void
  wake(): void
  /** Looks now; answers when there is nothing more to do. */
  lookNow(): Promise<void>
  /** Answers when the look under way has ended. */
  stop(): Promise<void>
}

export interface LookoutParts {
  /** For the log. */
  name: string
  doorbell: Doorbell
  topic: Topic
  /** How long it rests at most, for what nobody rang for. */
  everyMs: number
  /** Gives whether there is more to do at once. It ends soon when the signal says so. */
  look(signal: AbortSignal): Promise<boolean>
  log: Log
}

/** After a look in which it was woken: what comes in a stream is looked at together. */
const gatherMs = 5

/** An outage is waited for, and whatever else goes wrong in a look is told and looked at again: nothing ends it but `stop`. */
export function createLookout({ name, doorbell, topic, everyMs, look, log }: LookoutParts): Lookout {
  const stopping = new AbortController()
  let going: Promise<void> | null = null
  let isWoken = false
  let rouse = (): void => {}
  /** Who waits for a look that leaves nothing. */
  const asking: (() => void)[] = []

  function wake(): void {
    isWoken = true
    rouse()
  }

  function rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      rouse = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async function lookOnce(): Promise<boolean> {
    try {
      return await look(stopping.signal)
    } catch (error) {
      if (error instanceof Outage) log.debug({ err: error, lookout: name }, 'a look met an outage')
      else log.error({ err: error, lookout: name }, 'a look failed')
      return false
    }
  }

  async function go(): Promise<void> {
    const off = doorbell.on(topic, wake)
    while (!stopping.signal.aborted) {
      isWoken = false
      const asked = asking.splice(0)
      const isMore = await lookOnce()
      if (isMore) asking.unshift(...asked)
      else for (const answer of asked) answer()
      if (isMore || stopping.signal.aborted) continue
      if (isWoken) await new Promise((resolve) => setTimeout(resolve, gatherMs))
      // Servers that were started together do not look together for ever.
      else await rest(everyMs * (0.75 + Math.random() / 2))
    }
    for (const answer of asking.splice(0)) answer()
    off()
  }

  return {
    start: () => void (going ??= go()),
    wake,
    lookNow() {
      if (going === null || stopping.signal.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        asking.push(resolve)
        wake()
      })
    },
    async stop() {
      stopping.abort()
      rouse()
      await going
    },
  }
}

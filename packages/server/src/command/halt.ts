import type { Log } from '../telemetry.ts'

/** All of a shutdown, PostgreSQL's included. What is not done by then is done by the next start. */
const shutdownMs = 9_500

export interface Halt {
  readonly asked: boolean
  whenAsked: Promise<void>
  /** What is left for PostgreSQL. */
  restMs(): number
}

/** npm hands Ctrl-C on to those who got it from the terminal already: that is one signal, not two. */
const echoMs = 300

/** The first signal asks, and sets a time limit; the second one exits at once. */
export function haltOnSignals(log: Log): Halt {
  let askedAt: number | null = null
  const { promise, resolve } = Promise.withResolvers<void>()
  const ask = (why: string, exitCode: number) => {
    if (askedAt !== null) {
      if (performance.now() - askedAt > echoMs) process.exit(exitCode || 1)
      return
    }
    askedAt = performance.now()
    process.exitCode = exitCode
    log.info({ why }, 'Shutting down')
    setTimeout(() => {
      log.warn('The shutdown took too long and is cut short')
      process.exit()
    }, shutdownMs).unref()
    resolve()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => ask(signal, 0))
  // Whoever started us through a channel and dies without a word does not leave us behind.
  process.on('disconnect', () => askedAt === null && ask('the parent process ended', 0))
  process.channel?.unref()
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'A promise was rejected and nobody was told'))
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'An error that nobody caught')
    if (askedAt === null) ask('uncaught error', 1)
  })
  return {
    get asked() {
      return askedAt !== null
    },
    whenAsked: promise,
    restMs: () => (askedAt === null ? 8_000 : Math.max(500, shutdownMs - 500 - (performance.now() - askedAt))),
  }
}

import type { Measurement } from '../measurement.ts'
import { figure } from '../page/figure.ts'
import { startPostgres } from '../postgres.ts'
import { inOwnDatabase, onlyOf, takeTurns } from '../race.ts'
import type { Profiled, Task } from './perform.ts'
import { section } from './section.ts'
import { countingStatements } from './statement-times.ts'

const profiled = { 'profile-engine': 'engine', 'profile-http': 'http' } as const
export type Name = keyof typeof profiled

const names = Object.keys(profiled) as Name[]
export const inFlight = 64
/** A profile of less would show chance. */
const fewestSeconds = 4

const performing = new URL('perform.ts', import.meta.url).href
const field = new URL('../throughput/contestants.ts', import.meta.url).href

/** Where the CPU of a run goes: by cause in Node, by statement in PostgreSQL. On a PostgreSQL of its own, which counts statements. */
export const profile: Measurement = {
  compares: names,
  async measure(measuring) {
    const seconds = Math.max(fewestSeconds, measuring.seconds)
    const postgres = await startPostgres(countingStatements)
    try {
      const found = await takeTurns({ ...measuring, rounds: 1 }, names, async (name) => {
        const each = onlyOf(await inOwnDatabase<Task, Profiled>({ ...measuring, postgres }, performing, { field, contestant: profiled[name], inFlight, seconds }))
        measuring.say(`${name.padEnd(15)} ${figure(each.perSecond)} runs/s under the profiler, CPU ms a run: Node ${figure(each.cpuNode)}, PostgreSQL ${figure(each.cpuPostgres)}`)
        for (const { at, cause, share } of each.functions) measuring.say(`  ${(share * 100).toFixed(1).padStart(5)} %  ${cause.padEnd(36)} ${at}`)
        return each
      })
      return section(
        [...found].map(([name, [each]]) => [name, each!]),
        { inFlight, seconds },
      )
    } finally {
      await postgres.stop()
    }
  },
}

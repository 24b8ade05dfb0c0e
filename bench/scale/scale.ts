import type { Measurement } from '../measurement.ts'
import { atLeast, under } from '../page/aims.ts'
import { figure } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { sectionOf } from '../page/words.ts'
import { startPostgres } from '../postgres.ts'
import { inOwnDatabase, onlyOf, takeTurns } from '../race.ts'
import { medians } from '../statistics.ts'
import { type Layout, abouts, layouts } from './layouts.ts'
import type { Result, Task } from './perform.ts'

const names = Object.keys(layouts) as Layout[]
const performing = new URL('perform.ts', import.meta.url).href
const inFlight = 64

/** What several servers on one PostgreSQL do together, and how soon one hears of what another has done. */
export const scale: Measurement = {
  compares: names,
  async measure(measuring) {
    const { rounds, seconds, say } = measuring
    // It keeps when it committed what.
    const postgres = await startPostgres({ track_commit_timestamp: 'on' })
    try {
      const results = await takeTurns(measuring, names, async (name) => {
        const task = { roles: layouts[name], seconds, inFlight }
        const result = onlyOf(await inOwnDatabase<Omit<Task, 'databaseUrl' | 'postgresPid'>, Result>({ ...measuring, postgres }, performing, task))
        say(`${name.padEnd(20)} ${figure(result.perSecond)} runs/s, p50 ${figure(result.p50)} ms; heard after ${figure(result.heardP50)} ms, p99 ${figure(result.heardP99)} ms`)
        return result
      })
      const of = new Map([...results].map(([name, each]) => [name, medians(each)] as const))
      const one = of.get('one-server')?.perSecond
      const share = (perSecond: number): string => (one === undefined ? figure(perSecond) : `${figure(perSecond)} (${figure(perSecond / one)})`)
      const head = [
        `${inFlight} runs in flight`,
        'runs/s (of one server)',
        'p50 ms',
        'p99 ms',
        'CPU ms servers',
        'CPU ms PostgreSQL',
        'connections',
        'heard p50 ms',
        'heard p99 ms',
      ]
      const rows = [...of].map(([name, each]) => [
        `\`${name}\``,
        share(each.perSecond),
        ...[each.p50, each.p99, each.cpuServers, each.cpuPostgres].map(figure),
        String(each.connections),
        ...[each.heardP50, each.heardP99].map(figure),
      ])
      const three = of.get('three-servers')?.perSecond
      return {
        markdown: sectionOf(
          table(head, rows),
          [...of.keys()].map((name) => `- \`${name}\`: ${abouts[name]}`).join('\n'),
          `Medians of ${rounds}, ${figure(seconds)} s each after a warm-up. ${method}`,
        ),
        charts: [],
        aims: [
          atLeast('three servers on the cores of one: their runs/s of those of one server', 0.6, one === undefined || three === undefined ? undefined : three / one),
          under('p50 from the commit to who listens at another server', 15, of.get('two-servers')?.heardP50, ' ms'),
        ],
      }
    } finally {
      await postgres.stop()
    }
  },
}

const method =
  'Runs of three steps over HTTP, as many in flight in all as said, spread over the servers that serve; CPU of a run, in all servers and in PostgreSQL, in milliseconds of one core. Connections are those that all servers have open at load. ' +
  'Heard: runs one after another, nothing else going on; from the moment at which PostgreSQL began to write the commit of the end of a run to the last byte of its message, over native server-sent events. ' +
  'Not measured here: servers and PostgreSQL on machines of their own. All share the same cores with who sends the load, so that more servers can do no more than one: what is lost is what batches of fewer runs, and news from one server to another, cost.'

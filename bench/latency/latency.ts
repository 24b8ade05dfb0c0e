import type { Measurement } from '../measurement.ts'
import { under } from '../page/aims.ts'
import { bars } from '../page/bars.ts'
import { figure } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { sectionOf } from '../page/words.ts'
import { startPostgres } from '../postgres.ts'
import { inOwnDatabase } from '../race.ts'
import { medians } from '../statistics.ts'
import type { Latencies, Result, Task } from './perform.ts'
import { type Transport, transports } from './transports.ts'

const names = Object.keys(transports) as Transport[]
const performing = new URL('perform.ts', import.meta.url).href
const inFlight = 16
const mostRounds = 2

/** How long after the commit of a run's end somebody hears of it, on each transport. On a PostgreSQL of its own, which keeps when it committed what. */
export const latency: Measurement = {
  compares: names,
  async measure(measuring) {
    const { seconds, wants, say } = measuring
    const rounds = Math.min(mostRounds, measuring.rounds)
    const each = seconds / 2
    const postgres = await startPostgres({ track_commit_timestamp: 'on' })
    const found = new Map<Transport, Latencies[]>()
    try {
      for (let round = 0; round < rounds; round++) {
        const wanted = names.filter((name) => wants(name))
        const order = round % 2 === 0 ? wanted : wanted.toReversed()
        const { results, failed } = await inOwnDatabase<Omit<Task, 'databaseUrl' | 'postgresPid'>, Result>({ ...measuring, postgres }, performing, {
          transports: order,
          seconds: each,
          inFlight,
        })
        for (const { name, figures } of results) {
          found.set(name, [...(found.get(name) ?? []), figures])
          say(
            `${name.padEnd(20)} alone p50 ${figure(figures.p50Alone)} ms, p99 ${figure(figures.p99Alone)} ms; at load ${figure(figures.p50Loaded)} ms, ${figure(figures.p99Loaded)} ms`,
          )
        }
        if (failed !== null) throw new Error(`After ${results.length} of ${order.length} transports: ${failed}`)
      }
    } finally {
      await postgres.stop()
    }
    const of = new Map(names.flatMap((name) => (found.has(name) ? [[name, medians(found.get(name)!)] as const] : [])))
    const head = ['ms from commit to subscriber', 'p50, alone', 'p99, alone', `p50, beside ${inFlight}`, `p99, beside ${inFlight}`]
    const rows = [...of].map(([name, { p50Alone, p99Alone, p50Loaded, p99Loaded }]) => [`\`${name}\``, ...[p50Alone, p99Alone, p50Loaded, p99Loaded].map(figure)])
    const title = 'From the commit to who listens'
    const file = 'performance-latency.svg'
    return {
      markdown: sectionOf(
        `![${title}](${file})`,
        table(head, rows),
        [...of.keys()].map((name) => `- \`${name}\`: ${transports[name]}`).join('\n'),
        `Medians of ${rounds}, ${figure(each)} s each. ${notMeasured}`,
      ),
      charts: [{ file, svg: bars({ title, x: 'ms, p50 of one at a time', bars: [...of].map(([name, { p50Alone }]) => [name, p50Alone]) }) }],
      aims: [...of].flatMap(([name, { p50Alone, p99Loaded }]) => [
        under(`\`${name}\`: p50 from the commit to who listens, alone`, 10, p50Alone, ' ms'),
        under(`\`${name}\`: p99 from the commit to who listens, beside ${inFlight} runs`, 100, p99Loaded, ' ms'),
      ]),
    }
  },
}

const notMeasured =
  'Runs of three steps, one after another, alone and beside as many of another workflow as said; of each the end is timed: from the moment at which PostgreSQL began to write its commit to disk (`track_commit_timestamp`), so that the disk is in it, to the last byte of its message in a process of its own. ' +
  'Not measured here: subscribers on other servers and machines, many of them, slow ones, TLS.'

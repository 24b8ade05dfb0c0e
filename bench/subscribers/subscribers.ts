import type { Measurement } from '../measurement.ts'
import { atLeast, atMost } from '../page/aims.ts'
import { count, figure, kilobytes } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { sectionOf } from '../page/words.ts'
import { firstLine, inOwnDatabase, takeTurns } from '../race.ts'
import { medians } from '../statistics.ts'
import type { Figures, Following } from './followed.ts'
import { type Transport, transports } from './transports.ts'

const names = Object.keys(transports) as Transport[]
const performing = new URL('perform.ts', import.meta.url).href

/** Many who follow one run. */
export const subscribers: Measurement = {
  compares: names,
  async measure(measuring) {
    const { quick, rounds, say } = measuring
    const many = quick ? 100 : 1_000
    const failures = new Map<Transport, string>()
    const found = await takeTurns(measuring, names, async (transport) => {
      if (failures.has(transport)) return []
      const following = { transport, subscribers: many, times: quick ? 20 : transports[transport].times }
      const { results, failed } = await inOwnDatabase<Following, Figures>(measuring, performing, following)
      say(`${transport.padEnd(15)} ${results.map(({ perSecond }) => `${figure(perSecond)} deliveries/s`).join('')}${failed ?? ''}`)
      if (results.length === 0) failures.set(transport, `\`${transport}\` did not finish: ${firstLine(failed)}.`)
      return results
    })
    const of = new Map([...found].flatMap(([name, all]) => (all.flat().length > 0 ? [[name, medians(all.flat())] as const] : [])))
    const head = [`${count(many)} subscribers of one run`, 'deliveries/s', 'deliveries', 'CPU ms of 1,000', 'kB each, idle', 'kB each, at most']
    const rows = [...of].map(([name, each]) => [`\`${name}\``, ...cells(each)])
    const abouts = [...found.keys()].map((name) => `- \`${name}\`: ${transports[name].about}`).join('\n')
    const native = names.filter((name) => transports[name].native && found.has(name))
    const aims = native.flatMap((name) => [
      atLeast(`deliveries/s to ${count(many)} subscribers over \`${name}\``, 100_000, of.get(name)?.perSecond),
      atMost(`memory of one of ${count(many)} subscribers over \`${name}\`, at its most`, 50, kB(of.get(name)?.busyBytesEach), ' kB'),
    ])
    return { markdown: sectionOf(table(head, rows), [...failures.values()].join(' '), abouts, `Medians of ${rounds}. ${notMeasured}`), charts: [], aims }
  },
}

const cells = (each: Figures): string[] => [
  figure(each.perSecond),
  count(each.deliveries),
  figure(each.cpuPerThousand),
  kilobytes(each.idleBytesEach),
  kilobytes(each.busyBytesEach),
]

const kB = (bytes: number | undefined): number | undefined => bytes && bytes / 1024

const notMeasured =
  'From the decision that lets the run go on to the last delivery of its last event, the work of the run itself included; memory is what the process of the server grew by. ' +
  'Not measured here: subscribers on other machines, slow ones, TLS. All subscribers are one process, which takes its part of the cores.'

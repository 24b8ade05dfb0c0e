import type { Measurement } from '../measurement.ts'
import { count, figure, kilobytes } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { inOwnDatabase, takeTurns } from '../race.ts'
import { medians } from '../statistics.ts'
import type { Figures, Task } from './perform.ts'
import { type Transport, transports } from './transports.ts'

const names = Object.keys(transports) as Transport[]
const whole = { subscribers: 1_000, times: 100 }
const some = { subscribers: 100, times: 20 }
const performing = new URL('perform.ts', import.meta.url).href

/** Many who follow one run. */
export const subscribers: Measurement = {
  compares: names,
  async measure(measuring) {
    const size = measuring.quick ? some : whole
    const rounds = await takeTurns(measuring, names, async (transport) => {
      const figures = await inOwnDatabase<Task, Figures>(measuring, performing, { transport, ...size })
      measuring.say(`${transport.padEnd(15)} ${figure(figures.perSecond)} deliveries/s`)
      return figures
    })
    const rows = [...rounds].map(([name, each]) => [`\`${name}\``, ...cells(medians(each))])
    const head = [`${count(size.subscribers)} subscribers of one run`, 'deliveries/s', 'deliveries', 'CPU ms of 1,000', 'kB each, idle', 'kB each, at most']
    const abouts = [...rounds.keys()].map((name) => `- \`${name}\`: ${transports[name]}`).join('\n')
    return { markdown: [table(head, rows), wanted, abouts, `Medians of ${measuring.rounds}. ${notMeasured}`].join('\n\n'), charts: [] }
  },
}

const cells = (each: Figures): string[] => [figure(each.perSecond), count(each.events), figure(each.cpuPerThousand), kilobytes(each.idleBytesEach), kilobytes(each.busyBytesEach)]

const wanted = 'Wanted over the native stream: 100,000 deliveries/s, at most 50 kB a subscriber.'

const notMeasured =
  'From the decision that lets the run go on to the last delivery of its last event, the work of the run itself included; memory is what the process of the server grew by. ' +
  'Not measured here: subscribers on other machines, slow ones, TLS. All subscribers are one process, which takes its part of the cores.'

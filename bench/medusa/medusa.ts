import type { Measurement } from '../measurement.ts'
import { atLeast } from '../page/aims.ts'
import { figureOrNone } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { abouts, methodOf, sectionOf } from '../page/words.ts'
import { race, type Results } from '../race.ts'
import { contestants, type Read, reads, type Run, runs } from './contestants.ts'

const from = new URL('contestants.ts', import.meta.url)
const mostRounds = 2
const atOnce = { runs: [1, 16], reads: [32] }

/** The same requests to Medusa's workflow engine and to Sluice, each behind HTTP. */
export const medusa: Measurement = {
  compares: Object.keys(contestants),
  async measure(given) {
    const measuring = { ...given, rounds: Math.min(mostRounds, given.rounds) }
    const ran = await race<Run>(measuring, { from, names: Object.keys(runs) as Run[], inFlight: atOnce.runs })
    const read = await race<Read>(measuring, { from, names: Object.keys(reads) as Read[], inFlight: atOnce.reads })
    const ratio = <Name extends string>({ of }: Results<Name>, one: Name, other: Name, at: number): number | undefined => {
      const [a, b] = [of.get(one)?.[at]?.perSecond, of.get(other)?.[at]?.perSecond]
      return a && b && a / b
    }
    return {
      markdown: sectionOf(
        tableOf('runs/s', ran),
        tableOf('reads/s', read),
        [...ran.unfinished, ...read.unfinished].join(' '),
        abouts(contestants, [...ran.of.keys(), ...read.of.keys()]),
        methodOf(measuring),
        notMeasured,
      ),
      charts: [],
      aims: [
        ...atOnce.runs.map((each, at) => atLeast(`runs/s as Medusa of Medusa's own, ${each} in flight`, 1, ratio(ran, 'sluice-execute', 'medusa-execute', at))),
        atLeast(`reads/s as Medusa of Medusa's own, ${atOnce.reads[0]} in flight`, 1, ratio(read, 'sluice-execution', 'medusa-execution-own', 0)),
      ],
    }
  },
}

function tableOf<Name extends string>(unit: string, { inFlight, of }: Results<Name>): string {
  const head = ['', ...inFlight.flatMap((each) => [`${unit}, ${each} in flight`, 'p50 ms', 'p99 ms', 'CPU ms Node', 'CPU ms PostgreSQL'])]
  const rows = [...of].map(([name, each]) => [`\`${name}\``, ...each.flatMap((at) => [at?.perSecond, at?.p50, at?.p99, at?.cpuNode, at?.cpuPostgres]).map(figureOrNone)])
  return of.size === 0 ? '' : table(head, rows)
}

const notMeasured =
  "Not measured here: the whole framework of Medusa, which has forty modules around it: its engine's own packages run behind a small server of its own checks and its route's own text. " +
  'What is promised differs: Medusa keeps a run in memory until it ends and then stores it, and one that dies with its process is not gone on with; its durable engine needs Redis, which is not measured.'

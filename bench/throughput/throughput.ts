import { type ContestantName, contestantNames } from '../contestant.ts'
import { inOwnProcess } from '../measured-process.ts'
import type { Measurement, Measuring } from '../measurement.ts'
import { figure } from '../page/figure.ts'
import { medians } from '../statistics.ts'
import type { Figures, Task } from './perform.ts'
import { section } from './section.ts'

const inFlight = [1, 16, 64, 256]
const quickInFlight = [1, 16]

/** By contestant, a figure for each number of runs in flight. */
export type Results = { inFlight: readonly number[]; of: Map<ContestantName, Figures[]> }

/** Runs of three steps, in a closed loop, beside what else does this on PostgreSQL. */
export const throughput: Measurement = {
  compares: contestantNames,
  async measure(measuring) {
    const levels = measuring.quick ? quickInFlight : inFlight
    const names = contestantNames.filter((name) => measuring.wants(name))
    const rounds = new Map(names.map((name) => [name, [] as Figures[][]]))
    for (let round = 0; round < measuring.rounds; round++) {
      for (const name of inTurn(names, round)) rounds.get(name)!.push(await once(measuring, name, levels))
    }
    const of = new Map([...rounds].map(([name, each]) => [name, levels.map((_, at) => medians(each.map((figures) => figures[at]!)))]))
    return section({ inFlight: levels, of }, measuring)
  },
}

/** A contestant that begins a round has its turn later in the next. */
const inTurn = <T>(names: readonly T[], round: number): T[] => names.map((_, at) => names[(at + round) % names.length]!)

async function once({ postgres, seconds, signal, say }: Measuring, contestant: ContestantName, levels: readonly number[]): Promise<Figures[]> {
  const figures = await postgres.withDatabase((databaseUrl) =>
    inOwnProcess<Task, Figures[]>(new URL('perform.ts', import.meta.url).href, { contestant, databaseUrl, postgresPid: postgres.pid, inFlight: levels, seconds }, signal),
  )
  say(`${contestant.padEnd(13)} ${figures.map(({ runsPerSecond }, at) => `${levels[at]}: ${figure(runsPerSecond)}/s`).join('   ')}`)
  return figures
}

import { inOwnProcess } from './measured-process.ts'
import type { Measuring } from './measurement.ts'
import { figure } from './page/figure.ts'
import type { Figures, Task } from './perform.ts'
import { medians } from './statistics.ts'

/** Who runs, and at how many in flight. */
export interface Field<Name extends string> {
  /** The address of the module that exports them as `contestants`. */
  from: URL
  names: readonly Name[]
  inFlight: readonly number[]
}

/** By contestant, figures for each number in flight. */
export interface Results<Name extends string> {
  inFlight: readonly number[]
  of: Map<Name, Figures[]>
}

const performing = new URL('perform.ts', import.meta.url).href

/** All that are wanted, each round each of them once: in a process, and on a database, of its own. Medians over the rounds. */
export async function race<Name extends string>(measuring: Measuring, field: Field<Name>): Promise<Results<Name>> {
  const { from, inFlight } = field
  const names = field.names.filter((name) => measuring.wants(name))
  const rounds = new Map(names.map((name) => [name, [] as Figures[][]]))
  const { postgres, seconds, signal, say } = measuring

  async function once(contestant: Name): Promise<Figures[]> {
    const figures = await postgres.withDatabase((databaseUrl) =>
      inOwnProcess<Task, Figures[]>(performing, { field: from.href, contestant, databaseUrl, postgresPid: postgres.pid, inFlight, seconds }, signal),
    )
    say(`${contestant.padEnd(13)} ${figures.map(({ perSecond, p50 }, at) => `${inFlight[at]}: ${figure(perSecond)}/s, p50 ${figure(p50)} ms`).join('   ')}`)
    return figures
  }

  for (let round = 0; round < measuring.rounds; round++) {
    for (const name of inTurn(names, round)) rounds.get(name)!.push(await once(name))
  }
  return { inFlight, of: new Map([...rounds].map(([name, each]) => [name, inFlight.map((_, at) => medians(each.map((figures) => figures[at]!)))])) }
}

/** Who begins a round is the last one of the next. */
const inTurn = <T>(names: readonly T[], round: number): T[] => names.map((_, at) => names[(at + round) % names.length]!)

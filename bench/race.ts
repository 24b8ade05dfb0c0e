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

/** All that are wanted, each in a process and on a database of its own, once a round. Medians over the rounds. */
export async function race<Name extends string>(measuring: Measuring, { from, names, inFlight }: Field<Name>): Promise<Results<Name>> {
  const { seconds, say } = measuring
  const rounds = await takeTurns(measuring, names, async (contestant) => {
    const figures = await inOwnDatabase<Omit<Task, 'databaseUrl' | 'postgresPid'>, Figures[]>(measuring, performing, { field: from.href, contestant, inFlight, seconds })
    say(`${contestant.padEnd(15)} ${figures.map(({ perSecond, p50 }, at) => `${inFlight[at]}: ${figure(perSecond)}/s, p50 ${figure(p50)} ms`).join('   ')}`)
    return figures
  })
  return { inFlight, of: new Map([...rounds].map(([name, each]) => [name, inFlight.map((_, at) => medians(each.map((figures) => figures[at]!)))])) }
}

/** Those that are wanted, each of them once a round: what each round gave. Who begins a round is the last one of the next. */
export async function takeTurns<Name extends string, T>({ rounds, wants }: Measuring, names: readonly Name[], once: (name: Name) => Promise<T>): Promise<Map<Name, T[]>> {
  const wanted = names.filter((name) => wants(name))
  const results = new Map(wanted.map((name) => [name, [] as T[]]))
  for (let round = 0; round < rounds; round++) {
    for (const at of wanted.keys()) {
      const name = wanted[(at + round) % wanted.length]!
      results.get(name)!.push(await once(name))
    }
  }
  return results
}

/** Where a measured process finds its database, and whose CPU is PostgreSQL's. */
export interface Place {
  databaseUrl: string
  postgresPid: number
}

/** Has a module's `perform` do the task on a fresh database. */
export const inOwnDatabase = <Given, Result>({ postgres, signal }: Measuring, module: string, task: Given): Promise<Result> =>
  postgres.withDatabase((databaseUrl) => inOwnProcess<Given & Place, Result>(module, { ...task, databaseUrl, postgresPid: postgres.pid }, signal))

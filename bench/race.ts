import { type Performed, inOwnProcess } from './measured-process.ts'
import type { Measuring } from './measurement.ts'
import { figure } from './page/figure.ts'
import { type Figures, type Task, silenceMs } from './perform.ts'
import { medians } from './statistics.ts'

/** Who runs, and at how many in flight. */
export interface Field<Name extends string> {
  /** The address of the module that exports them as `contestants`. */
  from: URL
  names: readonly Name[]
  inFlight: readonly number[]
}

/** By contestant, figures for each number in flight; none where it did not finish. */
export interface Results<Name extends string> {
  inFlight: readonly number[]
  of: Map<Name, (Figures | undefined)[]>
  /** A line for each that did not finish. */
  unfinished: string[]
}

const performing = new URL('perform.ts', import.meta.url).href

/**
 * All that are wanted, each in a process and on a database of its own, once a round. Medians over the rounds. Where one does
 * not finish, it is not asked again, nor for more in flight.
 */
export async function race<Name extends string>(measuring: Measuring, { from, names, inFlight }: Field<Name>): Promise<Results<Name>> {
  const { seconds, say } = measuring
  const unfinished = new Map<Name, string>()
  const able = new Map<Name, number>()
  const rounds = await takeTurns(measuring, names, async (contestant) => {
    const levels = inFlight.slice(0, able.get(contestant) ?? inFlight.length)
    if (levels.length === 0) return []
    const given = { field: from.href, contestant, inFlight: levels, seconds }
    const { results, failed } = await inOwnDatabase<Omit<Task, 'databaseUrl' | 'postgresPid'>, Figures>(measuring, performing, given, silenceMs(seconds))
    say(`${contestant.padEnd(15)} ${results.map(({ perSecond, p50 }, at) => `${levels[at]}: ${figure(perSecond)}/s, p50 ${figure(p50)} ms`).join('   ')}`)
    if (failed !== null) say(`${contestant.padEnd(15)} ${failed}`)
    if (results.length < levels.length) {
      able.set(contestant, results.length)
      unfinished.set(contestant, `\`${contestant}\` did not finish with ${levels[results.length]} in flight: ${firstLine(failed)}.`)
    }
    return results
  })
  const over = (each: readonly Figures[][], level: number): Figures | undefined => {
    const found = each.flatMap((figures) => figures[level] ?? [])
    return found.length > 0 ? medians(found) : undefined
  }
  return { inFlight, of: new Map([...rounds].map(([name, each]) => [name, inFlight.map((_, level) => over(each, level))])), unfinished: [...unfinished.values()] }
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

/** For those that open, work and close within it. */
const usualSilenceMs = 120_000

/** Has a module's `perform` do the task on a fresh database. */
export const inOwnDatabase = <Given, Result>(
  { postgres, signal }: Pick<Measuring, 'postgres' | 'signal'>,
  module: string,
  task: Given,
  silenceMs = usualSilenceMs,
): Promise<Performed<Result>> =>
  postgres.withDatabase((databaseUrl) => inOwnProcess<Given & Place, Result>(module, { ...task, databaseUrl, postgresPid: postgres.pid }, { signal, silenceMs }))

/** The one result of a task that has one. Throws why there is none. */
export function onlyOf<Result>({ results: [result], failed }: Performed<Result>): Result {
  if (result === undefined) throw new Error(failed ?? 'It gave nothing')
  return result
}

/** Of what a process failed with, for a table. */
export const firstLine = (failed: string | null): string =>
  (failed ?? 'no reason given')
    .split('\n')[0]!
    .replace(/^\w*Error: /, '')
    .replace(/\.$/, '')

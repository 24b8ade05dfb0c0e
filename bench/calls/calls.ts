import type { Repeated } from '../http-load/requests.ts'
import type { Measuring } from '../measurement.ts'
import { figure } from '../page/figure.ts'
import { firstLine, inOwnDatabase } from '../race.ts'
import { medians } from '../statistics.ts'
import type { CallFigures, CallResult, Task } from './perform.ts'

/** What one server is asked, one call after another. */
export interface OpenedCalls<Name extends string = string> {
  requests: Readonly<Record<Name, Repeated>>
  /** Answers when nothing goes on any more that a call has begun. */
  settled?(): Promise<void>
  close(): Promise<void>
}

export type OpenCalls<Name extends string = string> = (databaseUrl: string) => Promise<OpenedCalls<Name>>

/** By the name of the call, a line about it. */
export type Calls<Name extends string> = Readonly<Record<Name, string>>

/** Which module exports `open`, an `OpenCalls`; and how many of a call are in flight. */
export interface Asking<Name extends string> {
  from: URL
  calls: Calls<Name>
  inFlight: readonly number[]
}

/** By call, figures for each number in flight; none where it failed. */
export interface CallResults<Name extends string> {
  of: Map<Name, (CallFigures | undefined)[]>
  /** A line for each that failed. */
  failed: string[]
}

const performing = new URL('perform.ts', import.meta.url).href
/** There are many: a third of the time of other figures each, and two rounds of all. */
const shareOfSeconds = 1 / 3
export const mostRounds = 2

export const secondsOf = ({ seconds }: Pick<Measuring, 'seconds'>): number => seconds * shareOfSeconds

/** All calls that are wanted at one server, which is a new one on a fresh database in each round. Who begins is another one each time. Medians over the rounds. */
export async function askAll<Name extends string>(measuring: Measuring, { from, calls, inFlight }: Asking<Name>): Promise<CallResults<Name>> {
  const { wants, say } = measuring
  const rounds = Math.min(mostRounds, measuring.rounds)
  const names = (Object.keys(calls) as Name[]).filter((name) => wants(name))
  const found = new Map<string, CallResult[]>()
  const failed = new Map<string, string>()
  for (let round = 0; round < rounds; round++) {
    const turn = Math.floor((round * names.length) / rounds)
    const order = [...names.slice(turn), ...names.slice(0, turn)].filter((name) => !failed.has(name))
    const { results, failed: ended } = await inOwnDatabase<Omit<Task, 'databaseUrl' | 'postgresPid'>, CallResult>(measuring, performing, {
      from: from.href,
      calls: order,
      inFlight,
      seconds: secondsOf(measuring),
    })
    if (ended !== null) throw new Error(ended)
    for (const result of results) {
      found.set(result.name, [...(found.get(result.name) ?? []), result])
      if (result.failed !== null) failed.set(result.name, `\`${result.name}\` failed ${firstLine(result.failed).slice(0, 200)}.`)
      say(`${result.name.padEnd(26)} ${result.figures.map(({ perSecond, p50 }, at) => `${inFlight[at]}: ${figure(perSecond)}/s, p50 ${figure(p50)} ms`).join('   ')}`)
    }
  }
  const over = (name: string, level: number): CallFigures | undefined => {
    const all = (found.get(name) ?? []).flatMap((result) => result.figures[level] ?? [])
    return all.length > 0 ? medians(all) : undefined
  }
  return { of: new Map(names.map((name) => [name, inFlight.map((_, level) => over(name, level))])), failed: [...failed.values()] }
}

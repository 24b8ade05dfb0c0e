import type { Section } from '../measurement.ts'
import { type Aim, atMost } from '../page/aims.ts'
import { count, figure } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { sectionOf } from '../page/words.ts'
import type { Profiled } from './perform.ts'

/** No cause but PostgreSQL itself may take more of the CPU of a step. */
const most = 0.15
/** What takes less stands together. */
const least = 0.005
const leastOfStatements = 0.01

/** The tables of each that was profiled. */
export function section(found: readonly (readonly [name: string, each: Profiled])[], method: { inFlight: number; seconds: number }): Section {
  return { markdown: sectionOf(...found.map(([name, each]) => partOf(name, each)), methodOf(method)), charts: [], aims: found.map(([name, each]) => aimOf(name, each)) }
}

interface Share {
  cause: string
  /** Milliseconds of CPU of one run. */
  ms: number
  /** Whether it may not take too much: not so PostgreSQL, nor many together. */
  watched: boolean
}

function partOf(name: string, each: Profiled): string {
  const whole = each.cpuNode + each.cpuPostgres
  const shares = sharesOf(each)
  const shown = shares.filter(({ ms }) => ms / whole >= least)
  const rest = shares.filter(({ ms }) => ms / whole < least)
  const rows = shown.map((share) => rowOf(share, whole))
  if (rest.length > 0) rows.push(rowOf({ cause: `${rest.length} others, each below ${percent(least)}`, ms: sum(rest), watched: false }, whole))
  const above = shares.filter(({ watched, ms }) => watched && ms / whole > most)
  const verdict =
    above.length === 0
      ? `**Met**: no cause that is not PostgreSQL takes more than ${percent(most)} of the CPU of a step.`
      : `**Not met**: more than ${percent(most)} of the CPU of a step goes into ${above.map(({ cause, ms }) => `${cause} (${percent(ms / whole)})`).join(', ')}.`
  const title = `**\`${titleOf(name)}\`**: a run of three steps takes ${figure(whole)} ms of CPU, ${figure(each.cpuNode)} in Node and ${figure(each.cpuPostgres)} in PostgreSQL`
  return sectionOf(title, table(['cause', 'share of the CPU of a step', 'CPU µs a run'], rows), verdict, statementsOf(each))
}

function aimOf(name: string, each: Profiled): Aim {
  const [largest] = sharesOf(each).filter(({ watched }) => watched)
  const what = `CPU of a step through \`${titleOf(name)}\`: the largest cause that is not PostgreSQL (${largest?.cause ?? 'none'})`
  return atMost(what, most * 100, ((largest?.ms ?? 0) / (each.cpuNode + each.cpuPostgres)) * 100, ' %')
}

const titleOf = (name: string): string => name.replace('profile-', '')

const sharesOf = ({ causes, cpuPostgres }: Profiled): Share[] =>
  [...causes.map(([cause, ms]) => ({ cause, ms, watched: true })), { cause: 'PostgreSQL', ms: cpuPostgres, watched: false }].toSorted((a, b) => b.ms - a.ms)

function rowOf({ cause, ms, watched }: Share, whole: number): string[] {
  const share = percent(ms / whole)
  return [cause, watched && ms / whole > most ? `**${share}**` : share, count(ms * 1000)]
}

/** PostgreSQL's side: how its time divides among statements. */
function statementsOf({ statements }: Profiled): string {
  const whole = sum(statements)
  const shown = statements.filter(({ ms }) => ms / whole >= leastOfStatements)
  const rows = shown.map(({ name, calls, ms }) => [`\`${name.replaceAll('|', '\\|').replaceAll('`', "'")}\``, percent(ms / whole), figure(calls), count(ms * 1000)])
  return table(['statement', "share of PostgreSQL's statements", 'calls a run', 'µs a run'], rows)
}

const sum = (all: readonly { ms: number }[]): number => all.reduce((whole, { ms }) => whole + ms, 0)

const percent = (share: number): string => `${figure(share * 100)} %`

const methodOf = ({ inFlight, seconds }: { inFlight: number; seconds: number }): string =>
  `${inFlight} runs in flight, ${figure(seconds)} s after a warm-up. Self time of Node's main thread as V8's profiler samples it, idleness left out, brought to the CPU that the kernel counted; ` +
  'code of V8 itself is on the account of who called it. Statements by the time PostgreSQL took to plan and execute them (`pg_stat_statements`), waits for locks included; ' +
  'the way to PostgreSQL, COMMIT and the disk behind it are not in their times. The thread of the profiler and the process that sends HTTP requests are not counted; what else profiling and counting cost is in all of it.'

import type { Section } from '../measurement.ts'
import { chart } from '../page/chart.ts'
import { type Aim, atLeast, under } from '../page/aims.ts'
import { figure, kilobytes, megabytes } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { abouts, methodOf, sectionOf } from '../page/words.ts'
import type { Figures } from '../perform.ts'
import type { Results } from '../race.ts'
import { type Name, contestants } from './contestants.ts'

/** The tables and the chart. */
export function section(results: Results<Name>, method: { seconds: number; rounds: number }): Section {
  const names = [...results.of.keys()]
  const file = 'performance-throughput.svg'
  const markdown = sectionOf(
    `![Runs a second by runs in flight](${file})`,
    overview(results),
    results.unfinished.join(' '),
    ...results.inFlight.map((inFlight, at) => `**${inFlight} in flight**, and what a run costs\n\n${costs(results, at)}`),
    abouts(contestants, names),
    methodOf(method),
    notMeasured,
  )
  const series = names.map((name) => ({ name, points: pointsOf(results, name) })).filter(({ points }) => points.length > 0)
  return {
    markdown,
    charts: series.length === 0 ? [] : [{ file, svg: chart({ title: 'Durable runs of three steps', x: 'runs in flight', y: 'runs/s', series }) }],
    aims: aims(results),
  }
}

const pointsOf = ({ inFlight, of }: Results<Name>, name: Name): [number, number][] =>
  of.get(name)!.flatMap((figures, at): [number, number][] => (figures ? [[inFlight[at]!, figures.perSecond]] : []))

const notMeasured =
  'Not measured here: steps that do something, several servers on one database, a PostgreSQL on another machine (each round trip then costs its way), ' +
  'a table that is full already, a worker that dies. The load and what is loaded share the cores of one machine, and with `http` the sender takes its part of them too. ' +
  'Statements and transactions are counted at the connections of the contestant, with what it does beside (polling, signs of life), WAL and the CPU of PostgreSQL over all it did meanwhile; CPU in milliseconds of one core. ' +
  'Memory is that of the whole process after the load (RSS), and of all processes of PostgreSQL with what they share counted once (PSS).'

const baseline = 'group-commit'

/** Runs a second, and in brackets how much that is of the baseline's. */
function overview({ inFlight, of }: Results<Name>): string {
  const bare = of.get(baseline)
  const cell = (perSecond: number | undefined, at: number): string => {
    if (perSecond === undefined) return '–'
    const of = bare?.[at]?.perSecond
    return of ? `${figure(perSecond)} (${figure(perSecond / of)})` : figure(perSecond)
  }
  const rows = [...of].map(([name, figures]) => [`\`${name}\``, ...figures.map((each, at) => cell(each?.perSecond, at))])
  return table([`runs/s (of \`${baseline}\`)`, ...inFlight.map((each) => `${each} in flight`)], rows)
}

function costs({ of }: Results<Name>, at: number): string {
  const head = ['', 'runs/s', 'p50 ms', 'p99 ms', 'statements', 'transactions', 'WAL kB', 'CPU ms Node', 'CPU ms PostgreSQL', 'MB Node', 'MB PostgreSQL']
  return table(
    head,
    [...of].flatMap(([name, figures]) => (figures[at] ? [[`\`${name}\``, ...costsOf(figures[at])]] : [])),
  )
}

const costsOf = (each: Figures): string[] => [
  ...[each.perSecond, each.p50, each.p99, each.statements, each.transactions].map(figure),
  kilobytes(each.walBytes),
  ...[each.cpuNode, each.cpuPostgres].map(figure),
  ...[each.memoryNode, each.memoryPostgres].map(megabytes),
]

/** Beside contestants that were measured in the same run. */
function aims({ inFlight, of }: Results<Name>): Aim[] {
  const at = (name: Name, level: number): Figures | undefined => of.get(name)?.[inFlight.indexOf(level)]
  const ratio = (a: Name, b: Name, level: number): number | undefined => {
    const [one, other] = [at(a, level), at(b, level)]
    return one && other && one.perSecond / other.perSecond
  }
  return [
    atLeast("the engine's runs/s of the bare group commit's, 64 in flight", 0.5, ratio('engine', baseline, 64)),
    atLeast("runs/s over HTTP of the bare group commit's, 64 in flight", 1 / 3, ratio('http', baseline, 64)),
    under('p50 of a run through the engine, 64 in flight', 15, at('engine', 64)?.p50, ' ms'),
    atLeast("one run at a time: the engine's runs/s of DBOS's", 1, ratio('engine', 'dbos', 1)),
  ]
}

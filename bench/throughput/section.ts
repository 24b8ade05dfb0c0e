import type { Section } from '../measurement.ts'
import { chart } from '../page/chart.ts'
import { figure, kilobytes, megabytes } from '../page/figure.ts'
import { table } from '../page/table.ts'
import { abouts, methodOf } from '../page/words.ts'
import type { Figures } from '../perform.ts'
import type { Results } from '../race.ts'
import { type Name, contestants } from './contestants.ts'

/** The tables and the chart. */
export function section(results: Results<Name>, method: { seconds: number; rounds: number }): Section {
  const names = [...results.of.keys()]
  const file = 'performance-throughput.svg'
  const markdown = [
    `![Runs a second by runs in flight](${file})`,
    overview(results),
    aims(results),
    ...results.inFlight.map((inFlight, at) => `**${inFlight} in flight**, and what a run costs\n\n${costs(results, at)}`),
    abouts(contestants, names),
    methodOf(method),
    notMeasured,
  ]
  const series = names.map((name) => ({ name, points: results.of.get(name)!.map(({ perSecond }, at) => [results.inFlight[at]!, perSecond] as const) }))
  return {
    markdown: markdown.filter((part) => part !== '').join('\n\n'),
    charts: [{ file, svg: chart({ title: 'Durable runs of three steps', x: 'runs in flight', y: 'runs/s', series }) }],
  }
}

const notMeasured =
  'Not measured here: steps that do something, several servers on one database, a PostgreSQL on another machine (each round trip then costs its way), ' +
  'a table that is full already, a worker that dies. The load and what is loaded share the cores of one machine, and with `http` the sender takes its part of them too. ' +
  'Statements and transactions are counted at the connections of the contestant, with what it does beside (polling, signs of life), WAL and the CPU of PostgreSQL over all it did meanwhile; CPU in milliseconds of one core. ' +
  'Memory is that of the whole process after the load (RSS), and of all processes of PostgreSQL with what they share counted once (PSS).'

function overview({ inFlight, of }: Results<Name>): string {
  const rows = [...of].map(([name, figures]) => [`\`${name}\``, ...figures.map(({ perSecond }) => figure(perSecond))])
  return table(['runs/s', ...inFlight.map((each) => `${each} in flight`)], rows)
}

function costs({ of }: Results<Name>, at: number): string {
  const head = ['', 'runs/s', 'p50 ms', 'p99 ms', 'statements', 'transactions', 'WAL kB', 'CPU ms Node', 'CPU ms PostgreSQL', 'MB Node', 'MB PostgreSQL']
  return table(
    head,
    [...of].map(([name, figures]) => [`\`${name}\``, ...costsOf(figures[at]!)]),
  )
}

const costsOf = (each: Figures): string[] => [
  ...[each.perSecond, each.p50, each.p99, each.statements, each.transactions].map(figure),
  kilobytes(each.walBytes),
  ...[each.cpuNode, each.cpuPostgres].map(figure),
  ...[each.memoryNode, each.memoryPostgres].map(megabytes),
]

/** What the project wants of these figures; empty when not all of them were measured. */
function aims({ inFlight, of }: Results<Name>): string {
  const at = (name: Name, level: number): Figures | undefined => of.get(name)?.[inFlight.indexOf(level)]
  const [bare, engine, http, alone, dbos] = [at('group-commit', 64), at('engine', 64), at('http', 64), at('engine', 1), at('dbos', 1)]
  if (!bare || !engine || !http || !alone || !dbos) return ''
  const ratio = (a: Figures, b: Figures): number => a.perSecond / b.perSecond
  return table(
    ['aim', 'wanted', 'measured'],
    [
      ['the engine beside the bare group commit, 64 in flight', '0.5 of its runs/s', figure(ratio(engine, bare))],
      ['over HTTP beside the bare group commit, 64 in flight', '0.33', figure(ratio(http, bare))],
      ['p50 through the engine, 64 in flight', 'under 15 ms', figure(engine.p50)],
      ['one at a time beside DBOS', '1 or more', figure(ratio(alone, dbos))],
    ],
  )
}

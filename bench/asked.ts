import { parseArgs } from 'node:util'
import { type MeasurementName, measurementNames, measurements } from './measurements.ts'

/** What the command line asks for. */
export interface Asked {
  measurements: MeasurementName[]
  /** Of those compared within a measurement. */
  wants(name: string): boolean
  seconds: number
  rounds: number
  quick: boolean
  /** Whether everything is measured. */
  whole: boolean
  /** Whether docs/performance.md is written. */
  write: boolean
}

const compared = measurementNames.flatMap((name) => measurements[name].compares)

export const usage = `npm run bench -- [options]
  --only NAME    a measurement (${measurementNames.join(', ')})
                 or some of those compared (${compared.join(', ')}); may be given again
  --seconds N    of one figure, after its warm-up; 2.5 unless given
  --rounds N     medians are taken over so many; 3 unless given
  --quick        one round of one second, fewer points: to see that it works
  --write        write docs/performance.md though it is quick or not whole`

/** Throws with one line for what cannot be meant. */
export function readAsked(args: readonly string[]): Asked | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true, default: [] },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  const { only, quick } = values
  const known = [...measurementNames, ...compared]
  const unknown = only.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new Error(`--only knows no ${unknown}: say one of ${known.join(', ')}`)
  const chosen = only.filter((name) => compared.includes(name))
  return {
    measurements: measurementNames.filter((name) => only.length === 0 || only.includes(name) || measurements[name].compares.some((each) => chosen.includes(each))),
    wants: (name) => chosen.length === 0 || chosen.includes(name),
    seconds: positive('--seconds', values.seconds) ?? (quick ? 1 : 2.5),
    rounds: Math.ceil(positive('--rounds', values.rounds) ?? (quick ? 1 : 3)),
    quick,
    whole: only.length === 0,
    write: values.write || (!quick && chosen.length === 0 && values.seconds === undefined && values.rounds === undefined),
  }
}

function positive(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!(number > 0 && number <= 3_600)) throw new Error(`${option} is a number above 0, not ${text}`)
  return number
}

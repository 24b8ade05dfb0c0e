import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { figure } from './figure.ts'

/** Load of the last minute above which others were at work here too. */
const quietLoad = 0.5

/** How busy the machine is before anything is measured; null when it is quiet. */
export function busyBefore(): string | null {
  const [load = 0] = loadavg()
  return load > quietLoad ? `The machine was busy before the measurement began (load ${load.toFixed(1)} on ${availableParallelism()} cores): figures are not to be compared.` : null
}

/** What the figures are of: the line under a table. */
export function circumstances({ postgres, busy }: { postgres: string; busy: string | null }): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const machine = `${availableParallelism()} cores (${model}), ${figure(totalmem() / 1024 ** 3)} GiB, ${type()} ${release().split('-')[0]}`
  const versions = [`Node ${process.versions.node}`, `PostgreSQL ${postgres} with fsync on`, ...Object.entries(dependencies()).map(([name, version]) => `${name} ${version}`)]
  return [`Measured ${new Date().toISOString().slice(0, 10)} on ${machine}; ${versions.join(', ')}.`, ...(busy ? [`**${busy}**`] : [])].join(' ')
}

const dependencies = (): Record<string, string> =>
  (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { dependencies: Record<string, string> }).dependencies

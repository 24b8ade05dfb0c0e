import { readAsked, usage } from './asked.ts'
import type { Section } from './measurement.ts'
import { measurements } from './measurements.ts'
import { type Aim, aimsTable } from './page/aims.ts'
import { busyBefore, circumstances } from './page/machine.ts'
import { checkPlaces, writeSection } from './page/page.ts'
import { startPostgres } from './postgres.ts'

async function main(signal: AbortSignal): Promise<void> {
  const asked = readAsked(process.argv.slice(2))
  if (asked === 'help') return console.log(usage)
  if (asked.write) checkPlaces(asked.whole ? [...asked.measurements, 'aims'] : asked.measurements)
  const begun = performance.now()
  const busy = busyBefore()
  if (busy) console.log(busy)
  const postgres = await startPostgres()
  const aims: Aim[] = []
  const conditions = circumstances({ postgres: postgres.version, busy })

  function put(name: string, { markdown, charts }: Section): void {
    const section = { markdown: `${markdown}\n\n${conditions}`, charts }
    console.log(`\n${section.markdown}`)
    if (asked !== 'help' && asked.write) writeSection(name, section)
  }

  try {
    for (const name of asked.measurements) {
      console.log(`\n${name}, after ${minutes(begun)}`)
      const say = (line: string) => console.log(`  ${line}`)
      const section = await measurements[name].measure({ ...asked, postgres, signal, say }).catch((error: unknown) => {
        // One that fails does not cost what the others measure.
        if (signal.aborted) throw error
        process.exitCode = 1
        return failedSection(error)
      })
      aims.push(...(section.aims ?? []))
      put(name, { ...section, markdown: [aimsTable(section.aims ?? []), section.markdown].filter((part) => part !== '').join('\n\n') })
    }
    if (asked.whole) put('aims', { markdown: aimsTable(aims), charts: [] })
  } finally {
    await postgres.stop()
  }
  console.log(
    `\n${asked.write ? 'Written into docs/performance.md' : 'Nothing was written: only a whole run with its own seconds and rounds is, or with --write'}, after ${minutes(begun)}`,
  )
}

const failedSection = (error: unknown): Section => ({ markdown: `**Could not be measured**: ${error instanceof Error ? error.message : String(error)}`, charts: [] })

const minutes = (begun: number): string => `${((performance.now() - begun) / 60_000).toFixed(1)} min`

// Also when whoever started us is gone: nothing of ours outlives them, and no directory is left.
const stopped = new AbortController()
for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) process.once(event, () => stopped.abort())
process.channel?.unref()

try {
  await main(stopped.signal)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

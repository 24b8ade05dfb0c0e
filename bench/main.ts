import { readAsked, usage } from './asked.ts'
import { measurements } from './measurements.ts'
import { busyBefore, circumstances } from './page/machine.ts'
import { writeSection } from './page/page.ts'
import { startPostgres } from './postgres.ts'

async function main(signal: AbortSignal): Promise<void> {
  const asked = readAsked(process.argv.slice(2))
  if (asked === 'help') return console.log(usage)
  const busy = busyBefore()
  if (busy) console.log(busy)
  const postgres = await startPostgres()
  try {
    for (const name of asked.measurements) {
      console.log(`\n${name}`)
      const { markdown, charts } = await measurements[name].measure({ ...asked, postgres, signal, say: (line) => console.log(`  ${line}`) })
      const section = { markdown: `${markdown}\n\n${circumstances({ postgres: postgres.version, busy })}`, charts }
      console.log(`\n${section.markdown}`)
      if (asked.write) writeSection(name, section)
    }
  } finally {
    await postgres.stop()
  }
  console.log(asked.write ? '\nWritten into docs/performance.md' : '\nNothing was written: only a whole run with its own seconds and rounds is, or with --write')
}

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

#!/usr/bin/env node
import { exits } from './failure.ts'
import { run } from './program.ts'

// Whoever read our output may have gone: that is no reason to complain. That it could not be written is one.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
    if (stream === process.stdout) process.stderr.write(`The output cannot be written: ${error.message}\n`)
    process.exit(exits.failed)
  })
}
process.exitCode = await run(process.argv.slice(2))

#!/usr/bin/env node
import { run } from './program.ts'

// Whoever read our output may have gone: that is no reason to complain.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => process.exit())
process.exitCode = await run(process.argv.slice(2))

#!/usr/bin/env node
import { keepCompiled } from './command/compiled.ts'

// Before anything is loaded that could be kept: hence the imports below.
keepCompiled()
const { main } = await import('./command/line.ts')
await main(process.argv, async () => ({ ...(await import('./app.ts')), ...(await import('./operator.ts')) }))

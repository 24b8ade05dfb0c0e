#!/usr/bin/env node
// Nothing is imported before it is known that this can run it.
if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(`sluice-server needs Node 24 or newer, and this is Node ${process.versions.node}. Install Node 24 or newer, then start again.\n`)
  process.exit(1)
}
const { keepCompiled } = await import('./command/compiled.ts')
// Before anything is loaded that could be kept: hence the imports below.
keepCompiled()
const { main } = await import('./command/line.ts')
await main(process.argv, async () => ({ ...(await import('./app.ts')), ...(await import('./operator.ts')) }))

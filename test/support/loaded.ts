import { writeSync } from 'node:fs'
import { registerHooks } from 'node:module'

/** Imported before a program: at each SIGUSR2 it says what it has loaded until then, `Loaded 1: […]`, `Loaded 2: […]`. */
const loaded = new Set<string>()
let times = 0

registerHooks({
  load(url, context, next) {
    loaded.add(nameOf(url))
    return next(url, context)
  },
})

process.on('SIGUSR2', () => writeSync(1, `Loaded ${++times}: ${JSON.stringify([...loaded].sort())}\n`))

/** The package, or of what is known by more than its package, the file in it. */
function nameOf(url: string): string {
  const [, name = url, file = ''] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(url) ?? []
  return name === 'effect' ? `${name}/${file}` : name
}

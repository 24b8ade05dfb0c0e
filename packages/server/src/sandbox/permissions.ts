import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * What a child is started with. The boundary is the interpreter; Node's permissions are the second belt: the child may
 * read its own program and the interpreter's files, and may write nothing and start nothing.
 */
export function childArguments(): string[] {
  const readable = [dirname(childProgram()) + sep, fileURLToPath(new URL('../../package.json', import.meta.url)), ...interpreterFolders()]
  return ['--permission', ...readable.map((path) => `--allow-fs-read=${path}`), '--max-old-space-size=128', '--disallow-code-generation-from-strings']
}

/** `child.ts` among the sources, `child.js` among what was built. */
export const childProgram = () => fileURLToPath(new URL(`./child${extname(import.meta.url)}`, import.meta.url))

/** The folders of the interpreter and all it depends on, as they are named in node_modules and where they really are. */
function interpreterFolders(): string[] {
  const folders = new Set<string>()
  const add = (name: string, from: string): void => {
    const named = (createRequire(from).resolve.paths(name) ?? []).map((folder) => join(folder, name)).find((folder) => existsSync(folder))
    if (!named) throw new Error(`${name} is not installed`)
    const real = realpathSync(named)
    folders.add(named + sep)
    if (folders.has(real + sep)) return
    folders.add(real + sep)
    const manifest = join(real, 'package.json')
    const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies?: Record<string, string> }
    for (const dependency of Object.keys(dependencies)) add(dependency, manifest)
  }
  add('quickjs-emscripten', import.meta.url)
  return [...folders]
}

import { existsSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { StartRefused } from '../store/refused.ts'
import { guardLoading } from './guard.ts'
import { isWritten, type WrittenWorkflow } from './written.ts'

/** A workflow, and the module that it was found in: for who has to be told what is wrong with it. */
export interface Loaded {
  file: string
  workflow: WrittenWorkflow
}

/** So much is looked through. A folder that has more is not one of workflows. */
const most = { depth: 8, files: 1_000 }

/** A module may take so long to load, with all that it imports. */
const moduleMs = 20_000

/**
 * The workflows that the modules of a folder export, those of its subfolders too, in the order of their paths. Every module is
 * imported, but for tests and declarations. Throws StartRefused, which names the file, for one that cannot be loaded.
 */
export async function loadWorkflows(folder: string, { patienceMs = moduleMs }: { patienceMs?: number } = {}): Promise<Loaded[]> {
  const files = await modulesOf(folder)
  const guard = guardLoading(files.map(shown), patienceMs)
  try {
    const loaded: Loaded[] = []
    for (const [at, file] of files.entries()) {
      guard.loading(at)
      const exported = await importModule(file, patienceMs)
      loaded.push(...exported.map((workflow) => ({ file: shown(file), workflow })))
    }
    return once(loaded)
  } finally {
    guard.done()
  }
}

/** Of one name there is one that is current, by whichever modules it is exported. Throws StartRefused where there are two. */
export function once(loaded: readonly Loaded[]): Loaded[] {
  const found = new Map<WrittenWorkflow, Loaded>()
  for (const each of loaded) if (!found.has(each.workflow)) found.set(each.workflow, each)
  const current = new Map<string, Loaded>()
  for (const each of found.values()) {
    const { name, superseded } = each.workflow
    if (superseded) continue
    const other = current.get(name)
    if (other) throw new StartRefused(`Two workflows are named ${name}, in ${other.file} and in ${each.file}: rename one, or mark the older one with superseded: true`)
    current.set(name, each)
  }
  return [...found.values()]
}

const isModule = (name: string): boolean => /\.(m?ts|m?js)$/.test(name) && !/\.(d|test)\.m?[tj]s$/.test(name)

async function modulesOf(folder: string): Promise<string[]> {
  const found: string[] = []
  const look = async (at: string, depth: number): Promise<void> => {
    if (depth > most.depth) throw new StartRefused(`${shown(at)} lies too deep: workflows are looked for in ${most.depth} levels of folders`)
    for (const entry of await entriesOf(at)) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue
      const path = join(at, entry.name)
      if (entry.isDirectory()) await look(path, depth + 1)
      else if (isModule(entry.name) && (entry.isFile() || (await leadsToFile(path)))) found.push(path)
      if (found.length > most.files) throw new StartRefused(`${shown(folder)} has more than ${most.files} modules: name the folder of the workflows alone`)
    }
  }
  await look(folder, 1)
  return found.sort()
}

const entriesOf = (folder: string) =>
  readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    const why = { ENOENT: 'does not exist', ENOTDIR: 'is not a folder' }[error.code ?? ''] ?? `cannot be read: ${firstLine(error)}`
    throw new StartRefused(`The folder of workflows ${folder} ${why}`, { cause: error })
  })

/** A link to a folder leads nowhere: it could lead in circles. */
const leadsToFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )

async function importModule(file: string, patienceMs: number): Promise<WrittenWorkflow[]> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new StartRefused(tooLate(shown(file), patienceMs))), patienceMs)
  try {
    const exports = (await Promise.race([import(pathToFileURL(file).href), late.promise])) as Record<string, unknown>
    return Object.values(exports).filter(isWritten)
  } catch (error) {
    if (error instanceof StartRefused) throw error
    throw new StartRefused(`${shown(file)} cannot be loaded: ${reasonOf(error, file)}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

export const tooLate = (file: string, patienceMs: number): string => `${file} is not loaded after ${patienceMs / 1000} s: what it awaits or does at its top level does not end`

/** In one line, with the place where there is one, and the way to mend it where we know that. */
function reasonOf(error: unknown, file: string): string {
  if (!(error instanceof Error)) return String(error)
  const said = firstLine(error)
  const [, path, line] = placeOf(error.stack ?? '') ?? []
  const place = path === undefined ? '' : pathOf(path) === file ? ` (line ${line})` : ` (${shown(pathOf(path))}, line ${line})`
  const remedy = remedyOf(said)
  return `${said}${place}${remedy === null ? '' : `: ${remedy}`}`
}

const ours = dirname(fileURLToPath(import.meta.url)) + sep
const isTheirs = (path: string): boolean => !pathOf(path).startsWith(ours) && !path.includes('/node_modules/')

/** Of syntax the stack begins with it; what was thrown is told of by the first line that is neither ours nor a package's. */
const placeOf = (stack: string): RegExpMatchArray | null =>
  /^((?:file:\/)?\/.+):(\d+)\n/.exec(stack) ?? [...stack.matchAll(/^ {4}at .*?(file:\/\/\/.+?):(\d+):\d+\)?$/gm)].find(([, path]) => isTheirs(path!)) ?? null

const remedies: readonly [said: RegExp, remedy: string][] = [
  [
    / in strip-only mode$/,
    'Node runs TypeScript by leaving its types out. Write an object `as const` for an enum, and fields for parameter properties; `erasableSyntaxOnly` in tsconfig.json finds them',
  ],
  [/ does not provide an export named /, 'where that is a type, say `import type`'],
  [/^Cannot find package '@sluice\/server'/, 'install it in the project of the folder, as docs/code.md says'],
]

/** Null: nothing is known. */
function remedyOf(said: string): string | null {
  const [, missing] = /^Cannot find module '([^']+)'/.exec(said) ?? []
  const written = missing?.replace(/(\.js)?$/, '.ts')
  if (written !== undefined && existsSync(written)) return `an import names the file as it is there, ${basename(written)}`
  return remedies.find(([of]) => of.test(said))?.[1] ?? null
}

const pathOf = (given: string): string => (given.startsWith('file:') ? fileURLToPath(given) : given)

const firstLine = ({ message }: Error): string => message.split('\n')[0]!

/** As whoever started us would write it. */
function shown(path: string): string {
  const near = relative(process.cwd(), path)
  return near === '' || near.startsWith('..') || isAbsolute(near) ? path : near
}

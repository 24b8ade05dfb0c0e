import { type ExecFileException, execFile } from 'node:child_process'
import { cp, mkdir, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, matchesGlob, relative } from 'node:path'
import { promisify } from 'node:util'

/**
 * A Dockerfile as a script: each stage is a folder that stands for the root of its file system, COPY copies, RUN runs in a shell
 * whose working directory is the one that the stage would have. What it does not know it refuses. No container runtime takes part: users,
 * layers, namespaces and the base images themselves are not tried by it.
 */

export interface Stage {
  name: string
  base: string
  /** Stands for `/`. */
  root: string
  workdir: string
  env: Record<string, string>
  user: string | null
  volumes: string[]
  ports: string[]
  stopSignal: string
  entrypoint: string[]
  command: string[]
  healthcheck: { command: string[]; options: Record<string, string> } | null
}

interface Instruction {
  name: string
  text: string
}

/** Lines that go together, without comments. */
export function instructionsOf(dockerfile: string): Instruction[] {
  const lines = dockerfile
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const [, name, text] = /^([A-Z]+)\s+(.+)$/.exec(line) ?? []
      if (name === undefined) throw new Error(`Not an instruction: ${line}`)
      return { name, text: text! }
    })
}

/** Whether a path of the context is left out: the last rule that fits decides (.dockerignore). */
export function ignores(rules: string): (path: string) => boolean {
  const said = rules
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => (line.startsWith('!') ? { keeps: true, glob: line.slice(1) } : { keeps: false, glob: line }))
  // A star is any name here, that of a hidden file too.
  const shown = (path: string): string => path.replaceAll(/(?<=^|\/)\./g, '·')
  const fits = (path: string, glob: string): boolean => {
    const parts = shown(path).split('/')
    return parts.some((_, at) => matchesGlob(parts.slice(0, at + 1).join('/'), shown(glob)))
  }
  return (path) => said.reduce((left, { keeps, glob }) => (fits(path, glob) ? !keeps : left), false)
}

export interface Building {
  /** The folder of the Dockerfile, and what of it is taken. */
  context: string
  files: readonly string[]
  /** A folder for the stages. */
  into: string
  /** What a step of the build finds in its environment beside what the stage says: the way to programs, above all. */
  env: Record<string, string>
}

/** Builds all stages; gives the last. */
export async function build({ context, files, into, env }: Building): Promise<Stage> {
  const ignored = ignores(await readFile(join(context, '.dockerignore'), 'utf8'))
  const sent = files.filter((path) => !ignored(path))
  const stages: Stage[] = []
  for (const { name, text } of instructionsOf(await readFile(join(context, 'Dockerfile'), 'utf8'))) {
    if (name === 'FROM') {
      stages.push(await stageOf(text, join(into, String(stages.length))))
      continue
    }
    const stage = stages.at(-1)
    if (!stage) throw new Error(`${name} stands before FROM`)
    await follow(stage, { name, text }, { stages, context, sent, env })
  }
  return stages.at(-1)!
}

async function stageOf(text: string, root: string): Promise<Stage> {
  const [base, as, name] = text.split(/\s+/)
  if (as !== undefined && as !== 'AS') throw new Error(`FROM ${text}`)
  await mkdir(root, { recursive: true })
  return {
    name: name ?? '',
    base: base!,
    root,
    workdir: '/',
    env: {},
    user: null,
    volumes: [],
    ports: [],
    stopSignal: 'SIGTERM',
    entrypoint: [],
    command: [],
    healthcheck: null,
  }
}

interface Around {
  stages: readonly Stage[]
  context: string
  sent: readonly string[]
  env: Record<string, string>
}

async function follow(stage: Stage, { name, text }: Instruction, around: Around): Promise<void> {
  switch (name) {
    case 'WORKDIR':
      stage.workdir = join(stage.workdir, text)
      return void (await mkdir(join(stage.root, stage.workdir), { recursive: true }))
    case 'COPY':
      return copy(stage, text, around)
    case 'RUN':
      return run(stage, text, around.env)
    case 'ENV':
      for (const [, key, value] of text.matchAll(/([A-Z_]+)=(\S+)/g)) stage.env[key!] = value!
      return
    case 'USER':
      stage.user = text
      return
    case 'VOLUME':
      stage.volumes = list(text)
      return
    case 'EXPOSE':
      stage.ports = text.split(/\s+/)
      return
    case 'STOPSIGNAL':
      stage.stopSignal = text
      return
    case 'ENTRYPOINT':
      stage.entrypoint = list(text)
      return
    case 'CMD':
      stage.command = list(text)
      return
    case 'HEALTHCHECK': {
      const [options, command] = text.split(/\sCMD\s/)
      stage.healthcheck = { command: list(command!), options: Object.fromEntries([...options!.matchAll(/--([a-z-]+)=(\S+)/g)].map(([, key, value]) => [key!, value!])) }
      return
    }
    default:
      throw new Error(`Not known: ${name} ${text}`)
  }
}

/** In the form that starts no shell. */
function list(text: string): string[] {
  const said: unknown = JSON.parse(text)
  if (!Array.isArray(said) || !said.every((each) => typeof each === 'string')) throw new Error(`Not a list of texts: ${text}`)
  return said
}

async function copy(stage: Stage, text: string, { stages, context, sent }: Around): Promise<void> {
  const words = text.split(/\s+/)
  const from = words[0]!.startsWith('--from=') ? words.shift()!.slice(7) : null
  const to = words.pop()!
  const target = join(stage.root, to.startsWith('/') ? to : join(stage.workdir, to))
  for (const word of words) {
    if (from !== null) {
      const source = stages.find((each) => each.name === from)
      if (!source) throw new Error(`COPY --from=${from}: there is no such stage`)
      const place = await placeOf(join(source.root, word), target, to, word)
      // A stage is asked for what it made once, so it may as well be moved: it is tens of thousands of files.
      await rm(place, { recursive: true, force: true })
      await rename(join(source.root, word), place)
      continue
    }
    const taken = sent.filter((path) => path === word || path.startsWith(`${word.replace(/\/$/, '')}/`))
    if (taken.length === 0) throw new Error(`COPY ${text}: nothing of the context is called ${word}`)
    for (const path of taken) {
      const within = path === word ? (to.endsWith('/') || to === '.' || words.length > 1 ? path.split('/').at(-1)! : '') : relative(word, path)
      const place = join(target, within)
      await mkdir(dirname(place), { recursive: true })
      await cp(join(context, path), place)
    }
  }
}

/** A folder is copied by what is in it, a file under the name that is said. */
async function placeOf(source: string, target: string, to: string, word: string): Promise<string> {
  const isFolder = (await stat(source)).isDirectory()
  await mkdir(isFolder ? target : dirname(target), { recursive: true })
  return isFolder || !to.endsWith('/') ? target : join(target, word.split('/').at(-1)!)
}

async function run(stage: Stage, text: string, env: Record<string, string>): Promise<void> {
  // Paths from the root mean that of the stage; owners are not ours to change.
  const here = text.replaceAll(/(?<=^|\s)\/(?=[a-z])/g, `${stage.root}/`).replaceAll(/\s*&&\s*chown [^&]+/g, '')
  try {
    await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', here], {
      cwd: join(stage.root, stage.workdir),
      env: { ...env, ...stage.env },
      maxBuffer: 64 * 1024 * 1024,
      timeout: 400_000,
    })
  } catch (error) {
    const { stdout, stderr } = error as ExecFileException & { stdout: string; stderr: string }
    throw new Error(`RUN ${text} failed:\n${stdout}${stderr}`.slice(0, 4_000), { cause: error })
  }
}

/** Every path below a folder that changed after a moment, links left out. */
export async function changedSince(folder: string, since: number): Promise<string[]> {
  const all = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = all.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name))
  const times = await Promise.all(files.map((path) => stat(path).then(({ mtimeMs }) => mtimeMs)))
  return files.filter((_, at) => times[at]! > since).map((path) => relative(folder, path))
}

// npm start, npm test …: sees to it that the workspace is installed, then runs the command in it with its own Node.
// Plain JavaScript for Node 18: this runs before anything is installed.
import { join, resolve } from 'node:path'
import { attend } from './attend.mjs'
import { install, node, root } from './workspace.mjs'

const server = join(root, 'packages/server/src/main.ts')
const commands = {
  serve: [server, 'serve'],
  test: [join(root, '.ci/test.mjs')],
  pack: [join(root, '.ci/pack.mjs')],
  bench: [join(root, 'bench/main.ts')],
  'sluice-server': [server],
}

/** Where the server keeps what is compiled (command/compiled.ts). Told beforehand, so that nothing is left to be compiled. */
const compiled = join(root, 'packages/server/node_modules/.cache/compiled')

const [name, ...rest] = fromCaller(process.argv.slice(2))
const command = commands[name]

try {
  if (!command) throw new Error(`Say one of: ${Object.keys(commands).join(', ')}`)
  await install()
  if (name === 'bench') await install(join(root, 'bench'))
  attend(node(), [...command, ...rest], command[0] === server ? { NODE_COMPILE_CACHE: compiled, ...process.env } : process.env)
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

/** npm runs us at the root: a folder is meant from where it was typed. */
function fromCaller(args) {
  const folder = (path) => resolve(process.env.INIT_CWD ?? process.cwd(), path)
  return args.map((arg, at) => (args[at - 1] === '--workflows' ? folder(arg) : arg.replace(/^(--workflows=)(.+)/, (_, flag, path) => flag + folder(path))))
}

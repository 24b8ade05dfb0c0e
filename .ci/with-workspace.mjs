// npm start, npm test …: sees to it that the workspace is installed, then runs the command in it with its own Node.
// Plain JavaScript for Node 18: this runs before anything is installed.
import { join } from 'node:path'
import { attend } from './attend.mjs'
import { install, node, root } from './workspace.mjs'

const commands = {
  serve: [join(root, 'packages/server/src/main.ts'), 'serve'],
  test: [join(root, '.ci/test.mjs')],
  pack: [join(root, '.ci/pack.mjs')],
  bench: [join(root, 'bench/main.ts')],
  'sluice-server': [join(root, 'packages/server/src/main.ts')],
}

const [name, ...rest] = process.argv.slice(2)
const command = commands[name]

try {
  if (!command) throw new Error(`Say one of: ${Object.keys(commands).join(', ')}`)
  await install()
  if (name === 'bench') await install(join(root, 'bench'))
  attend(node(), [...command, ...rest])
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}

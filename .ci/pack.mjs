// npm run pack: the SDK and the server as npm would bring them, as tarballs in packed/.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pnpm, root } from './workspace.mjs'

const folder = join(root, 'packed')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)

run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', 'packages/client/src/cli', 'packages/server'], { cwd: root, stdio: 'inherit' })
for (const name of ['schema', 'client', 'server']) {
  // pnpm, because it puts what `publishConfig` says into the manifest, and versions for `workspace:`.
  run('npx', ['-y', pnpm, 'pack', '--out', join(folder, `sluice-${name}.tgz`)], { cwd: join(root, 'packages', name), stdio: ['ignore', 'ignore', 'inherit'] })
  process.stdout.write(`packed/sluice-${name}.tgz\n`)
}

/** What went wrong was said by the program itself. */
function run(program, args, options) {
  const { status, error } = spawnSync(program, args, options)
  if (error) process.stderr.write(`${program} cannot be run: ${error.message}\n`)
  if (status !== 0) process.exit(status ?? 1)
}

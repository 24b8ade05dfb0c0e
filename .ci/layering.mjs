// Who imports whom. Proves that it really looked: enough modules, and a planted fault that must be found.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from './workspace.mjs'

/** Alone, dependency-cruiser finds no reader for TypeScript 7, cruises nothing and is content. */
const leastModules = 100
const packages = readdirSync(join(root, 'packages'))

function cruise(directory) {
  const sources = packages.map((name) => `packages/${name}/src`)
  const command = join(root, 'node_modules/.bin/depcruise')
  const { stdout, stderr, status } = spawnSync(command, [...sources, '--config', '.dependency-cruiser.cjs', '--output-type', 'json'], {
    cwd: directory,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  })
  try {
    return JSON.parse(stdout).summary
  } catch {
    throw new Error(`dependency-cruiser ended with ${status}: ${stderr}`)
  }
}

/** A copy of the sources in which the store, the lowest room, looks up into the engine. */
function withFault() {
  const copy = mkdtempSync(join(tmpdir(), 'sluice-layering-'))
  try {
    for (const file of ['.dependency-cruiser.cjs', 'package.json', 'pnpm-workspace.yaml']) cpSync(join(root, file), join(copy, file))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    for (const name of packages) {
      mkdirSync(join(copy, 'packages', name), { recursive: true })
      for (const part of ['src', 'package.json']) cpSync(join(root, 'packages', name, part), join(copy, 'packages', name, part), { recursive: true })
      symlinkSync(join(root, 'packages', name, 'node_modules'), join(copy, 'packages', name, 'node_modules'))
    }
    writeFileSync(join(copy, 'packages/server/src/store/planted.ts'), `export { type Engine } from '../engine/engine.ts'\n`)
    return cruise(copy)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

const { violations, totalCruised } = cruise(root)
for (const { rule, from, to } of violations) process.stdout.write(`${rule.name}: ${from} -> ${to}\n`)
if (totalCruised < leastModules) process.stdout.write(`only ${totalCruised} modules were read: the rules did not look at the sources\n`)
const found = withFault().violations.some(({ rule, from }) => rule.name === 'store-looks-only-down' && from.endsWith('store/planted.ts'))
if (!found) process.stdout.write('a planted fault was not found: the rules do not work\n')
process.stdout.write(`${totalCruised} modules, ${violations.length} violations\n`)
process.exitCode = violations.length > 0 || totalCruised < leastModules || !found ? 1 : 0

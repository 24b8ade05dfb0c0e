import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { here } from '../support/processes.ts'

/** Where modules outside of this repository find what they are written with. */
export const face = here('../../packages/server/src/index.ts')

export interface Folder extends AsyncDisposable {
  path: string
}

/** A folder of modules, as somebody has it beside their server. Each begins with what it is written with. */
export async function folder(modules: Record<string, string>): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-workflows-'))
  for (const [name, text] of Object.entries(modules)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), `import { defineWorkflow, type } from ${JSON.stringify(face)}\n${text}\n`)
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** A workflow of one step, which says what it is told to say. */
export const saying = (name: string, text: string, options = '{}'): string =>
  `export const ${name} = defineWorkflow('${name}', ${options}, (w) => w.step('say', { invoke: () => '${text}' }))`

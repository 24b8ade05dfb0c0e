import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ImportWorkflow, limits, type Workflow, type WorkflowFile, workflowFormat } from '@sluice/schema'
import type { Sluice } from '../client.ts'
import { NotFoundError } from '../errors.ts'
import { Failure } from './failure.ts'
import { jsonFile } from './json-argument.ts'
import { replace } from './replace.ts'

/** Writes a file for each, and gives their names. What is no file of a workflow stays as it is. */
export async function exportAll(sluice: Sluice, { out, only, versions }: { out: string; only: readonly string[]; versions: string }): Promise<string[]> {
  const paths: string[] = []
  const seen = new Map<string, string>()
  for await (const workflow of asked(sluice, only)) {
    const file = await fileOf(sluice, workflow, versions)
    const path = join(out, `${file.handle}.json`)
    // Not every file system tells capitals apart.
    const before = seen.get(path.toLowerCase())
    if (before !== undefined) throw new Failure(`${file.handle} and ${before} would be one file: export one of them with --out -`)
    seen.set(path.toLowerCase(), file.handle)
    await mkdir(out, { recursive: true }).catch((error: Error) => {
      throw new Failure(`${out} cannot be written: ${error.message}`)
    })
    await refuseOthers(path)
    await replace(path, textOf(file))
    paths.push(path)
  }
  return paths
}

/** The text of the file of the one that is named. */
export async function exportOne(sluice: Sluice, only: readonly string[], versions: string): Promise<string> {
  const [workflow, another] = only
  if (workflow === undefined || another !== undefined) throw new Failure('Name one workflow to print: others would go into one text')
  return textOf(await fileOf(sluice, workflow, versions)).trimEnd()
}

export async function importFile(sluice: Sluice, path: string): Promise<Workflow> {
  const file = ImportWorkflow.safeParse(await jsonFile(path))
  if (file.success) return sluice.workflows.import(file.data)
  const [issue] = file.error.issues
  const where = issue?.path.join('.')
  throw new Failure(`${path} is no file of a workflow (${workflowFormat}): ${where ? `${where}: ` : ''}${issue?.message ?? ''}`)
}

const textOf = (file: WorkflowFile): string => `${JSON.stringify(file, null, 2)}\n`

async function* asked(sluice: Sluice, only: readonly string[]): AsyncGenerator<string, void, undefined> {
  if (only.length > 0) return yield* new Set(only)
  // What is written in TypeScript is published from there: brought to another server it would stand in its way.
  for await (const { id, origin } of sluice.workflows.list()) if (origin === 'drawn') yield id
}

async function fileOf(sluice: Sluice, workflow: string, given: string): Promise<WorkflowFile> {
  const versions = Number(given)
  if (!/^\d{1,3}$/.test(given) || versions > limits.filedVersions) throw new Failure(`--versions ${given} is no number from 0 to ${limits.filedVersions}`)
  return sluice.workflows.export({ workflow, versions }).catch((error: unknown) => {
    throw error instanceof NotFoundError ? new Failure(`There is no workflow ${workflow}`) : error
  })
}

async function refuseOthers(path: string): Promise<void> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw new Failure(`${path} cannot be read: ${error.message}`)
  })
  if (text !== null && !/^\{\s*"format":\s*"sluice\.workflow\//.test(text))
    throw new Failure(`${path} is no file of a workflow, and stays as it is. Write somewhere else with --out`)
}

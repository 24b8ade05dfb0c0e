import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'

const here = (path: string): URL => new URL(path, import.meta.url)
/** The types of a committed document beside a copy of the program that uses them, in a folder that is gone with its holder. */
export async function generated(document: 'sluice' | 'pyspur', program: string): Promise<AsyncDisposable & { folder: string }> {
  await mkdir(here('.generated/'), { recursive: true })
  const folder = await mkdtemp(fileURLToPath(here('.generated/client-')))
  await writeFile(`${folder}/${document}.ts`, astToString(await openapiTS(here(`../../openapi/${document}.json`))))
  await copyFile(here(program), `${folder}/program.ts`)
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

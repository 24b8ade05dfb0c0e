import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'

const here = (path: string): URL => new URL(path, import.meta.url)
const document = here('../../openapi/sluice.json')

/** The types of the committed document beside a copy of the program that uses them, in a folder that is gone with its holder. */
export async function generated(): Promise<AsyncDisposable & { folder: string }> {
  await mkdir(here('.generated/'), { recursive: true })
  const folder = await mkdtemp(fileURLToPath(here('.generated/client-')))
  await writeFile(`${folder}/sluice.ts`, astToString(await openapiTS(document)))
  await copyFile(here('program.ts'), `${folder}/program.ts`)
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

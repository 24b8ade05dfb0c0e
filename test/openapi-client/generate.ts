import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { createClient } from '@hey-api/openapi-ts'
import openapiTS, { astToString } from 'openapi-typescript'

const here = (path: string): URL => new URL(path, import.meta.url)

export const documents = ['sluice', 'pyspur', 'orchestrator', 'medusa', 'pocketbase', 'playground', 'openai'] as const
/** What is written against the clients: three with openapi-fetch, one with the functions of openapi-ts. */
export const programs = ['program.ts', 'pyspur-program.ts', 'faces-program.ts', 'sdk-program.ts'] as const

/**
 * The clients of all committed documents beside copies of the programs that use them, in a folder that is gone with its holder:
 * `NAME.ts` are the types for openapi-fetch, `sdk/NAME/` is what `@hey-api/openapi-ts` makes.
 */
export async function generated(): Promise<AsyncDisposable & { folder: string }> {
  await mkdir(here('.generated/'), { recursive: true })
  const folder = await mkdtemp(fileURLToPath(here('.generated/client-')))
  for (const name of documents) {
    const document = here(`../../openapi/${name}.json`)
    await writeFile(`${folder}/${name}.ts`, astToString(await openapiTS(document)))
    await createClient({
      // It writes into what it is given.
      input: JSON.parse(await readFile(document, 'utf8')) as Record<string, unknown>,
      output: { path: `${folder}/sdk/${name}`, module: { extension: '.ts' } },
      plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
      logs: { level: 'silent' },
    })
  }
  for (const program of programs) await copyFile(here(program), `${folder}/${program}`)
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

import { rename, rm, writeFile } from 'node:fs/promises'
import { Failure } from './failure.ts'

/** At once: who watches the file never reads half of it. */
export async function replace(path: string, text: string): Promise<void> {
  const next = `${path}.${process.pid}`
  try {
    await writeFile(next, text)
    await rename(next, path)
  } catch (error) {
    await rm(next, { force: true })
    throw new Failure(`${path} cannot be written: ${(error as Error).message}`)
  }
}

// A process of its own: performs one task of the module that it was told, tells each result at once, and ends.
import type { Said } from './measured-process.ts'

const module = (await import(process.argv[2]!)) as { perform(task: unknown): AsyncIterable<unknown> }

process.on('disconnect', () => process.exit(0))
process.once('message', ({ task }: { task: unknown }) => {
  const tell = (said: Said<unknown>, then?: () => void) => process.send!(said, () => then?.())
  const end = (failed: string | null) => tell({ failed }, () => process.exit(0))
  const all = async (): Promise<void> => {
    for await (const result of module.perform(task)) tell({ result })
  }
  all().then(
    () => end(null),
    (error: unknown) => end(said(error)),
  )
})

const said = (error: unknown): string => (error instanceof Error ? `${error.stack ?? error.message}${error.cause ? `\nbecause: ${said(error.cause)}` : ''}` : String(error))

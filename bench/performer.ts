// A process of its own: performs one task of the module that it was told, answers, and ends.
import type { Performed } from './measured-process.ts'

const module = (await import(process.argv[2]!)) as { perform(task: unknown): Promise<unknown> }

process.on('disconnect', () => process.exit(0))
process.once('message', ({ task }: { task: unknown }) => {
  const answer = (performed: Performed<unknown>) => process.send!(performed, () => process.exit(0))
  module.perform(task).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ failed: said(error) }),
  )
})

const said = (error: unknown): string => (error instanceof Error ? `${error.stack ?? error.message}${error.cause ? `\nbecause: ${said(error.cause)}` : ''}` : String(error))

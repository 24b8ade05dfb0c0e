import { styleText } from 'node:util'
import type { Definition, Run, RunEvent } from '@sluice/schema'
import type { Sluice } from '../client.ts'
import type { RunHandle } from '../run-handle.ts'
import { exits, name } from './failure.ts'
import { leavable } from './leaving.ts'
import { lineOfEvent } from './line.ts'
import { blankPicture, type Picture, tell } from './picture.ts'
import { plain, shown } from './text.ts'
import { type Paint, view } from './view.ts'

/** One frame in so many milliseconds: smooth enough to the eye, and next to nothing to do. */
const frameMs = 100

/** What becomes of each event on the way to the end. */
interface Showing {
  event(event: RunEvent): void
  end(): void
}

/**
 * Shows a run to its end: as a picture on a terminal, as lines where there is none, or as JSON, an event on each line. Ctrl-C
 * leaves, and leaves the run alone. Gives the exit code.
 */
export async function watch(sluice: Sluice, run: RunHandle, { json = false }: { json?: boolean } = {}): Promise<number> {
  const showing = json ? asJson() : isLive() ? await asPicture(sluice, run) : asLines()
  await leavable(`The run goes on. To watch it again: ${name()} run watch ${run.id}`, async (signal) => {
    try {
      for await (const event of run.events({ signal })) showing.event(event)
      await run.refresh({ signal })
    } finally {
      showing.end()
    }
  })
  if (!json && isLive() && run.status === 'completed') print(`\nOutput: ${shown(run.run.output)}`)
  return exitOf(run.run)
}

export const exitOf = ({ status }: Run): number => (status === 'completed' ? exits.done : exits.failed)

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const isLive = (): boolean => process.stdout.isTTY === true && process.env['TERM'] !== 'dumb'

const asJson = (): Showing => ({ event: (event) => print(JSON.stringify(event)), end: () => {} })
const asLines = (): Showing => ({ event: (event) => print(lineOfEvent(event)), end: () => {} })

async function asPicture(sluice: Sluice, run: RunHandle): Promise<Showing> {
  const { createLogUpdate } = await import('log-update')
  const show = createLogUpdate(process.stdout)
  const picture = await pictureOf(sluice, run.run)
  // Times are the server's: what this clock is behind or ahead shows when something happens.
  let ahead = 0
  const frame = (height: number): string =>
    view(picture, { width: Math.max(20, process.stdout.columns || 80), height, now: Date.now() + ahead, paint: painter(), program: name() }).join('\n')
  const render = (): void => show(frame(process.stdout.rows || 24))
  const timer = setInterval(render, frameMs)
  process.stdout.on('resize', render)
  return {
    event(event) {
      ahead = Math.max(ahead, Date.parse(event.at) - Date.now())
      tell(picture, event)
    },
    end() {
      clearInterval(timer)
      process.stdout.off('resize', render)
      // The last picture stays, and may be as long as it is.
      if (picture.endedAt === null) render()
      else show.persist(frame(Infinity))
      show.done()
    },
  }
}

async function pictureOf(sluice: Sluice, run: Run): Promise<Picture> {
  const which = { workflow: run.workflowId, version: run.version }
  const version: { name: string; definition: Definition } | null = await sluice.workflows.version(which).catch(() => null)
  return blankPicture({ id: run.id, title: plain(version?.name ?? run.workflowId), status: run.status }, version?.definition ?? null)
}

/** Colours where the terminal has them and nobody has asked for none (`NO_COLOR`). */
function painter(): Paint {
  if (!process.stdout.hasColors()) return (_style, text) => text
  return (style, text) => styleText(style, text, { validateStream: false })
}

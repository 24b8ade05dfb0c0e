import type { RunEvent } from '@sluice/schema'
import { expect } from 'vitest'
import { type Face, isPartOf, type Round, Unsaid } from './face.ts'
import { faces } from './faces.ts'
import type { Place } from './place.ts'
import { type Standing, wordOf } from './statuses.ts'

/** That a watcher was told what happened, in the words of its face: all of it, or, where the face samples, in that order up to the end. */
export function agree(face: Face, told: readonly string[], events: readonly RunEvent[]): void {
  const all = face.told(events)
  if (!face.samples) return expect(told, `what ${face.title} tells`).toEqual(all)
  expect(isPartOf(told, all), `${face.title} tells ${told.join(', ')} of ${all.join(', ')}`).toBe(true)
  expect(told.at(-1)).toBe(all.at(-1))
}

/** As all faces tell it, the table has it. Who knows conversations alone says nothing of a run without one. */
export async function standsAs({ tellers }: Place, standing: Standing, round: Round): Promise<void> {
  const worded = faces.filter(({ name }) => wordOf(name, standing) !== null)
  const told = worded.map(async ({ name }) => [name, await tellers.get(name)!.status(round).catch(orNothing)])
  const wanted = worded.map(({ name, conversations }) => [name, conversations && round.session === null ? null : wordOf(name, standing)])
  expect(Object.fromEntries(await Promise.all(told)), standing).toEqual(Object.fromEntries(wanted))
}

function orNothing(error: unknown): null {
  if (error instanceof Unsaid) return null
  throw error
}

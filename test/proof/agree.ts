import type { RunEvent } from '@sluice/schema'
import { expect } from 'vitest'
import { type Face, isPartOf } from './face.ts'

/** That a watcher was told what happened, in the words of its face: all of it, or, where the face samples, in that order up to the end. */
export function agree(face: Face, told: readonly string[], events: readonly RunEvent[]): void {
  const all = face.told(events)
  if (!face.samples) return expect(told, `what ${face.title} tells`).toEqual(all)
  expect(isPartOf(told, all), `${face.title} tells ${told.join(', ')} of ${all.join(', ')}`).toBe(true)
  expect(told.at(-1)).toBe(all.at(-1))
}

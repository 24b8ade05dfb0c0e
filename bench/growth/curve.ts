import type { Timed } from '../closed-loop.ts'
import { median } from '../statistics.ts'

/** A cost that is watched while something grows. */
export interface Curve {
  title: string
  /** What grows. */
  x: string
  /** The cost; lower is better. */
  y: string
  sizes: readonly number[]
  /** On a fresh database, whose sizes come in order. */
  open(databaseUrl: string): Promise<OpenCurve>
}

export interface OpenCurve {
  /** The cost at this size, looked at for so many seconds. */
  at(size: number, seconds: number): Promise<number>
  close(): Promise<void>
}

const fewest = 3

/** The median of one after another, three of them at least; one before them is not counted, but is enough when it takes longer than that. */
export async function medianOf(one: Timed, seconds: number): Promise<number> {
  const first = await one()
  if (first > seconds * 1000) return first
  const end = performance.now() + seconds * 1000
  const all: number[] = []
  while (all.length < fewest || performance.now() < end) all.push(await one())
  return median(all)
}

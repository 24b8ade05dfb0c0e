import type { Timed } from '../closed-loop.ts'
import { median } from '../statistics.ts'

/** Costs that are watched while something grows. */
export interface Curve {
  title: string
  /** What grows. */
  x: string
  /** The costs; lower is better. */
  y: string
  sizes: readonly number[]
  /** On a fresh database, whose sizes come in order. */
  open(databaseUrl: string): Promise<OpenCurve>
}

/** By the name of its line, a cost. */
export type Costs = Record<string, number>

export interface OpenCurve {
  /** The costs at this size, each looked at for so many seconds. */
  at(size: number, seconds: number): Promise<Costs>
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

import type { Aim } from './page/aims.ts'
import type { Postgres } from './postgres.ts'

/** What a measurement is given. */
export interface Measuring {
  postgres: Postgres
  /** Of one figure, after its warm-up. */
  seconds: number
  /** Medians are taken over so many; whoever is compared takes turns within each. */
  rounds: number
  /** Fewer points: to see that it works. */
  quick: boolean
  /** Whether this one among those compared is asked for. */
  wants(name: string): boolean
  /** Aborted when nobody wants to know any more. */
  signal: AbortSignal
  /** A line for who watches. */
  say(line: string): void
}

/** What stands on the page between the marks of a measurement. */
export interface Section {
  markdown: string
  charts: Chart[]
  /** What the project wants of these figures. */
  aims?: Aim[]
}

export interface Chart {
  /** Its file in `docs/`. */
  file: string
  svg: string
}

export interface Measurement {
  /** Whom it compares, where somebody may ask for some of them. */
  compares: readonly string[]
  measure(measuring: Measuring): Promise<Section>
}

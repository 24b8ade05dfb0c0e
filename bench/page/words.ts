import type { Contestants } from '../contestant.ts'
import { figure } from './figure.ts'

/** Paragraphs, tables and lists one below the other; empty ones are left out. */
export const sectionOf = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('\n\n')

/** Who they are: a line each. */
export const abouts = (contestants: Contestants, names: readonly string[]): string => names.map((name) => `- \`${name}\`: ${contestants[name]!.about}`).join('\n')

/** How the figures of a race came about. */
export const methodOf = ({ rounds, seconds }: { rounds: number; seconds: number }): string =>
  `Medians of ${rounds}, ${figure(seconds)} s each after a warm-up; contestants take turns, each in a process and on a database of its own, in one PostgreSQL.`

import type { Budget } from './budget.ts'

/** What a template can apply to a value by name: a filter, a test, a method. */
export interface Callable {
  /** What its arguments are called, in order; `any`: it takes whatever comes. */
  takes: readonly string[] | 'any'
  /** How many of them it cannot do without. */
  needs: number
  /** An argument that was not given is undefined. Of a callable that takes any, `named` has those that were named. */
  apply(budget: Budget, value: unknown, args: readonly unknown[], named: Named): unknown
}

export type Named = ReadonlyMap<string, unknown>

/** A callable. `takes` has its arguments' names, those that it needs with a `!`. */
export const callable = (takes: string, apply: Callable['apply']): Callable => {
  if (takes === '*') return { takes: 'any', needs: 0, apply }
  const names = takes.split(' ').filter((name) => name !== '')
  return { takes: names.map((name) => name.replace('!', '')), needs: names.filter((name) => name.endsWith('!')).length, apply }
}

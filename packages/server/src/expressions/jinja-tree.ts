import type { Callable } from './jinja-callable.ts'

/** A Jinja template as it is evaluated: filters, tests and methods are found already. */

export type Expression =
  | { is: 'constant'; value: unknown }
  | { is: 'name'; name: string }
  | { is: 'list' | 'tuple' | 'concat'; parts: readonly Expression[] }
  | { is: 'dict'; entries: readonly (readonly [Expression, Expression])[] }
  | { is: 'get'; of: Expression; key: Expression }
  | { is: 'slice'; of: Expression; from: Expression | null; to: Expression | null; step: Expression | null }
  | { is: 'apply'; of: Expression; call: Call }
  | { is: 'range'; args: readonly Expression[] }
  | { is: 'not' | 'negative' | 'positive'; of: Expression }
  | { is: 'and' | 'or'; left: Expression; right: Expression }
  | { is: 'arithmetic'; operator: string; left: Expression; right: Expression }
  | { is: 'compare'; first: Expression; rest: readonly (readonly [operator: string, Expression])[] }
  | { is: 'choice'; when: Expression; value: Expression; otherwise: Expression | null }

/** A filter, test or method with its arguments: those it names in their order, and what else it takes. */
export interface Call {
  name: string
  callable: Callable
  args: readonly (Expression | undefined)[]
  named: readonly (readonly [string, Expression])[]
}

/** What is assigned to: a name, or one for each part. */
export type Target = string | readonly Target[]

export type Statement =
  | { is: 'text'; text: string }
  | { is: 'print'; value: Expression }
  | { is: 'if'; branches: readonly (readonly [Expression, Body])[]; otherwise: Body }
  | { is: 'for'; target: Target; over: Expression; when: Expression | null; body: Body; otherwise: Body }
  | { is: 'set'; target: Target; value: Expression }
  /** The text of the body, through filters, set or (null) written. */
  | { is: 'capture'; target: string | null; body: Body; filters: readonly Call[] }

export type Body = readonly Statement[]

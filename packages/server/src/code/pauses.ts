import type { JsonObject } from '@sluice/schema'
import type { Taker } from './given.ts'
import type { Shape } from './shapes.ts'
import { configOf, plain, type Text } from './text.ts'
import type { Reference, Ref } from './values.ts'

/** A question to a person, in the middle of a run. */

declare const pausing: unique symbol

/** What the person filled in. */
export type Pause<Name extends string, Inputs> = Ref<Inputs> & PauseMark<Name, Inputs>
interface PauseMark<Name extends string, Inputs> {
  readonly [pausing]?: { name: Name; inputs: Inputs }
}

/** As `types.pauses` of a workflow: what is filled in, by the name of the pause. */
export type PauseInputs<Pauses extends readonly unknown[]> = {
  [P in Pauses[number] as P extends PauseMark<infer Name, unknown> ? Name : never]: P extends PauseMark<string, infer Inputs> ? Inputs : never
}

export interface PauseOptions<Inputs> {
  /** An approval unless set: a question is answered, and an approval approved or declined. */
  kind?: 'approval' | 'question'
  /** What the person is asked: a text, a reference to one, or w.text`Charge ${order.amount}?`. */
  message: string | Reference<string> | Text
  /** What they fill in. */
  form?: Shape<Inputs>
  /** Who is asked. */
  assignee?: string | Reference<string> | Reference<string | undefined> | Text
  expiresInMs?: number
  /** What is decided when nobody has by then. Without it the step has failed. */
  onExpiry?: { action: 'approve' | 'decline' | 'override'; inputs?: Partial<Inputs> }
}

export function pauseConfig<Inputs>(options: PauseOptions<Inputs>, form: JsonObject | undefined, taker: Taker): JsonObject {
  const { kind = 'approval', message, assignee, expiresInMs, onExpiry } = options
  if (onExpiry && expiresInMs === undefined) taker.refuse('has a decision for its end, and never ends: set expiresInMs', '')
  const textOf = (text: typeof message | typeof assignee): unknown => (typeof text === 'string' ? plain(text) : text)
  return { kind, ...configOf({ message: textOf(message), assignee: textOf(assignee), form, expiresInMs, onExpiry }, taker), passes: 'nothing' }
}

import type { Hook } from './hooks.ts'

declare const resulting: unique symbol

/** What a definition returns when it says more than a value. Made by `w.result`. */
export class Result<T, out Hooks, out Pauses> {
  declare readonly [resulting]?: { hooks: Hooks; pauses: Pauses }
  readonly value: T
  readonly more: { hooks?: readonly Hook<string, unknown>[]; pauses?: readonly unknown[] }
  constructor(value: T, more: { hooks?: readonly Hook<string, unknown>[]; pauses?: readonly unknown[] }) {
    this.value = value
    this.more = more
  }
}

import type { Done } from './written.ts'

/** The types of what a definition is written with: what stands for a value that is there when the run comes to it. */

declare const refers: unique symbol

/** Stands for a value of type T. What it is made of is nobody's business. */
export interface Reference<out T> {
  readonly [refers]: T
}

/** A reference, and below it references to what stands in its value: `order.customer.name`, `order.items[0]`. */
export type Ref<T> = Reference<T> & Within<T>

type IsAny<T> = 0 extends 1 & T ? true : false
// oxlint-disable-next-line typescript/no-explicit-any -- below what is any, everything is
type Within<T> = IsAny<T> extends true ? { readonly [key: string]: any } : unknown extends T ? unknown : { readonly [K in KeysOf<T>]: Ref<At<T, K>> }

/** Every key that any member of a union has. */
type KeysOf<T> = T extends readonly unknown[]
  ? 'length' | (number extends T['length'] ? number : Exclude<keyof T, keyof (readonly unknown[])>)
  : T extends (...given: never) => unknown
    ? never
    : T extends object
      ? Exclude<keyof T, symbol>
      : never

/** What stands there; undefined where a member of the union has no such key, or may have none. */
type At<T, K> = T extends readonly (infer Item)[]
  ? K extends keyof T
    ? T[K] | (K extends number ? undefined : never)
    : K extends number
      ? Item | undefined
      : undefined
  : T extends object
    ? K extends keyof T
      ? T[K] | (string extends keyof T ? undefined : never)
      : undefined
    : undefined

type Plain = string | number | boolean | null | undefined

/** What may be given where a T is taken: it, a reference to it, or an object or list of such. */
export type Given<T> = Reference<T> | (IsAny<T> extends true ? T : unknown extends T ? T : Spelled<T>)
type Spelled<T> = T extends Plain ? T : T extends object ? { readonly [K in keyof T]: Given<T[K]> } & { readonly [refers]?: never } : never

/** What was given, as a handler gets it: every reference is the value that it stands for. */
export type Resolved<G> =
  IsAny<G> extends true
    ? G
    : G extends Reference<infer T>
      ? T
      : G extends Plain
        ? G
        : G extends { toJSON(): infer Text }
          ? Text
          : G extends object
            ? { -readonly [K in keyof G]: Resolved<G[K]> }
            : G

/** A value after it was stored as JSON: a Date is text, a function is not there. What returns nothing gives null. */
export type Stored<T> =
  IsAny<T> extends true
    ? T
    : unknown extends T
      ? T
      : T extends Exclude<Plain, undefined>
        ? T
        : T extends { toJSON(): infer Text }
          ? Stored<Text>
          : T extends (...given: never) => unknown
            ? never
            : T extends object
              ? { [K in keyof T]: StoredIn<T[K]> }
              : [T] extends [bigint | symbol]
                ? never
                : null
type StoredIn<T> = IsAny<T> extends true ? T : unknown extends T ? T : T extends undefined ? undefined : Stored<T>

/** What a handler gives to those who come after it. */
export type OutputOf<R> = Awaited<R> extends infer Came ? (Came extends Done<infer Output, unknown> ? Output : Came) : never
/** What a handler leaves for its undoing. */
export type LeftOf<R> = Awaited<R> extends infer Came ? (Came extends Done<unknown, infer Left> ? Left : Came) : never

/** What a branch gives: nothing, where it returns nothing. */
export type BranchValue<T> = [T] extends [void] ? undefined : Resolved<T>

/** Refuses a function that is async, in words. */
export type Instant<T> = T extends PromiseLike<unknown> ? 'This function is done again wherever its value is needed, and cannot be async: what waits is a step' : unknown

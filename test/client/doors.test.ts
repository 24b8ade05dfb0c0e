import { type CallOptions, createClient, type FeedItem, type Listing, type SignedIn, type Sluice } from '@sluice/client'
import type { Page, Run } from '@sluice/schema'
import { expect, expectTypeOf, test } from 'vitest'
import { proceduresOf } from '../../packages/server/src/http/rows.ts'
import { type AppRouter, appRouter } from '../../packages/server/src/rpc/router.ts'

/**
 * The SDK speaks of its server by the words of `@sluice/schema` alone; here it is held against the server itself. Where
 * they part, this file does not compile: it names the noun, the verb and the side.
 */

type Doors = AppRouter['_def']['record']
type Asked<N extends keyof Doors, V extends keyof Doors[N]> = Doors[N][V] extends { _def: { $types: { input: infer I } } } ? I : never
type Given<N extends keyof Doors, V extends keyof Doors[N]> = Doors[N][V] extends { _def: { $types: { output: infer O } } } ? O : never
type Noun = keyof Doors & keyof Sluice

/** What a verb of the SDK answers with, as the server would say it. */
type Answer<V> = V extends Listing<infer T> ? Page<T> : V extends AsyncGenerator<infer T> ? T : V extends Promise<infer T> ? (T extends SignedIn ? T['tokens'] : T) : never

/** Of a subscription, what arrives; of anything else, its answer. */
type Said<T> = T extends AsyncIterable<infer Item> ? (Item extends { data: infer Data } ? Data : Item) : T

type Mutual<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
/** The input of a procedure that asks for none: its verb takes options alone. */
type Nothing = Record<string, never> | undefined
type SameInput<I, First> = Mutual<I, Nothing> extends true ? Mutual<First, CallOptions | undefined> : Mutual<NonNullable<I>, NonNullable<First>>

/** `true`, or what is wrong with a verb. */
type Verdict<N extends Noun, V extends keyof Doors[N]> = V extends keyof Sluice[N]
  ? Sluice[N][V] extends (...args: infer Args) => infer Result
    ? SameInput<Asked<N, V>, Args[0]> extends true
      ? Mutual<Said<Given<N, V>>, Answer<Result>> extends true
        ? never
        : 'answers otherwise'
      : 'takes something else'
    : 'is no verb'
  : 'is missing'

type Verdicts<N extends Noun> = { [V in keyof Doors[N] & string]: [Verdict<N, V>] extends [never] ? never : `${N}.${V} ${Verdict<N, V>}` }[keyof Doors[N] & string]

/** Bytes go by the REST twins of these: what the SDK takes and gives of them is its own. */
type Bytes = 'files.upload' | 'files.content' | 'nodeFiles.add' | 'nodeFiles.change'
/** A session that is made has the verbs of its handle, too. */
type Spoken = 'sessions.create answers otherwise'
type OwnWay = `${Bytes} ${'takes something else' | 'answers otherwise'}` | Spoken

/** Compiles for nothing at all; else the error names what there is. */
const none = <T extends never>(): T[] => []

test('every router of the server is a noun of the SDK, and every procedure a verb with the same types in and out', () => {
  expect(none<Exclude<keyof Doors, keyof Sluice>>()).toEqual([])
  expect(none<Exclude<{ [N in Noun]: Verdicts<N> }[Noun], OwnWay>>()).toEqual([])
})

test('the comparison of types can fail', () => {
  expectTypeOf<Mutual<{ id: string }, { id: string; more: number }>>().toEqualTypeOf<false>()
  expectTypeOf<SameInput<Asked<'runs', 'get'>, { id: string }>>().toEqualTypeOf<true>()
  expectTypeOf<SameInput<Asked<'runs', 'get'>, { id: number }>>().toEqualTypeOf<false>()
  expectTypeOf<SameInput<Asked<'runs', 'list'>, CallOptions | undefined>>().toEqualTypeOf<false>()
  expectTypeOf<SameInput<Asked<'auth', 'me'>, CallOptions | undefined>>().toEqualTypeOf<true>()
  expectTypeOf<Answer<Listing<{ id: string }>>>().toEqualTypeOf<Page<{ id: string }>>()
  expectTypeOf<Said<Given<'runs', 'get'>>>().toEqualTypeOf<Run>()
  expectTypeOf<Mutual<Said<Given<'events', 'subscribe'>>, FeedItem>>().toEqualTypeOf<true>()
  expectTypeOf<Mutual<Said<Given<'events', 'subscribe'>>, Run>>().toEqualTypeOf<false>()
})

test('every verb calls the procedure of its name, by the method of its kind', async () => {
  const called: Record<string, string> = {}
  const sluice = createClient({
    url: 'http://sluice.test',
    retries: 0,
    async fetch(target, init) {
      called[new URL(target instanceof Request ? target.url : target).pathname.replace('/trpc/', '')] = `${init!.method} ${new Headers(init!.headers).get('accept')}`
      throw new Error('nobody is there')
    },
  })
  const procedures = proceduresOf(appRouter)
  const wanted = Object.fromEntries(
    Object.entries(procedures).map(([name, { type }]) => [name, { query: 'GET application/json', mutation: 'POST application/json', subscription: 'GET text/event-stream' }[type]]),
  )
  const { 'files.upload': _upload, 'files.content': _content, 'nodeFiles.add': _add, 'nodeFiles.change': _change, ...others } = wanted
  const twins = {
    '/v1/files': 'POST application/json',
    '/v1/files/undefined/content': 'GET */*',
    '/v1/workflows/undefined/nodes/undefined/files': 'POST application/json',
    '/v1/workflows/undefined/nodes/undefined/files/undefined': 'PUT application/json',
  }
  for (const name of Object.keys(procedures)) {
    const [noun, verb] = name.split('.') as [keyof Sluice, string]
    const call = (sluice[noun] as unknown as Record<string, (input: object, content?: Blob) => PromiseLike<unknown> | AsyncGenerator>)[verb]
    const going = noun === 'nodeFiles' ? call!({}, new Blob([])) : call!({})
    await Promise.resolve('next' in going ? going.next() : going).catch(() => {})
  }
  expect(called).toEqual({ ...others, ...twins })
})

import { callTRPCProcedure, type AnyTRPCRouter } from '@trpc/server'
import type { z } from 'zod'
import { authorize } from '../access/policy.ts'
import type { Batch, FeedItem } from '../events/feed.ts'
import type { Begun, Kept, RateClass, Setting, Telling } from '../dialects/dialect.ts'
import type { Context } from '../rpc/context.ts'
import type { Problem } from '../rpc/faults.ts'
import { Subscription } from '../rpc/subscription.ts'
import type { BodyType, Meta, Method, Rest, RestStream } from '../rpc/trpc.ts'
import { askBySchema, type Wire } from './ask.ts'
import { nativeFace, type Face } from './face.ts'
import { type Frame, framesOf, once, sseBytes, textOf } from './frames.ts'

interface Addressed {
  /** The procedure, as `runs.get`. */
  name: string
  method: Method
  /** `/v1/runs/{id}` */
  path: string
  face: Face
  /** Asks for no credential. */
  open: boolean
  /** What came over the wire, as the procedure wants it. Throws faults. */
  ask(wire: Wire): unknown
}

/** What is sent. Without a body it is a 204. */
export interface Answer {
  status: number
  body: unknown
  /** What the browser is to keep in a cookie; null: nothing any more. */
  cookie?: { name: string; kept: Kept | null }
  headers?: Readonly<Record<string, string>>
}

export interface ReplyRow extends Addressed {
  is: 'reply'
  /** Of success, as it is described; without a body it is a 204. */
  status: number
  /** What its body may be beside JSON. */
  takes: readonly BodyType[]
  /** Its body may be of any type, and is read by it. */
  takesAny: boolean
  /** Its body says one object, as JSON or as a form. */
  loose: boolean
  /** How many times as large as others its body may be. */
  room: number
  /** The limit that its requests count in beside that of all. */
  counted: RateClass | null
  /** Whether it does something although it is a GET: see `guarded.ts`. */
  guarded: boolean
  /** Whether the answer is a `FileContent`. */
  gives: 'json' | 'bytes'
  /** Asked before bytes are taken in for it. Throws faults. */
  permit(context: Context): void
  call(context: Context, input: unknown, signal: AbortSignal): Promise<unknown>
  answer(value: unknown, setting: Setting, input: unknown): Answer
  /** What a fault is turned into; undefined: it is answered as any other. */
  rescue?(problem: Problem, setting: Setting, input: unknown): Answer | undefined
  /** How an answer is told while it is made, to who asks for that. */
  tells?: { when(input: unknown): boolean; telling(begun: Begun, setting: Setting, input: unknown): Telling }
}

export interface StreamRow extends Addressed {
  is: 'stream'
  /** Null: there is nothing to tell, now or ever. */
  stream(context: Context, input: unknown, signal: AbortSignal): Promise<AsyncIterable<Batch> | null>
  /** What one who asked for this is sent of each batch, as server-sent events. Null: nothing. */
  pieces(input: unknown): (batch: Batch) => Buffer | null | Promise<Buffer | null>
  /** Whether readers are told when to connect again. */
  hints: boolean
  /** Of a stream that is found as a socket, too. Null: this face does not tell of it. */
  frame?(item: FeedItem): Frame | null
}

/** One address of a REST API: what `bind` serves and `openapi` describes. A dialect's rows are the same, with its own words. */
export type Row = ReplyRow | StreamRow

/** The rows of a router whose procedures say in their meta where they are found. */
export function rowsOf(router: AnyTRPCRouter, face: Face = nativeFace): Row[] {
  return Object.entries(proceduresOf(router)).flatMap(([name, { meta, input, type }]) => {
    const addressed = { name, face, open: meta.action === 'public', ask: (wire: Wire) => askBySchema(input, wire) }
    const call = (context: Context, value: unknown, signal: AbortSignal) =>
      callTRPCProcedure({ router, path: name, getRawInput: async () => value, ctx: context, type, signal, batchIndex: 0 })
    const reply = ({ method, path, status = 200, takes = [], gives }: Rest): ReplyRow => {
      const permit = permitOf(meta.action)
      return {
        ...addressed,
        is: 'reply',
        method,
        path,
        status,
        takes,
        takesAny: false,
        loose: false,
        room: 1,
        counted: null,
        guarded: method === 'GET' && type === 'mutation',
        gives: gives ?? 'json',
        permit,
        call,
        answer: (value) => answerOf(status, value),
      }
    }
    const stream = async (...asked: Parameters<typeof call>): Promise<AsyncIterable<Batch>> => batchesOf(await call(...asked), name)
    const streamed = ({ path }: RestStream): StreamRow => {
      const piece = once((batch) => framesOf({ frame: nativeFrame }, batch, sseBytes))
      return { ...addressed, is: 'stream', method: 'GET', path, stream, pieces: () => piece, hints: true, frame: nativeFrame }
    }
    return [...(meta.openapi ? [reply(meta.openapi)] : []), ...(meta.streams ?? []).map(streamed)]
  })
}

export const answerOf = (status: number, body: unknown): Answer => ({ status: body === undefined ? 204 : status, body })

export const permitOf =
  (action: Meta['action']) =>
  ({ principal }: Context): void =>
    void (principal && action !== 'public' && action !== 'signed-in' && authorize(principal, action))

interface Found {
  meta: Meta
  input: z.core.$ZodType | undefined
  type: 'query' | 'mutation' | 'subscription'
}

/** Every procedure of a router by its path. Throws for one without an action: nothing may be reached unguarded. */
export function proceduresOf(router: AnyTRPCRouter): Record<string, Found> {
  const procedures = router._def.procedures as Record<string, { _def: { meta?: Meta; inputs: z.core.$ZodType[]; type: Found['type'] } }>
  return Object.fromEntries(
    Object.entries(procedures).map(([name, { _def }]) => {
      if (!_def.meta?.action) throw new Error(`The procedure ${name} says no action`)
      return [name, { meta: _def.meta, input: _def.inputs[0], type: _def.type }]
    }),
  )
}

export function batchesOf(value: unknown, name: string): AsyncIterable<Batch> {
  if (value instanceof Subscription) return value.batches
  throw new Error(`${name} is found as a stream, and is no subscription`)
}

/** A token moves nobody on: who comes back goes on after the last event. */
const nativeFrame = (item: FeedItem): Frame => ({ ...(item.type !== 'token' && { id: item.cursor }), event: item.type, data: textOf(item) })

import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { limits } from '@sluice/schema'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import type { AnyTRPCRouter, TRPCError } from '@trpc/server'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Context, Parts } from '../rpc/context.ts'
import { problemOf } from '../rpc/faults.ts'
import { callerOf } from './caller.ts'
import { untilGone } from './gone.ts'
import { identifyByParams } from './identify.ts'
import { readJsonText, type ReadJson } from './json.ts'
import type { OpenStreams } from './open-streams.ts'
import { pathOf, queryOf } from './query.ts'
import { endStream, sseHeaders } from './streams.ts'
import { createSingleCalls, type SingleCalls } from './trpc-call.ts'
import { createWriter, ReaderGone, type WriterOptions } from './writer.ts'

export const trpcPath = '/trpc'

export interface TrpcOptions {
  router: AnyTRPCRouter
  parts: Parts
  openStreams: OpenStreams
  report(error: unknown, request: FastifyRequest): void
  stream?: WriterOptions
}

/** Serves every procedure at `/trpc/<path>`: queries, mutations, batches of at most ten, subscriptions as SSE. */
export function mountTrpc(app: FastifyInstance, options: TrpcOptions): void {
  const singles = createSingleCalls(options.router)
  app.route({
    method: ['GET', 'POST'],
    url: `${trpcPath}/:path`,
    exposeHeadRoute: false,
    // Which of its procedures are open, the procedures say.
    config: { open: true, template: `${trpcPath}/{path}` },
    handler: (request, reply) => serve(request, reply, options, singles),
  })
}

/** How many calls a request holds, for the count; more than a batch may have are refused, and count as that many. */
export function callsOf(request: FastifyRequest): number {
  const path = pathOf(request.raw.url ?? '')
  const members = path.startsWith(`${trpcPath}/`) ? path.split(/,|%2c/i, limits.batch + 1).length : 1
  return Math.min(members, limits.batch)
}

async function serve(request: FastifyRequest, reply: FastifyReply, { router, parts, openStreams, report, stream }: TrpcOptions, singles: SingleCalls): Promise<FastifyReply> {
  const single = singles.read(request)
  if (single) {
    await singles.answer(single, request, reply, (error) => report(error, request))
    return reply
  }
  const url = addressOf(request)
  const caller = callerOf(request)
  const gone = untilGone(reply.raw)
  const body = (request.body as ReadJson | undefined)?.text
  const asked = new Request(url, { method: request.method, headers: headersFor(request), signal: gone, ...(body === undefined ? {} : { body }) })
  let context = caller
  const response = await fetchRequestHandler({
    endpoint: trpcPath,
    router,
    req: asked,
    maxBatchSize: limits.batch,
    createContext: async ({ info }) => (context = await withParams(parts, caller, info.connectionParams)),
    onError: ({ error }) => report(error, request),
    responseMeta: ({ errors }) => metaOf(errors),
  })
  reply.code(response.status)
  for (const [name, value] of response.headers) if (!kept.has(name)) reply.header(name, value)
  // Of a request that it cannot read tRPC says so without a type.
  if (response.headers.get('content-type')?.startsWith('text/plain')) reply.header('content-type', 'application/json')
  const isEvents = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  request.isStream = isEvents
  if (response.body && (isEvents || response.headers.has('transfer-encoding'))) await streamed(reply, response.body, isEvents ? context : null, openStreams, stream)
  else void reply.send(await response.text())
  return reply
}

/** Headers that are ours to set. */
const kept = new Set(['vary', 'transfer-encoding'])

/** A fresh address: what is in the query goes through the same reader as a body. */
function addressOf(request: FastifyRequest): URL {
  const target = request.raw.url ?? ''
  const url = new URL(`http://trpc${pathOf(target)}`)
  for (const [key, values] of queryOf(target)) {
    const value = values[0]!
    const json = key === 'input' || key === 'connectionParams'
    if (!json || value !== '') url.searchParams.set(key, json ? readJsonText(value).text : value)
  }
  return url
}

/** What tRPC reads of a request, and no more. A body has been read as JSON by now. */
function headersFor(request: FastifyRequest): Headers {
  const headers = new Headers()
  for (const name of ['accept', 'trpc-accept', 'last-event-id']) {
    const value = request.headers[name]
    if (typeof value === 'string') headers.set(name, value)
  }
  if (request.method === 'POST') headers.set('content-type', 'application/json')
  return headers
}

/** Pages cannot send headers with a subscription: they send a ticket in its address. */
async function withParams(parts: Parts, caller: Context, params: Record<string, string | undefined> | null): Promise<Context> {
  return params && !caller.principal ? { ...caller, ...(await identifyByParams(parts.access, params, true)) } : caller
}

/** tRPC knows no 507 and says nothing of when to come again. */
function metaOf(errors: readonly TRPCError[]): { status?: number; headers?: Headers } {
  const problems = errors.filter((error) => error !== undefined).map(problemOf)
  const [first] = problems
  if (!first) return {}
  const retryAfter = Math.max(0, ...problems.map((problem) => problem.retryAfter ?? 0))
  const alike = problems.length === errors.length && problems.every(({ status }) => status === first.status)
  return { ...(alike ? { status: first.status } : {}), headers: new Headers(retryAfter > 0 ? { 'retry-after': String(retryAfter) } : {}) }
}

/** Events, or a batch whose members are answered one by one. Events stay open: they are kept among the open streams. */
async function streamed(reply: FastifyReply, body: ReadableStream<Uint8Array>, subscriber: Context | null, openStreams: OpenStreams, options?: WriterOptions): Promise<void> {
  const { raw } = reply
  const forget = subscriber?.principal ? openStreams.add(subscriber.principal, 'sse', (why) => endStream(raw, why)) : () => {}
  try {
    reply.hijack()
    raw.writeHead(reply.statusCode, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...(subscriber ? sseHeaders : {}) })
    await pump(raw, body, options)
  } finally {
    forget()
  }
}

async function pump(raw: ServerResponse, body: ReadableStream<Uint8Array>, options?: WriterOptions): Promise<void> {
  const writer = createWriter(raw, options)
  try {
    // The request's signal ends the body when the reader goes.
    for await (const piece of body) await writer.write(piece)
  } catch (error) {
    if (!(error instanceof ReaderGone) && !raw.destroyed) raw.destroy()
  } finally {
    if (!raw.destroyed) raw.end()
  }
}

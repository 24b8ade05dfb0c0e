import type { OutgoingHttpHeaders } from 'node:http'
import { limits } from '@sluice/schema'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Setting } from '../dialects/dialect.ts'
import type { FileContent, FilesPart } from '../rpc/context.ts'
import { problemOf } from '../rpc/faults.ts'
import { allowAnyBody } from './any-body.ts'
import type { Wire } from './ask.ts'
import { callerOf, wantsStream } from './caller.ts'
import { sendContent } from './content.ts'
import { sseText } from './frames.ts'
import { allowForms, receiveForm, type Form } from './form.ts'
import { untilGone, untilLost } from './gone.ts'
import type { ReadJson } from './json.ts'
import { allowLooseBodies } from './loose-body.ts'
import type { Ending, OpenStreams } from './open-streams.ts'
import { checkPlain, queryOf } from './query.ts'
import type { Answer, ReplyRow, Row, StreamRow } from './rows.ts'
import { parametersOf, type Place } from './shapes.ts'
import { cookieText } from './session-cookie.ts'
import { endStream, sendStream, sseHeaders, type StreamOptions } from './streams.ts'
import { tellAnswer } from './told-answers.ts'

export interface BindOptions {
  files: Pick<FilesPart, 'receive' | 'discard'>
  openStreams: OpenStreams
  baseUrl(request: FastifyRequest): string
  /** Told of what a stream met after its head went out. */
  report(error: unknown, request: FastifyRequest): void
  stream?: StreamOptions
}

type Serve = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

/** Serves rows. Of the rows of a place, the one that streams is taken when the request asks for a stream, or when it is alone. */
export function bind(app: FastifyInstance, places: readonly Place[], options: BindOptions): void {
  const some =
    (takes: (row: ReplyRow) => boolean) =>
    ({ rows }: Place): boolean =>
      rows.some((row) => row.is === 'reply' && takes(row))
  const kinds = [
    { among: some((row) => row.takes.length > 0), allow: allowForms },
    { among: some((row) => row.takesAny), allow: allowAnyBody },
    { among: some((row) => row.loose), allow: allowLooseBodies },
  ]
  bindAll(
    app,
    places.filter((place) => !kinds.some(({ among }) => among(place))),
    options,
  )
  // Scopes of their own: nobody else's route ever sees a body that is not JSON.
  for (const { among, allow } of kinds)
    void app.register(async (scope) => {
      allow(scope)
      bindAll(scope, places.filter(among), options)
    })
}

function bindAll(app: FastifyInstance, places: readonly Place[], options: BindOptions): void {
  for (const { method, shape, rows } of places) {
    const replying = rows.find((row) => row.is === 'reply')
    const streaming = rows.find((row) => row.is === 'stream')
    const replied = replying && replier(replying, options)
    const streamed = streaming && streamer(streaming, options)
    const { face } = rows[0]!
    const guarded = replying?.guarded ?? false
    const room = replying?.room ?? 1
    let parameter = 0
    app.route({
      method,
      // A HEAD is a GET whose body is not sent: it would do what the GET does.
      exposeHeadRoute: !guarded,
      // Two rows may name one parameter differently: the router knows it by its place.
      url: shape.replaceAll(':', '::').replace(/\{\}/g, () => `:p${parameter++}`),
      config: { face, template: rows[0]!.path, open: rows.every((row) => row.open), guarded, slow: (replying?.takes.length ?? 0) > 0, room, counted: replying?.counted ?? null },
      bodyLimit: room * limits.bodyBytes,
      handler: async (request, reply) => {
        if (streamed && (!replied || wantsStream(request))) await streamed(request, reply)
        else await replied!(request, reply)
        return reply
      },
    })
  }
}

function replier(row: ReplyRow, options: BindOptions): Serve {
  const wireOf = wireReader(row)
  return async (request, reply) => {
    const form = await formOf(row, request, options)
    try {
      const input = row.ask(wireOf(request, form))
      const answer = await rescuing(row, input, request, options, () =>
        row.tells?.when(input) ? tell(row, row.tells, input, request, reply, options) : answerTo(row, input, request, reply, options),
      )
      if (answer) await give(row, answer, request, reply, options)
    } finally {
      // What no procedure has kept.
      if (form) await options.files.discard([...form.files.values()].flat()).catch((error: unknown) => options.report(error, request))
    }
  }
}

async function answerTo(row: ReplyRow, input: unknown, request: FastifyRequest, reply: FastifyReply, options: BindOptions): Promise<Answer> {
  const value = await row.call(callerOf(request), input, untilLost(reply.raw))
  // Now is when it is answered: a call may have waited for minutes.
  return row.answer(value, settingOf(request, options), input)
}

/** Null: it was told. */
async function tell(row: ReplyRow, tells: NonNullable<ReplyRow['tells']>, input: unknown, request: FastifyRequest, reply: FastifyReply, options: BindOptions): Promise<null> {
  await tellAnswer(row, tells, input, request, reply, { ...options, setting: settingOf(request, options) })
  return null
}

async function rescuing<T>(row: ReplyRow, input: unknown, request: FastifyRequest, options: BindOptions, serve: () => Promise<T>): Promise<T | Answer> {
  try {
    return await serve()
  } catch (error) {
    const rescued = row.rescue?.(problemOf(error), settingOf(request, options), input)
    if (rescued) return rescued
    throw error
  }
}

const settingOf = (request: FastifyRequest, { baseUrl }: BindOptions): Setting => ({
  now: new Date(),
  get baseUrl() {
    return baseUrl(request)
  },
})

/** Of a principal who may do it: nobody else's bytes are taken in. */
async function formOf(row: ReplyRow, request: FastifyRequest, { files: parts }: BindOptions): Promise<Form | null> {
  const caller = callerOf(request)
  if (row.takes.length === 0 || !caller.principal) return null
  row.permit(caller)
  return receiveForm(request, { takes: row.takes, parts, user: { workspaceId: caller.principal.workspaceId, userId: caller.principal.userId } })
}

async function give(
  row: ReplyRow,
  { status, body, cookie, headers = {} }: Answer,
  request: FastifyRequest,
  reply: FastifyReply,
  { report, stream, baseUrl }: BindOptions,
): Promise<void> {
  if (cookie) reply.header('set-cookie', cookieText(cookie.name, cookie.kept, { secure: baseUrl(request).startsWith('https:'), now: new Date() }))
  reply.headers(headers)
  // That it is one, its row says: `gives`.
  if (row.gives === 'bytes') await sendContent(body as FileContent, request, reply, stream).catch((error: unknown) => whileSending(error, request, reply, report))
  else if (body === undefined) void reply.code(status).send()
  else void reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(body))
}

/** Before the head went out an error is answered like any other; after it, it can only be told of. */
function whileSending(error: unknown, request: FastifyRequest, reply: FastifyReply, report: BindOptions['report']): void {
  if (!reply.raw.headersSent && !reply.raw.destroyed) throw error
  report(error, request)
}

function streamer(row: StreamRow, { openStreams, report, stream }: BindOptions): Serve {
  const wireOf = wireReader(row)
  return async (request, reply) => {
    const { raw } = reply
    if (request.method === 'HEAD') return void reply.headers(sseHeaders).send()
    const caller = callerOf(request)
    const input = row.ask(wireOf(request))
    // Until there is a head: a reply that ends without one would be taken for a whole one that is no stream.
    let end = (_why: Ending): void => void raw.destroy()
    const forget = caller.principal ? openStreams.add(caller.principal, 'sse', (why) => end(why)) : () => {}
    try {
      const batches = await row.stream(caller, input, untilGone(raw))
      if (!batches) return void reply.code(204).send()
      reply.hijack()
      request.isStream = true
      if (raw.destroyed) return
      raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...sseHeaders })
      end = (why) => endStream(raw, why, row)
      const failure = (error: unknown) => {
        report(error, request)
        return sseText({ event: 'error', data: JSON.stringify(row.face.render(problemOf(error), caller.requestId).body) })
      }
      await sendStream(raw, batches, { pieceOf: row.pieces(input), failure, hints: row.hints }, stream)
    } finally {
      forget()
    }
  }
}

function wireReader(row: Row): (request: FastifyRequest, form?: Form | null) => Wire {
  const names = parametersOf(row.path)
  return (request, form = null) => {
    const params = request.params as Record<string, string>
    const path = new Map(names.map((name, place) => [name, checkPlain(params[`p${place}`] ?? '', 'path')]))
    const query = new Map(queryOf(request.raw.url ?? ''))
    // The one key of a stream's query that says who asks, and not for what.
    if (row.is === 'stream') query.delete('ticket')
    return { path, query, body: (request.body as ReadJson | undefined)?.value, form, headers: request.headers }
  }
}

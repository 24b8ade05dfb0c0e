import type { OutgoingHttpHeaders } from 'node:http'
import { Fault, limits } from '@sluice/schema'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Begun, Setting, Telling } from '../dialects/dialect.ts'
import type { Spoken } from '../rpc/context.ts'
import { problemOf, Unavailable } from '../rpc/faults.ts'
import { callerOf } from './caller.ts'
import { sseText } from './frames.ts'
import { untilGone } from './gone.ts'
import type { Ending, OpenStreams } from './open-streams.ts'
import type { ReplyRow } from './rows.ts'
import { sendStream, sseHeaders, type StreamOptions } from './streams.ts'

interface Options {
  openStreams: OpenStreams
  setting: Setting
  /** Told of what went wrong after the head went out. */
  report(error: unknown, request: FastifyRequest): void
  stream?: StreamOptions
}

/**
 * An answer that is told while it is made.
 *
 * What goes wrong before there is anything to tell is thrown, and answered as for any other request. After that it is told, and
 * so is that the server leaves or the credential has died: a reader never takes a broken answer for a whole one.
 */
export async function tellAnswer(
  row: ReplyRow,
  { telling }: NonNullable<ReplyRow['tells']>,
  input: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { openStreams, setting, report, stream }: Options,
): Promise<void> {
  const { raw } = reply
  const caller = callerOf(request)
  // Until there is a head: a reply that ends without one would be taken for a whole one that is no stream.
  let end = (_why: Ending): void => void raw.destroy()
  const forget = caller.principal ? openStreams.add(caller.principal, 'sse', (why) => end(why)) : () => {}
  try {
    const pieces = createPieces(() => {
      stream?.dropped?.()
      raw.destroy()
    })
    const answered = row.call({ ...caller, tell: pieces.tell }, input, untilGone(raw)).finally(pieces.over)
    const told = telling(await begunBy(pieces, answered), setting, input)
    reply.hijack()
    request.isStream = true
    if (raw.destroyed) return
    const failure = (error: unknown): string => sseText({ data: JSON.stringify(told.failure(problemOf(error))) })
    raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...told.headers, ...sseHeaders })
    end = (why) => {
      if (raw.destroyed || raw.writableEnded) return
      raw.write(failure(whyEnded(why)))
      raw.end()
    }
    const failed = (error: unknown): string => {
      report(error, request)
      return failure(error)
    }
    await sendStream(raw, textsOf(told, pieces, answered), { pieceOf: (text) => text, failure: failed, hints: false }, stream)
  } finally {
    forget()
  }
}

const whyEnded = (why: Ending): Error => (why === 'drain' ? new Unavailable('The server is leaving') : new Fault('credential_invalid'))

async function* textsOf(told: Telling, pieces: Pieces, answered: Promise<unknown>): AsyncGenerator<string, void> {
  yield framed(told.begin)
  for await (const text of pieces) yield framed(told.piece(text))
  yield framed(told.end(await answered))
  if (told.last !== undefined) yield sseText({ data: told.last })
}

const framed = (data: readonly unknown[]): string => data.map((each) => sseText({ data: JSON.stringify(each) })).join('')

/** Throws what the call throws before it has told anything. */
async function begunBy({ begun }: Pieces, answered: Promise<unknown>): Promise<Begun> {
  const first = await Promise.race([begun, answered.then(() => null)])
  if (first === null) throw new Error('An answer that is told has not begun')
  return first
}

/** What is told, until it is taken: pieces that came meanwhile are one. A reader who takes none loses the connection, and with it this. */
interface Pieces extends AsyncIterable<string> {
  begun: Promise<Begun>
  tell(said: Spoken): void
  over(): void
}

/** UTF-16 code units that wait for a reader. Whoever says something waits for nobody, and may say more than this while a reader makes no room. */
const mostWaiting = limits.streamBufferBytes / 2

/** `drop` is called when more waits than may. */
function createPieces(drop: () => void): Pieces {
  const begun = Promise.withResolvers<Begun>()
  let text = ''
  let isOver = false
  let wake = (): void => {}
  return {
    begun: begun.promise,
    tell(said) {
      if (said.is === 'begun') begun.resolve(said)
      else if (text.length + said.text.length <= mostWaiting) text += said.text
      else if (!isOver) {
        isOver = true
        text = ''
        drop()
      }
      wake()
    },
    over() {
      isOver = true
      wake()
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (text === '' && isOver) return
        if (text === '') await new Promise<void>((resolve) => (wake = resolve))
        const taken = text
        text = ''
        if (taken !== '') yield taken
      }
    },
  }
}

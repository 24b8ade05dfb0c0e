import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '@sluice/schema'
import { deadline } from './deadline.ts'

/** One question as the model's server saw it. */
export interface Asked {
  path: string
  headers: IncomingHttpHeaders
  body: JsonObject & { model: string; messages: { role: string; content: string }[] }
  at: number
  /** Whether the asker hung up before the answer was whole. */
  left: boolean
}

export type Script = (answer: ServerResponse, asked: Asked) => unknown

/** A server that speaks the protocol of OpenAI's chat completions, and does to each model's askers what is set for it. */
export interface ToyModel extends AsyncDisposable {
  /** As SLUICE_MODEL_URL takes it. */
  url: string
  host: string
  /** All questions, oldest first; of a model, by its name. */
  asked(model?: string): Asked[]
  /** What is done when a model of this name is asked: the first time, the second, …; the last is done ever after. */
  on(model: string, ...scripts: Script[]): void
  /** Resolves when so many have asked a model; fails after a while. */
  came(model: string, times?: number): Promise<void>
  /** Resolves when an asker of a model hung up. */
  left(model: string): Promise<void>
}

export async function toyModel(): Promise<ToyModel> {
  const ledger: Asked[] = []
  const scripts = new Map<string, Script[]>()
  const watchers = new Set<() => void>()
  const changed = (): void => watchers.forEach((watch) => watch())
  const of = (model?: string): Asked[] => ledger.filter(({ body }) => model === undefined || body.model === model)
  const when = (what: string, holds: () => boolean): Promise<void> =>
    deadline(what, (done) => {
      const look = (): void => void (holds() && done())
      watchers.add(look)
      look()
      return () => watchers.delete(look)
    })
  const server = createServer((request, response) => {
    void (async () => {
      const asked: Asked = { path: request.url!, headers: request.headers, body: (await json(request)) as Asked['body'], at: performance.now(), left: false }
      ledger.push(asked)
      response.on('close', () => {
        asked.left = !response.writableFinished
        changed()
      })
      changed()
      const all = scripts.get(asked.body.model) ?? [refuse(404, { message: `The model ${asked.body.model} does not exist`, code: 'model_not_found' })]
      await all[Math.min(of(asked.body.model).length, all.length) - 1]!(response, asked)
    })().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: `http://${host}/v1`,
    host,
    asked: of,
    on: (model, ...given) => void scripts.set(model, given),
    came: (model, times = 1) => when(`${times} questions to ${model}`, () => of(model).length >= times),
    left: (model) => when(`an asker of ${model} to hang up`, () => of(model).some(({ left }) => left)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

// ── what may be done to an asker ───────────────────────────────────────────────────────────────────────────────────────

const chunk = (delta: object, more: object = {}) => ({
  id: 'c1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'toy-1',
  choices: [{ index: 0, delta, finish_reason: null }],
  ...more,
})
const ending = (finish: string) => chunk({}, { choices: [{ index: 0, delta: {}, finish_reason: finish }] })
const counts = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 }
const begin = (response: ServerResponse): void => void response.writeHead(200, { 'content-type': 'text/event-stream' })
export const event = (value: unknown): string => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`

/** The events of an answer. Usage comes only to those who asked for it. */
const written = (deltas: object[], finish: string, asked: Asked): unknown[] => [
  ...deltas.map((delta) => chunk(delta)),
  ending(finish),
  ...(asked.body['stream_options'] ? [chunk({}, { choices: [], usage: counts })] : []),
  '[DONE]',
]

/** Answers in these pieces of text, so many milliseconds apart. */
export const say =
  (pieces: string | string[], { finish = 'stop', apartMs = 0 } = {}): Script =>
  async (response, asked) => {
    begin(response)
    for (const each of written(
      [pieces].flat().map((content) => ({ content })),
      finish,
      asked,
    )) {
      if (apartMs > 0) await sleep(apartMs)
      response.write(event(each))
    }
    response.end()
  }

/** Answers with calls of tools, their arguments in pieces. */
export const call =
  (...calls: { name: string; arguments: string[] }[]): Script =>
  (response, asked) => {
    begin(response)
    const deltas = calls.flatMap(({ name, arguments: pieces }, index) => [
      { tool_calls: [{ index, id: `call_${index}`, type: 'function', function: { name, arguments: '' } }] },
      ...pieces.map((piece) => ({ tool_calls: [{ index, function: { arguments: piece } }] })),
    ])
    for (const each of written(deltas, 'tool_calls', asked)) response.write(event(each))
    response.end()
  }

export const refuse =
  (status: number, error: { message: string; code?: string; type?: string }, headers: Record<string, string> = {}): Script =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ error }))

/** Says something and is gone: the stream just ends, or the connection is torn. */
export const breakOff =
  (how: 'ends' | 'torn'): Script =>
  async (response) => {
    begin(response)
    response.write(event(chunk({ content: 'Half an ' })))
    await sleep(20)
    if (how === 'torn') response.destroy()
    else response.end()
  }

/** Sends these bytes as the stream. */
export const send =
  (text: string, type = 'text/event-stream'): Script =>
  (response) =>
    response.writeHead(200, { 'content-type': type }).end(text)

/** Begins to speak and never ends. */
export const drone: Script = async (response) => {
  begin(response)
  while (!response.destroyed) {
    response.write(event(chunk({ content: 'and ' })))
    await sleep(50)
  }
}

/** Never says a word. */
export const silence: Script = () => {}

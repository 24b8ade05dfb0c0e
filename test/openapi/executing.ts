import type { Json, JsonObject } from '@sluice/schema'
import { committed, type Contract, contractOf, type Operation } from '../../packages/server/test/openapi/contract.ts'
import type { TestServer } from '../support/server.ts'
import { shapesApart } from './shape.ts'

/** A file of a form. */
export interface Sent {
  file: string
  name: string
  type: string
}

/** What an operation is asked: the example, changed or not. Path and query by the names of the parameters. */
export interface Asked {
  path: Record<string, string>
  query: Record<string, string>
  headers: Record<string, string>
  /** The media type of the body; null: there is none. */
  content: string | null
  body: Json | Record<string, string | Sent>
  /** In place of what the body makes: as it is sent. */
  raw?: string
  token: string
}

export interface World {
  server: TestServer
  /** What the examples name, and what it is on this server: replaced in all that is sent, wherever it occurs. */
  real: Map<string, string>
  /** Whose examples are sent: of a member who is as the examples say. */
  token: string
  /** A key that may do nothing of what is asked here. */
  powerless: string
  /** What an operation of the dialect answers to its example, changed or not. */
  // oxlint-disable-next-line typescript/no-explicit-any -- worlds look where they expect something to be
  say(operation: string, change?: (asked: Asked) => Partial<Asked>): Promise<any>
}

/** One operation, and what there must be for its example to be true. */
export interface Step {
  operation: string
  ready?: (world: World) => Promise<void>
  /** What happens while it is asked, and makes it answer. */
  meanwhile?: (world: World) => Promise<void>
  /** What the document has no example of: a form with files. */
  form?: Record<string, string | Sent>
  /** What the document has no example of: where a stream is followed, by the words of other examples. */
  path?: Record<string, string>
  /** Of a stream: what it says, by the names of the examples. Without it the answer is JSON, or nothing. */
  stream?: (world: World, open: () => Promise<Response>) => Promise<[name: string, item: Json][]>
}

/** A place where the answer differs in shape from the example. `at` is a path: `**.` for any beginning, `[]` for the items of a list. */
export interface Apart {
  operations?: readonly string[]
  at: string
  because: string
  /** Whether it is so only at times: then it is not missed. */
  sometimes?: true
}

/** A documented answer that is not made to happen. */
export interface Unreached {
  operations?: readonly string[]
  /** The name of the example: the code of the fault. */
  code: string
  because: string
}

/** Makes an operation answer with a fault. */
export type Refusal = (asked: Asked, world: World, operation: string) => Partial<Asked> | Promise<Partial<Asked>>

export interface Scene {
  dialect: string
  begin?: (world: World) => Promise<void>
  steps: readonly Step[]
  /** How faults of this dialect are made to happen, by their code; for one operation: `CODE of OPERATION`. */
  refusals: Readonly<Record<string, Refusal>>
  apart: readonly Apart[]
  unreached: readonly Unreached[]
}

type Media = { schema: JsonObject; example?: Json; examples?: Record<string, { value?: Json; $ref?: string }> }

const mediaOf = (content: Operation['responses'][string]['content'] | undefined): [type: string, media: Media][] => Object.entries(content ?? {}) as [string, Media][]

/** The examples of one kind of answer, by name; of a single one the name is empty. */
function examplesOf(contract: Contract, { example, examples = {} }: Media): [name: string, value: Json][] {
  if (example !== undefined) return [['', example]]
  return Object.entries(examples).map(([name, each]) => {
    const found = each.$ref === undefined ? each : (contract.document.components['examples'] as Record<string, { value: Json }>)[each.$ref.split('/').at(-1)!]!
    return [name, found.value!]
  })
}

/** Texts with what they name replaced by what there is, in one pass, so that nothing is replaced twice. */
function realOf<T>(value: T, real: ReadonlyMap<string, string>): T {
  // The longest first: one name may be found within another.
  const names = [...real.keys()].toSorted((one, other) => other.length - one.length).map((name) => name.replaceAll(/[.*+?^$()|[\]\\{}]/g, String.raw`\$&`))
  const named = new RegExp(names.join('|'), 'g')
  const text = (written: string): string => (names.length === 0 ? written : written.replaceAll(named, (name) => real.get(name)!))
  const of = (each: unknown): unknown => {
    if (typeof each === 'string') return text(each)
    if (Array.isArray(each)) return each.map(of)
    if (typeof each === 'object' && each !== null) return Object.fromEntries(Object.entries(each).map(([key, inner]) => [text(key), of(inner)]))
    return each
  }
  return of(value) as T
}

/** The example of an operation as it is asked of this server, once for each media type that its body may have. */
function askedOf(operation: Operation, { form, path = {} }: Pick<Step, 'form' | 'path'>, { real, token }: World): Asked[] {
  const asked: Asked = { path: realOf(path, real), query: {}, headers: {}, content: null, body: null, token: operation.security?.length === 0 ? '' : token }
  for (const { in: place, name, example } of operation.parameters)
    if (example !== undefined) (place === 'path' ? asked.path : place === 'query' ? asked.query : asked.headers)[name] = realOf(textOf(example as Json), real)
  const bodies = mediaOf(operation.requestBody?.content).flatMap(([content, { example }]) => {
    const body = form ?? example
    return body === undefined ? [] : [{ ...asked, content, body: realOf(body, real) }]
  })
  return bodies.length > 0 ? bodies : [asked]
}

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

export async function ask(server: { url: string }, { method, path: address }: Operation, { path, query, headers, content, body, raw, token }: Asked): Promise<Response> {
  const place = address.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ''))
  const search = new URLSearchParams(query)
  const sent = raw ?? (content === null ? undefined : bodyOf(content, body))
  return fetch(`${server.url}${place}${search.size > 0 ? `?${search.toString()}` : ''}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(token !== '' && { authorization: `Bearer ${token}` }),
      ...(content !== null && !(sent instanceof FormData) && { 'content-type': content }),
      ...headers,
    },
    ...(sent !== undefined && { body: sent }),
  })
}

function bodyOf(content: string, body: Asked['body']): string | FormData | URLSearchParams {
  const fields = Object.entries((body ?? {}) as Record<string, Json | Sent>)
  if (content === 'application/json') return JSON.stringify(body)
  // Lists and objects have no form of their own in a form: PocketBase has all of such a body in one field, as JSON.
  const isFlat = fields.every(([, value]) => typeof value !== 'object' || isFile(value))
  const texts = isFlat ? fields : [['@jsonPayload', JSON.stringify(body)] as const]
  if (content === 'application/x-www-form-urlencoded') return new URLSearchParams(texts.map(([name, value]): [string, string] => [name, textOf(value as Json)]))
  const form = new FormData()
  for (const [name, value] of texts)
    if (isFile(value)) form.append(name, new Blob([value.file], { type: value.type }), value.name)
    else form.append(name, textOf(value))
  return form
}

/** What a stream says, until its reader leaves. */
export async function* framesOf(response: Response): AsyncGenerator<[event: string, data: Json], void> {
  let text = ''
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const field = (name: string): string | undefined => new RegExp(`^${name}: ?(.*)$`, 'm').exec(text.slice(0, end))?.[1]
      const [event, data] = [field('event') ?? '', field('data')]
      text = text.slice(end + 2)
      if (data !== undefined) yield [event, JSON.parse(data) as Json]
    }
  }
}

const isFile = (value: Json | Sent): value is Sent => typeof value === 'object' && value !== null && 'file' in value && 'type' in value

export interface Execution {
  /** What is not as the document shows it. */
  flaws: string[]
  /** Operations whose example was sent, and documented faults that came: `STATUS CODE of OPERATION`. */
  executed: Set<string>
  /** Exceptions that were made use of. */
  used: Set<Apart | Unreached>
}

/** Sends every example of a document, in the order of the scene, and holds each answer against the schema and the example of it. */
export async function execute(scene: Scene, world: World): Promise<Execution> {
  const contract = contractOf(committed(scene.dialect))
  const execution: Execution = { flaws: [], executed: new Set(), used: new Set() }
  const { flaws, executed, used } = execution
  const operationOf = (id: string): Operation => {
    const found = contract.operations.get(id)
    if (!found) throw new Error(`${scene.dialect} has no operation ${id}`)
    return found
  }

  function hold(operation: Operation, status: number, name: string, schema: JsonObject, shown: Json | undefined, answered: Json): void {
    const broken = contract.check(answered, schema)
    if (broken !== null) flaws.push(`${operation.id} ${status} ${name}: not by its schema: ${broken}`)
    if (shown === undefined) return
    for (const { at, what } of shapesApart(realOf(shown, world.real), answered)) {
      const allowed = scene.apart.find(({ operations, at: allowedAt }) => (operations === undefined || operations.includes(operation.id)) && covers(allowedAt, at))
      if (allowed) used.add(allowed)
      else flaws.push(`${operation.id} ${status}${name === '' ? '' : ` ${name}`}: ${at || 'the whole'}: ${what}`)
    }
  }

  world.say = async (id, change) => {
    const operation = operationOf(id)
    const [asked] = askedOf(operation, {}, world)
    const response = await ask(world.server, operation, { ...asked!, ...change?.(asked!) })
    const text = await response.text()
    if (!response.ok) throw new Error(`${id}: ${response.status} ${text}`)
    return text === '' ? null : JSON.parse(text)
  }

  async function refuse(operation: Operation, asked: Asked): Promise<void> {
    for (const [status, { content }] of Object.entries(operation.responses)) {
      if (status < '400' || status === 'default') continue
      for (const [, media] of mediaOf(content))
        for (const [code, shown] of examplesOf(contract, media)) {
          const unreached = scene.unreached.find((each) => each.code === code && (each.operations === undefined || each.operations.includes(operation.id)))
          if (unreached) {
            used.add(unreached)
            executed.add(`${status} ${code} of ${operation.id}`)
            continue
          }
          const refusal = scene.refusals[`${code} of ${operation.id}`] ?? scene.refusals[code]
          if (!refusal) continue
          const response = await ask(world.server, operation, { ...asked, ...(await refusal(asked, world, operation.id)) })
          const text = await response.text()
          if (String(response.status) !== status) {
            flaws.push(`${operation.id}: ${response.status} in place of ${status} ${code}: ${text.slice(0, 300)}`)
            continue
          }
          executed.add(`${status} ${code} of ${operation.id}`)
          hold(operation, response.status, code, media.schema, shown, JSON.parse(text) as Json)
        }
    }
  }

  async function succeed(operation: Operation, step: Step, asked: Asked): Promise<void> {
    if (step.stream) {
      const { schema, ...media } = operation.responses['200']!.content!['text/event-stream'] as Media
      const examples = new Map(examplesOf(contract, { schema, ...media }))
      for (const [name, item] of await step.stream(world, () => ask(world.server, operation, asked))) {
        executed.add(`${name} of ${operation.id}`)
        if (examples.has(name)) hold(operation, 200, name, schema, examples.get(name), item)
        else flaws.push(`${operation.id}: says ${name}, of which there is no example`)
      }
      for (const name of examples.keys()) {
        const unreached = scene.unreached.find((each) => each.code === name && (each.operations === undefined || each.operations.includes(operation.id)))
        if (unreached) used.add(unreached)
        else if (!executed.has(`${name} of ${operation.id}`)) flaws.push(`${operation.id}: never said ${name}`)
      }
      executed.add(operation.id)
      return
    }
    const [response] = await Promise.all([ask(world.server, operation, asked), step.meanwhile?.(world)])
    const bytes = await response.text()
    const described = operation.responses[response.status]
    const showing = Object.entries(operation.responses).find(
      ([status, { content }]) => status < '300' && mediaOf(content).some(([type, { example }]) => type === 'application/json' && example !== undefined),
    )
    if (!response.ok || !described || (showing && showing[0] !== String(response.status))) {
      flaws.push(`${operation.id} (${asked.content ?? 'no body'}): ${response.status} ${bytes.slice(0, 400)}`)
      return
    }
    executed.add(operation.id)
    const media = mediaOf(described.content).find(([type]) => type === 'application/json')?.[1]
    if (media) hold(operation, response.status, '', media.schema, media.example, JSON.parse(bytes) as Json)
    else if (!described.content && bytes !== '') flaws.push(`${operation.id}: says something where nothing is described: ${bytes.slice(0, 200)}`)
  }

  await scene.begin?.(world)
  for (const step of scene.steps) {
    const operation = operationOf(step.operation)
    try {
      await step.ready?.(world)
      await refuse(operation, askedOf(operation, step, world)[0]!)
      for (const [at, type] of askedOf(operation, step, world).map(({ content }, index) => [index, content] as const)) {
        // Made ready again for each media type: what was asked before may have used it up.
        if (at > 0) await step.ready?.(world)
        await succeed(
          operation,
          step,
          askedOf(operation, step, world).find(({ content }) => content === type)!,
        )
      }
    } catch (error) {
      flaws.push(`${operation.id}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  for (const operation of contract.operations.values()) {
    if (isExcepted(operation.id, '')) continue
    if (!executed.has(operation.id)) flaws.push(`${operation.id}: no example of it was executed`)
    for (const [status, { content }] of Object.entries(operation.responses))
      if (status >= '400' && status !== 'default')
        for (const [, media] of mediaOf(content)) {
          const examples = examplesOf(contract, media)
          for (const [code] of examples)
            if (!executed.has(`${status} ${code} of ${operation.id}`) && !isExcepted(operation.id, code)) flaws.push(`${operation.id}: ${status} ${code} was not made to happen`)
        }
  }
  function isExcepted(id: string, code: string): boolean {
    const found = scene.unreached.find((each) => each.code === code && (each.operations === undefined || each.operations.includes(id)))
    if (found) used.add(found)
    return found !== undefined
  }
  for (const each of [...scene.apart, ...scene.unreached])
    if (!used.has(each) && !('sometimes' in each)) flaws.push(`not needed any more: ${'at' in each ? each.at : each.code}, because ${each.because}`)
  return execution
}

/** Whether an exception at one place is about another: that place, or one below it. */
function covers(pattern: string, at: string): boolean {
  const written = pattern.startsWith('**.') ? pattern.slice(3) : pattern
  const literal = written.replaceAll(/[.*+?^$()|[\]\\{}]/g, String.raw`\$&`)
  return new RegExp(`^${pattern.startsWith('**.') ? String.raw`(?:.*\.)?` : ''}${literal}(?:[.[].*)?$`).test(at)
}

import type { JsonObject } from '@sluice/schema'
import type { AnyTRPCRouter } from '@trpc/server'
import { z } from 'zod'
import type { BodyType, Meta, Method, RestStream } from '../rpc/trpc.ts'
import { either, objectOf, takenAt, type Takes } from './takes.ts'

/** One method at one path. What replies there and what streams there may be two: the Accept header decides. */
export interface Address {
  /** `runs.get`: unique in a document. */
  id: string
  method: Method
  /** As it is spelled, trailing slash included. */
  path: string
  takes: Takes
  reply: Reply | null
  stream: Stream | null
}

interface Door {
  /** The procedure, as `runs.get`. */
  name: string
  /** As the procedure spells it: beside a reply, a stream may name the parameters otherwise. */
  path: string
  action: Meta['action']
  summary: string
  description: string | undefined
  tags: string[]
}

export interface Reply extends Door {
  /** Of success. */
  status: number
  input: z.ZodType | undefined
  output: z.ZodType | undefined
  /** What its body is, where it is no JSON. */
  bodies: readonly BodyType[]
  /** Whether its body is JSON or a form, which say the same. */
  isLoose?: true
  /** Whether its output is bytes as they are. */
  isBytes: boolean
  /** What it may answer beside its reply, by status. */
  others?: Readonly<Record<number, { description: string; schema: z.ZodType }>>
  /** Not in the document that the API is published by. */
  isExtension?: boolean
}

/** Bytes, as OpenAPI says them. */
export const Bytes = z.string().meta({ format: 'binary' })

export interface Stream extends Door {
  /** What the data of its events is, where it is not what that of all streams is; and an event of each name. */
  tells?: { data: z.ZodType; examples: Readonly<Record<string, { summary: string; value: JsonObject }>> }
  /** Beside a reply: how it is asked for and what it is, where that is not by the Accept header and as all streams are. */
  asked?: string
  /** Not in the document that the API is published by. */
  isExtension?: boolean
}

interface Procedure {
  _def: { meta?: Meta; inputs: z.ZodType[]; output?: z.ZodType }
}

/**
 * Every address that the procedures of a router say of themselves, in their order. `hidden` names keys of an input that
 * are always refused at an address, because its path says the same. Throws for a path whose parameters the input does not have.
 */
export function addressesOf(router: AnyTRPCRouter, hidden: (procedure: string, path: string) => readonly string[] = () => []): Address[] {
  const addresses: Address[] = []
  const procedures = Object.entries(router._def.procedures as Record<string, Procedure>)
  for (const [name, { _def }] of procedures) {
    const { openapi, action } = _def.meta ?? {}
    if (!openapi || !action) continue
    const { method, path, summary, description, tags = [], status: said = 200, takes: bodies = [], gives } = openapi
    const [input] = _def.inputs
    const isBytes = gives === 'bytes'
    const status = _def.output instanceof z.ZodVoid ? 204 : said
    const reply = { name, path, action, summary, description, tags, status, input, output: isBytes ? Bytes : _def.output, bodies, isBytes }
    const taken = takenAt(name, input, method, path, hidden(name, path))
    addresses.push({ id: name, method, path, takes: bodies.includes('application/octet-stream') ? besideBytes(taken) : taken, reply, stream: null })
  }
  for (const [name, { _def }] of procedures)
    for (const at of _def.meta?.streams ?? []) addStream(addresses, name, _def.meta!.action, at, takenAt(name, _def.inputs[0], 'GET', at.path, hidden(name, at.path)))
  return addresses
}

/** A body that is a file has no room for what is said of it: that stands in the query, too, and what has to be said there alone, so that it is described once. */
function besideBytes(takes: Takes): Takes {
  const { file, ...said } = objectOf(takes.body ?? undefined)?.shape ?? {}
  const query = { ...takes.query, ...said }
  const free = Object.fromEntries(Object.entries<z.ZodType>(said).filter(([, field]) => field.safeParse(undefined).success))
  const isFree = Object.keys(free).length === Object.keys(said).length
  return { ...takes, query, body: isFree || !file ? takes.body : z.strictObject({ file, ...free }) }
}

/** Beside the reply of its address, or at one of its own. */
function addStream(addresses: Address[], name: string, action: Meta['action'], { path, summary, description, tags = [] }: RestStream, takes: Takes): void {
  const stream = { name, path, action, summary, description, tags }
  const beside = addresses.find((address) => address.method === 'GET' && placeOf(address.path) === placeOf(path))
  if (beside) {
    beside.stream = stream
    beside.takes = either(beside.takes, takes)
    return
  }
  // A procedure that streams at several addresses has its name at the first one: `events.subscribe`, then `workflows.events`.
  const [noun, ...rest] = path.split('/').filter((part) => part !== '' && !/^v\d+$|^\{/.test(part))
  const id = addresses.some((address) => address.id === name) ? `${noun}.${rest.at(-1)}` : name
  addresses.push({ id, method: 'GET', path, takes, reply: null, stream })
}

/** A path without the names of its parameters and the slash at its end. */
const placeOf = (path: string): string => path.replaceAll(/\{\w+\}/g, '{}').replace(/(.)\/$/, '$1')

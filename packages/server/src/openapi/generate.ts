import type { JsonObject } from '@sluice/schema'
import { initTRPC } from '@trpc/server'
import { generateOpenApiDocument, instanceofZodTypeCoercible, instanceofZodTypeLikeString, type OpenApiMeta } from 'trpc-to-openapi'
import { z } from 'zod'
import type { ZodOpenApiPathsObject } from 'zod-openapi'
import type { Address } from './addresses.ts'
import type { Words } from './words.ts'

/** The parts of a document, each rendered once; `components` has all words. */
export interface Parts {
  /** What the generator says of an address. */
  operation(address: Address): Operation
  /** What it cannot say: the body, some of the query, and what is streamed. */
  rest(address: Address): Operation
  error: JsonObject
  schemas: Record<string, JsonObject>
}

export type Operation = {
  operationId: string
  summary: string
  parameters?: (JsonObject & { in: string; name: string; schema: JsonObject })[]
  requestBody?: { content: Content }
  responses: Record<number, { content: Content } | undefined>
}

/** By media type. */
export type Content = Record<string, JsonObject>

const t = initTRPC.meta<OpenApiMeta>().create()
const json = 'application/json'

/**
 * Renders everything in one pass, so that names are given once: trpc-to-openapi walks a router that has each address as a
 * procedure with what it can say of it. The rest rides along under paths of its own, as zod-openapi renders it.
 */
export function generate(addresses: readonly Address[], { words, event, error }: { words: Words; event: z.ZodType; error: z.ZodType }): Parts {
  const paths: ZodOpenApiPathsObject = { [restOf('')]: { post: { responses: { 200: { description: '', content: { [json]: { schema: error } } } } } } }
  for (const address of addresses) paths[restOf(address.id)] = { post: restIn(address, event) }
  const router = t.router(Object.fromEntries(addresses.map((address) => [address.id.replaceAll('.', '_'), procedureFor(address)])))
  const document = generateOpenApiDocument(router, { title: '', version: '', baseUrl: '/', openApiVersion: '3.1.0', defs: words, paths })
  const rendered = document as unknown as { paths: Record<string, Record<string, Operation>>; components: { schemas: Record<string, JsonObject> } }
  const at = (path: string, method: string) => rendered.paths[path]![method.toLowerCase()]!
  return {
    operation: ({ path, method }) => at(path.replace(/(.)\/$/, '$1'), method),
    rest: ({ id }) => at(restOf(id), 'post'),
    error: at(restOf(''), 'post').responses[200]!.content[json]!['schema'] as JsonObject,
    schemas: rendered.components.schemas,
  }
}

const restOf = (id: string): string => `/~rest/${id}`

/** The generator takes texts, numbers and booleans in a path or a query; and nothing is lost there by saying no more. A query beside a body it knows not. */
const canSay = (field: z.ZodType, method: Address['method']): boolean =>
  (method === 'GET' || method === 'DELETE') && (instanceofZodTypeLikeString(field) || instanceofZodTypeCoercible(field))

function procedureFor({ id, method, path, takes, reply, stream }: Address) {
  const { summary, description, tags } = (reply ?? stream)!
  const input = z.object({ ...takes.path, ...fields(takes.query, (field) => canSay(field, method)) })
  const requestHeaders = Object.keys(takes.header).length > 0 ? z.object(takes.header) : undefined
  const procedure = t.procedure
    .meta({
      openapi: {
        method,
        path: path as `/${string}`,
        operationId: id,
        summary,
        tags,
        ...(description !== undefined && { description }),
        ...(requestHeaders && { requestHeaders }),
        errorResponses: {},
      },
    })
    .input(input)
    .output(reply?.output ?? z.void())
  const never = () => Promise.reject(new Error('described, not called'))
  return method === 'GET' ? procedure.query(never) : procedure.mutation(never)
}

function restIn({ method, takes, reply, stream }: Address, event: z.ZodType): NonNullable<ZodOpenApiPathsObject[string]['post']> {
  const others = Object.entries(reply?.others ?? {}).map(([status, { schema }]) => [status, { description: '', content: { [json]: { schema } } }])
  return {
    requestParams: { query: z.object(fields(takes.query, (field) => !canSay(field, method))) },
    ...(takes.body && { requestBody: { content: { [json]: { schema: takes.body } } } }),
    responses: { ...(stream && { 200: { description: '', content: { 'text/event-stream': { schema: stream.tells?.data ?? event } } } }), ...Object.fromEntries(others) },
  }
}

const fields = (shape: Record<string, z.ZodType>, which: (field: z.ZodType) => boolean) => Object.fromEntries(Object.entries(shape).filter(([, field]) => which(field)))

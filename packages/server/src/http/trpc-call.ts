import { type AnyTRPCRouter, callTRPCProcedure, getTRPCErrorFromUnknown, getTRPCErrorShape, type TRPCError } from '@trpc/server'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { problemOf } from '../rpc/faults.ts'
import { callerOf } from './caller.ts'
import { untilLost } from './gone.ts'
import { readJsonText, type ReadJson } from './json.ts'
import { queryOf } from './query.ts'
import { proceduresOf } from './rows.ts'

/** One query or mutation, as the SDK asks for it: no batch, no subscription, nothing said of how it is to be answered. */
export interface SingleCall {
  path: string
  type: 'query' | 'mutation'
  input: unknown
}

const methods = { query: 'GET', mutation: 'POST' }

export interface SingleCalls {
  /** Null: something else, which tRPC's own adapter answers. Throws faults for what cannot be read. */
  read(request: FastifyRequest): SingleCall | null
  /** Answers as tRPC's adapter does, without the request and the reply of a browser that it makes of ours. */
  answer(call: SingleCall, request: FastifyRequest, reply: FastifyReply, report: (error: TRPCError) => void): Promise<void>
}

export function createSingleCalls(router: AnyTRPCRouter): SingleCalls {
  const types = new Map(Object.entries(proceduresOf(router)).map(([path, { type }]) => [path, type]))
  return {
    read(request) {
      const { path = '' } = request.params as { path?: string }
      const type = types.get(path)
      if (type === undefined || type === 'subscription' || request.method !== methods[type] || request.headers['trpc-accept'] !== undefined) return null
      const query = queryOf(request.raw.url ?? '')
      if (query.size > (query.has('input') ? 1 : 0)) return null
      if (type === 'mutation') return { path, type, input: (request.body as ReadJson | undefined)?.value }
      const text = query.get('input')?.[0] ?? ''
      return { path, type, input: text === '' ? undefined : readJsonText(text).value }
    },
    async answer({ path, type, input }, request, reply, report) {
      const ctx = callerOf(request)
      reply.header('content-type', 'application/json')
      try {
        const data: unknown = await callTRPCProcedure({ router, path, type, ctx, getRawInput: async () => input, signal: untilLost(reply.raw), batchIndex: 0 })
        void reply.send(JSON.stringify({ result: { data } }))
      } catch (cause) {
        const error = getTRPCErrorFromUnknown(cause)
        report(error)
        const { status, retryAfter } = problemOf(error)
        if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter))
        const shape: unknown = getTRPCErrorShape({ config: router._def._config, error, type, path, input: undefined, ctx })
        void reply.code(status).send(JSON.stringify({ error: shape }))
      }
    },
  }
}

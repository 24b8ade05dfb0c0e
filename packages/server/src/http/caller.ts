import type { FastifyRequest } from 'fastify'
import type { RateClass } from '../dialects/dialect.ts'
import type { Context } from '../rpc/context.ts'
import type { Face } from './face.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who renders the errors of this route; else the owner of its path. */
    face?: Face
    /** Asks for no credential. */
    open?: boolean
    /** Asks for no credential and counts for no limit: answers while the database is away. */
    bare?: boolean
    /** Does something when it is read: no cookie counts, and nothing is done for what is fetched ahead. */
    guarded?: boolean
    /** Its body may take long: it brings files. */
    slow?: boolean
    /** How many times as large as others its body may be. */
    room?: number
    /** The limit that its requests count in beside that of all. */
    counted?: RateClass | null
  }
  interface FastifyRequest {
    /** As whom procedures are called. Null on bare routes. */
    caller: Context | null
  }
}

export function callerOf(request: FastifyRequest): Context {
  if (!request.caller) throw new Error(`${request.routeOptions.url} is a bare route: it has no caller`)
  return request.caller
}

/** Whether the request is for a stream of events. A HEAD is not: it would never end. */
export const wantsStream = ({ method, headers }: FastifyRequest): boolean => method === 'GET' && /(^|,)\s*text\/event-stream\s*(;|,|$)/i.test(headers.accept ?? '')

import type { FaultCode, Json, JsonObject } from '@sluice/schema'
import type { z } from 'zod'
import type { ErrorForm } from './problems.ts'
import type { Words } from './words.ts'

/** An OpenAPI 3.1 document. */
export type Document = {
  openapi: string
  info: JsonObject
  servers: { url: string }[]
  security: JsonObject[]
  tags: JsonObject[]
  /** By path, then by method. */
  paths: Record<string, Record<string, JsonObject>>
  components: Record<string, Record<string, JsonObject>> & { schemas: Record<string, JsonObject> }
}

/** What a document says beyond what its procedures say of themselves. */
export interface Description {
  title: string
  version: string
  /** Markdown. */
  description: string
  license: { name: string; identifier: string }
  /** The root, unless given. */
  servers?: readonly { url: string }[]
  tags: readonly { name: string; description: string }[]
  /** The ways to say who asks; any one of them is enough. */
  securitySchemes: Record<string, JsonObject>
  /** Further ways, where a stream is opened. */
  streamSecuritySchemes: Record<string, JsonObject>
  words: Words
  /** Schemas to put in place of what a word is rendered as. */
  rendered: Record<string, JsonObject>
  meanings: Meanings
  /** What is said of a parameter whose own schema says nothing, by its name. */
  parameters: Readonly<Record<string, string>>
  /** What the data of an event of a stream is, and what is said of all streams. */
  event: z.ZodType
  streaming: string
  errors: ErrorForm
  /** By procedure. */
  notes: Readonly<Record<string, Note | undefined>>
}

/** What is said of schemas and of their keys, where their own definition says nothing. */
export interface Meanings {
  /** By name. Of a page, `{}Page`, where `{}` stands for what it is a page of. */
  schemas: Readonly<Record<string, string>>
  /** By key, for all that have it, or by `Schema.key`, which wins. */
  keys: Readonly<Record<string, string>>
}

/** What is known of a procedure and is not in its types. */
export interface Note {
  /** What it refuses, beyond what all like it refuse. */
  faults?: readonly FaultCode[]
  example?: Example
  /** An event of its stream. */
  event?: Json
  /** By path, of a procedure that is found at several: what it refuses there, and keys that it always refuses there, because the path says the same. */
  at?: Readonly<Record<string, { faults?: readonly FaultCode[]; hides?: readonly string[] }>>
}

export interface Example {
  input: JsonObject
  /** Of the body, where it is not what the path leaves of the input. */
  body?: Json
  /** Absent: there is nothing to say. */
  reply?: Json
}

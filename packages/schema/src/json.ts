import { z } from 'zod'

/** A JSON value: what may cross an edge of Sluice and what is stored. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** A JSON object. */
export type JsonObject = { [key: string]: Json }

/** Any JSON value. Depth and size are limited before parsing, so that the schema need not walk the value. */
export const Json = z.custom<Json>((value) => value !== undefined, 'expected a JSON value').meta({ description: 'Any JSON value' })

/** Any JSON object. */
export const JsonObject = z
  .custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'expected an object')
  .meta({
    type: 'object',
    additionalProperties: true,
    description: 'Any JSON object',
  })

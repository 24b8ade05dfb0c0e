import type { JsonObject } from '@sluice/schema'

/** What http has to say about bytes beside all of them: parts, and what the caller has already. `http/content.ts` says it. */

export const byteHeaders: JsonObject[] = [
  {
    name: 'Range',
    in: 'header',
    description: 'One range of bytes; of several, and of what is no range, all of it is sent',
    schema: { type: 'string' },
    example: 'bytes=0-1023',
  },
  { name: 'If-None-Match', in: 'header', description: 'The `ETag` of what the caller has already', schema: { type: 'string' } },
]

const requestId = { 'X-Request-Id': { $ref: '#/components/headers/RequestId' } }
const etag = { ETag: { description: 'Names these bytes', schema: { type: 'string' } } }
const contentRange = (description: string, example: string): JsonObject => ({ 'Content-Range': { description, schema: { type: 'string' }, example } })

export const otherBytes: JsonObject = {
  206: {
    description: 'The part that was asked for',
    headers: { ...requestId, ...etag, ...contentRange('The first and the last byte, and how many there are in all', 'bytes 0-1023/4096') },
    content: { '*/*': { schema: { type: 'string', format: 'binary' } } },
  },
  304: { description: 'The caller has it already', headers: { ...requestId, ...etag } },
}

export const rangeMissed = (schema: JsonObject): Record<string, JsonObject> => ({
  416: {
    description: '`input_invalid`: The range is outside of the file',
    headers: { ...requestId, ...contentRange('How many bytes there are', 'bytes */4096') },
    content: { 'application/json': { schema } },
  },
})

import type { Json, JsonObject } from '@sluice/schema'
import { type Operation, requestOf } from '../../packages/server/test/openapi/contract.ts'

/** Calls an operation as the document says: its body as JSON, or where it takes a form as that. */
export async function send(operation: Operation, input: JsonObject, { url, token }: { url: string; token: string }): Promise<Response> {
  const { path, query, body } = requestOf(operation, input)
  const isForm = operation.requestBody?.content['multipart/form-data'] !== undefined
  return fetch(url + path + query, {
    method: operation.method,
    headers: { accept: 'application/json', ...(token !== '' && { authorization: `Bearer ${token}` }), ...(body && !isForm && { 'content-type': 'application/json' }) },
    ...(body && { body: isForm ? formOf(body) : JSON.stringify(body) }),
  })
}

/** Its lists are of files, each by what is in it; the rest are fields. */
function formOf(body: JsonObject): FormData {
  const form = new FormData()
  for (const [key, value] of Object.entries(body))
    if (Array.isArray(value)) for (const text of value) form.append(key, new Blob([textOf(text)], { type: 'text/csv' }), 'customers.csv')
    else form.append(key, textOf(value))
  return form
}

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** What an answer says, as far as it says it in JSON: the bytes of a file are none. */
export async function said(response: Response): Promise<Json | undefined> {
  const text = await response.text()
  return response.headers.get('content-type')?.startsWith('application/json') ? (JSON.parse(text) as Json) : undefined
}

import { Fault, type FaultCode, faults, type Issue, type JsonObject } from '@sluice/schema'

/** Asks the server of a test. Throws the Fault that it answers with. */
export type Call = <T>(method: 'GET' | 'POST' | 'PUT', path: string, body?: object) => Promise<T>

export const callAs =
  (url: string, credential?: string): Call =>
  async <T>(method: string, path: string, body?: object) => {
    const response = await fetch(url + path, {
      method,
      headers: { ...(credential !== undefined && { authorization: `Bearer ${credential}` }), ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const answer: unknown = text === '' ? null : JSON.parse(text)
    if (!response.ok) throw refusal(`${method} ${path}`, response.status, answer as Refusal)
    // As the schema of the row has it that was called.
    return answer as T
  }

interface Refusal {
  error?: { code: string; message: string; issues?: Issue[]; details?: JsonObject }
}

function refusal(request: string, status: number, { error }: Refusal): Error {
  if (!error || !Object.hasOwn(faults, error.code)) return new Error(`${request} was answered with ${status}: ${error?.message ?? ''}`)
  const issues = (error.issues ?? []).map(({ path = [], message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
  return new Fault(error.code as FaultCode, { message: [error.message, ...issues].join('; '), issues: error.issues ?? [], details: error.details ?? {} })
}

import { Fault, faults, type FaultCode } from '@sluice/schema'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { render } from '../../../src/dialects/playground/errors.ts'
import { problemOf, WireFault } from '../../../src/rpc/faults.ts'

const told = (error: unknown) => {
  const { status, body } = render(problemOf(error))
  return [status, body]
}

test('every problem is one text, under a status of the document, or of what the document has none for', () => {
  const statuses = new Set<number>()
  for (const code of Object.keys(faults) as FaultCode[]) {
    const { status, body } = render(problemOf(new Fault(code, { details: { any: [1] } })))
    expect([code, Object.keys(body as object), typeof (body as { detail: unknown }).detail]).toEqual([code, ['detail'], 'string'])
    statuses.add(status)
  }
  expect([...statuses].sort()).toEqual([400, 401, 403, 404, 413, 415, 429, 507])
})

test('who asks without a credential, or too often, or for what is not there, is told so in words of its stack', () => {
  expect(told(new Fault('credential_missing'))).toEqual([401, { detail: 'Not authenticated' }])
  expect(told(new Fault('credential_invalid'))).toEqual([401, { detail: 'Not authenticated' }])
  expect(told(new Fault('permission_denied'))).toEqual([403, { detail: 'Not enough permissions' }])
  expect(told(new Fault('route_missing'))).toEqual([404, { detail: 'Not Found' }])
  expect(told(new Fault('rate_limited', { details: { limit: 7 } }))).toEqual([429, { detail: 'Rate limit exceeded: 7 per 1 minute' }])
  expect(told(new Error('a secret of ours'))).toEqual([500, { detail: 'Internal server error' }])
})

test('what does not fit is told with its place, in the words of the document, and not without end', () => {
  const schema = z.object({ input: z.string(), files: z.array(z.object({ id: z.string() })) })
  const { error } = schema.safeParse({ files: [{ id: 5 }] }, { reportInput: true })
  const wire = error!.issues.map((issue) => ({ in: 'body' as const, issue, whole: {} }))
  expect(told(new WireFault(wire))).toEqual([
    400,
    { detail: 'input: Invalid input: expected string, received undefined; files.0.id: Invalid input: expected string, received number' },
  ])
  expect(told(new Fault('input_invalid', { issues: [{ path: ['title'], message: 'is too long' }] }))).toEqual([400, { detail: 'name: is too long' }])
  expect(told(new Fault('definition_invalid', { issues: [{ nodeId: 'think', message: 'has no model' }] }))).toEqual([
    400,
    { detail: 'The definition cannot be published: think: has no model' },
  ])
  const [, body] = told(new Fault('input_invalid', { issues: Array.from({ length: 100 }, () => ({ path: ['a'], message: 'x' })) }))
  expect(JSON.stringify(body).length).toBeLessThan(100)
})

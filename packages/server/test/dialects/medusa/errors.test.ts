import { Fault, faults, type FaultCode, faultKinds } from '@sluice/schema'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { AdminCreateWorkflowsAsyncResponse, AdminCreateWorkflowsRun, ExecutionsQuery } from '../../../src/dialects/medusa/contract.ts'
import { errors, stepFailed } from '../../../src/dialects/medusa/errors.ts'
import { problemOf, WireFault } from '../../../src/rpc/faults.ts'
import { Outage } from '../../../src/store/index.ts'

const rendered = (error: unknown, status?: number) => errors.render({ ...problemOf(error), ...(status !== undefined && { status }) }, 'r')

/** What Medusa would say of a value that does not fit. */
function told(schema: z.ZodType, value: unknown): string {
  const { error } = schema.safeParse(value, { reportInput: true })
  const { status, body } = rendered(new WireFault(error!.issues.map((issue) => ({ in: 'body', issue, whole: value }))))
  expect([status, (body as { type: string }).type]).toEqual([400, 'invalid_data'])
  return (body as { message: string }).message
}

test('what does not fit is told in the words of Medusa, three things at most', () => {
  const report = { transaction_id: 't', step_id: 's' }
  expect(told(AdminCreateWorkflowsAsyncResponse, undefined)).toBe('Invalid request: A body is required')
  expect(told(AdminCreateWorkflowsAsyncResponse, { transaction_id: 't' })).toBe("Invalid request: Field 'step_id' is required")
  expect(told(AdminCreateWorkflowsAsyncResponse, { ...report, transaction_id: 5 })).toBe("Invalid request: Expected type: 'string' for field 'transaction_id', got: '5'")
  expect(told(AdminCreateWorkflowsAsyncResponse, { ...report, action: 'X' })).toBe("Invalid request: Expected: 'invoke, compensate' for field 'action', but got: 'x'")
  expect(told(AdminCreateWorkflowsAsyncResponse, { ...report, a: 1, b: 2 })).toBe("Invalid request: Unrecognized fields: 'a, b'")
  expect(told(AdminCreateWorkflowsAsyncResponse, { transaction_id: 1, action: 'x', more: 1 })).toBe(
    "Invalid request: Expected type: 'string' for field 'transaction_id', got: '1'; Field 'step_id' is required; Expected: 'invoke, compensate' for field 'action', but got: 'x'",
  )
  expect(told(AdminCreateWorkflowsRun, [])).toMatch(/^Invalid request: Expected type: 'object'/)
  expect(told(AdminCreateWorkflowsRun, { transaction_id: 'x'.repeat(201) })).toBe("Invalid request: Value for field 'transaction_id' too big, expected at most: '200'")
})

test('of what may be one thing or another all that would do is told; of one that it nearly is, what is wrong in there', () => {
  expect(told(ExecutionsQuery, { workflow_id: { a: 'b' } })).toBe("Invalid request: Expected type: 'string, array' for field 'workflow_id', got: '[object Object]'")
  expect(told(ExecutionsQuery, { created_at: 7 })).toBe("Invalid request: Expected type: 'string, array, object' for field 'created_at', got: '7'")
  expect(told(ExecutionsQuery, { created_at: { $foo: 'x' } })).toBe("Invalid request: Unrecognized fields: '$foo'")
  expect(told(ExecutionsQuery, { workflow_id: Array.from({ length: 101 }, () => 'w') })).toBe("Invalid request: Value for field 'workflow_id' too big, expected at most: '100'")
})

test('what is said back is short, whatever was sent', () => {
  const message = told(AdminCreateWorkflowsAsyncResponse, { transaction_id: ['y'.repeat(100_000)], step_id: { toString: 'x' }, [`z${'z'.repeat(100_000)}`]: 1 })
  expect(message.length).toBeLessThan(1_000)
  expect(message).toContain("got: '[object Object]'")
})

test('every problem has a type and a status of Medusa’s, or the status of its kind', () => {
  const bodies = Object.keys(faults).map((code) => [code, rendered(new Fault(code as FaultCode))] as const)
  for (const [code, { status, body }] of bodies) expect([code, status >= 400 && status < 600, errors.schema.safeParse(body).success]).toEqual([code, true, true])
  const told = (code: FaultCode) => rendered(new Fault(code))
  expect(told('credential_missing')).toEqual({ status: 401, body: { message: 'Unauthorized' } })
  expect(told('credential_invalid')).toEqual({ status: 401, body: { message: 'Unauthorized' } })
  expect(told('permission_denied')).toMatchObject({ status: 403, body: { type: 'forbidden' } })
  expect(told('run_missing')).toMatchObject({ status: 404, body: { type: 'not_found' } })
  expect(told('route_missing')).toMatchObject({ status: 404, body: { type: 'not_found' } })
  expect(rendered(new Fault('route_missing'), 405)).toMatchObject({ status: 405 })
  expect(told('handle_taken')).toMatchObject({ status: 422, body: { code: 'invalid_request_error', type: 'duplicate_error' } })
  expect(told('transaction_conflict')).toMatchObject({ status: 409, body: { code: 'invalid_state_error', type: 'conflict' } })
  for (const code of ['body_too_large', 'media_unsupported', 'rate_limited', 'storage_full', 'limit_exceeded'] as const)
    expect(told(code)).toMatchObject({ status: faultKinds[faults[code].kind], body: { type: 'unknown_error' } })
  expect(rendered(new Outage('down'))).toMatchObject({ status: 503, body: { type: 'unexpected_state' } })
  expect(rendered(new Error('a secret'))).toEqual({ status: 500, body: { code: 'unknown_error', type: 'unknown_error', message: 'An unknown error occurred.' } })
})

test('what keeps a workflow from running is told with its place', () => {
  const fault = new Fault('definition_invalid', { issues: [{ nodeId: 'a', field: 'config.routes.0', message: 'expected a route' }, { message: 'no node' }] })
  expect(rendered(fault)).toEqual({
    status: 400,
    body: { type: 'invalid_data', message: "The definition cannot be published: expected a route for step 'a' for field 'config.routes.0'; no node" },
  })
  expect(rendered(new Fault('input_invalid', { issues: [{ path: ['input', 'amount'], message: 'must be a number' }] }))).toEqual({
    status: 400,
    body: { type: 'invalid_data', message: "Invalid request: must be a number for field 'input, amount'" },
  })
})

test('what a step failed with decides the status by its type, where it has one of Medusa’s', () => {
  const of = (type: unknown, code = 'error') => stepFailed({ code, message: 'm', details: { type } as never })
  expect(of('not_found')).toMatchObject({ status: 404, body: { type: 'not_found', message: 'm' } })
  expect(of('not_allowed', 'cart_closed')).toMatchObject({ status: 400, body: { code: 'cart_closed', type: 'not_allowed' } })
  expect(of('duplicate_error', 'mine')).toMatchObject({ status: 422, body: { code: 'invalid_request_error', type: 'duplicate_error' } })
  expect(of('payment_authorization_error')).toMatchObject({ status: 422 })
  expect(of('unexpected_state')).toMatchObject({ status: 500, body: { type: 'unexpected_state', message: 'm' } })
  expect(of('database_error')).toMatchObject({ status: 500, body: { code: 'api_error' } })
  for (const type of ['toString', 5, null, undefined]) expect(of(type)).toMatchObject({ status: 500, body: { code: 'unknown_error', type: 'unknown_error', message: 'm' } })
  expect(stepFailed({ code: 'http_503', message: 'down' })).toMatchObject({ status: 500, body: { message: 'down' } })
})

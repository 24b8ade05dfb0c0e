import { Fault, faults, type FaultCode, recordIssueCodes } from '@sluice/schema'
import { expect, test } from 'vitest'
import { ListQuery, RecordBody } from '../../../src/dialects/pocketbase/contract.ts'
import { dataOf, errors, failedTo, notListed, nowhere } from '../../../src/dialects/pocketbase/errors.ts'
import { problemOf, WireFault } from '../../../src/rpc/faults.ts'
import { Outage } from '../../../src/store/index.ts'

const rendered = (error: unknown, status?: number) => errors.render({ ...problemOf(error), ...(status !== undefined && { status }) }, 'r')
const told = (error: unknown) => rendered(error).body
const general = 'Something went wrong while processing your request.'

test('every problem is told in the form of PocketBase, under the status that its body says', () => {
  for (const code of Object.keys(faults) as FaultCode[]) {
    const { status, body } = rendered(new Fault(code))
    expect([code, Object.keys(body as object)]).toEqual([code, ['data', 'message', 'status']])
    expect([code, (body as { status: number }).status]).toEqual([code, status])
    expect([code, (body as { message: string }).message]).toEqual([code, expect.stringMatching(/^[A-Z].*[.!?]$/)])
  }
})

test('what PocketBase has words for is told in them', () => {
  const words: [FaultCode, number, string][] = [
    ['collection_missing', 404, 'Missing collection context.'],
    ['record_missing', 404, "The requested resource wasn't found."],
    ['route_missing', 404, "The requested resource wasn't found."],
    ['superusers_only', 403, 'Only superusers can perform this action.'],
    ['permission_denied', 403, 'You are not allowed to perform this request.'],
    ['collection_read_only', 400, 'Unsupported collection type.'],
    ['record_in_use', 400, 'Failed to delete record. Make sure that the record is not part of a required relation reference.'],
    ['json_malformed', 400, general],
    ['media_unsupported', 400, 'Unsupported Content-Type.'],
    ['body_too_large', 413, 'Request entity too large.'],
    ['connection_missing', 404, 'Missing or invalid client id.'],
    ['connection_mismatch', 403, "The current and the previous request authorization don't match."],
    ['login_failed', 400, 'Failed to authenticate.'],
    ['rate_limited', 429, 'Too Many Requests.'],
  ]
  for (const [code, status, message] of words) expect([code, rendered(new Fault(code))]).toEqual([code, { status, body: { data: {}, message, status } }])
  expect(told(new Error('a secret'))).toEqual({ data: {}, message: general, status: 500 })
  expect(rendered(new Outage('down'))).toMatchObject({ status: 503 })
})

test('what superusers alone may ask about is named', () => {
  expect(told(new Fault('superusers_only', { message: 'Only superusers can filter by @collection.' }))).toEqual({
    data: {},
    message: 'Only superusers can filter by @collection.',
    status: 403,
  })
})

test('a method that an address does not have is a 404 that says so', () => {
  expect(rendered(new Fault('route_missing', { message: 'PUT is not served at this address' }), 405)).toEqual({
    status: 404,
    body: { data: { method: { code: 'validation_invalid_value', message: 'PUT is not served at this address.' } }, message: "The requested resource wasn't found.", status: 404 },
  })
})

test('a filter that cannot be read is told in general, with the reason beside it', () => {
  const fault = new Fault('filter_invalid', { issues: [{ path: ['filter'], message: 'there is no field nosuch, at character 1' }] })
  expect(told(fault)).toEqual({
    data: { filter: { code: 'validation_invalid_value', message: 'there is no field nosuch, at character 1.' } },
    message: general,
    status: 400,
  })
})

test('each field is told what is wrong with it first, by a code of PocketBase, with its numbers', () => {
  const data = dataOf([
    { path: ['title'], code: 'max_text', message: 'Must be no more than 5 character(s).', params: { max: 5 } },
    { path: ['title'], code: 'required', message: 'Cannot be blank.' },
    { path: ['user'], code: 'missing_records', message: 'Failed to find all relation records with the provided ids.' },
    { message: 'about none' },
  ])
  expect(data).toEqual({
    title: { code: 'validation_max_text_constraint', message: 'Must be no more than 5 character(s).', params: { max: 5 } },
    user: { code: 'validation_missing_rel_records', message: 'Failed to find all relation records with the provided ids.' },
  })
  for (const code of recordIssueCodes) expect(dataOf([{ path: ['a'], code, message: 'm' }])).toMatchObject({ a: { code: expect.stringMatching(/^validation_[a-z_]+$/) } })
})

test('the same fault is told by what was about to be done', () => {
  const invalid = problemOf(new Fault('record_invalid', { issues: [{ path: ['title'], code: 'required', message: 'Cannot be blank.' }] }))
  const data = { title: { code: 'validation_required', message: 'Cannot be blank.' } }
  expect(failedTo('create')(invalid)).toMatchObject({ status: 400, body: { data, message: 'Failed to create record.', status: 400 } })
  expect(failedTo('update')(invalid)).toMatchObject({ status: 400, body: { data, message: 'Failed to update record.', status: 400 } })
  expect(failedTo('create')(problemOf(new Fault('record_refused')))).toMatchObject({ status: 400, body: { data: {}, message: 'Failed to create record.' } })
  expect(failedTo('update')(problemOf(new Fault('record_missing')))).toBeUndefined()
})

test('at an id that no record can have there is none', () => {
  const too = (key: string) => problemOf(new Fault('input_invalid', { issues: [{ path: [key], message: 'too long' }] }))
  expect(nowhere(too('id'))).toMatchObject({ status: 404, body: { message: "The requested resource wasn't found." } })
  expect(nowhere(too('collection'))).toMatchObject({ status: 404, body: { message: 'Missing collection context.' } })
  expect(nowhere(too('limit'))).toBeUndefined()
  expect(notListed(too('offset'))).toMatchObject({ status: 400, body: { data: { page: { code: 'validation_invalid_value' } }, message: general } })
})

test('what does not fit a query is told in general, what does not fit a body by its key', () => {
  const query = ListQuery.safeParse({ page: 'x' }, { reportInput: true }).error!.issues.map((issue) => ({ in: 'query' as const, issue, whole: {} }))
  expect(told(new WireFault(query))).toEqual({ data: { page: { code: 'validation_invalid_value', message: 'Invalid value.' } }, message: general, status: 400 })
  const body = RecordBody.safeParse([], { reportInput: true }).error!.issues.map((issue) => ({ in: 'body' as const, issue, whole: [] }))
  expect(told(new WireFault(body))).toEqual({ data: {}, message: 'An error occurred while validating the submitted data.', status: 400 })
})

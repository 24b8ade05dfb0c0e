import { expect, test } from 'vitest'
import { aimOf, flawsOf } from '../../../src/dialects/pocketbase/mapping/batch.ts'

const at = '/api/collections/demo/records'

test.each([
  ['POST', at, { do: 'create', collection: 'demo', id: null, query: {} }],
  ['PUT', `${at}?fields=*%2Cid%3Aexcerpt(4%2Ctrue)&expand=user`, { do: 'upsert', collection: 'demo', id: null, query: { fields: '*,id:excerpt(4,true)', expand: 'user' } }],
  ['PATCH', `${at}/abc?a=1&a=2`, { do: 'update', collection: 'demo', id: 'abc', query: { a: '2' } }],
  ['DELETE', `${at}/abc?`, { do: 'delete', collection: 'demo', id: 'abc', query: {} }],
])('%s %s is about a record', (method, url, aim) => {
  expect(aimOf({ method, url })).toEqual(aim)
})

test.each([
  ['GET', at],
  ['GET', `${at}/abc`],
  ['GET', '/api/health'],
  ['POST', `${at}/abc`],
  ['PUT', `${at}/abc`],
  ['PATCH', at],
  ['DELETE', at],
  ['DELETE', `${at}/`],
  ['POST', `${at}/`],
  ['POST', `http://127.0.0.1:8090${at}`],
  ['POST', `//host${at}`],
  ['POST', `/x/..${at}`],
  ['POST', `${at}#a`],
  ['POST', '/api/collections//records'],
  ['POST', '/api/collections/demo'],
  ['POST', '/api/collections/demo/auth-with-password'],
  ['DELETE', `${at}/abc/def`],
  ['POST', ''],
  ['constructor', at],
  ['__proto__', at],
])('%s %s is none that a batch does', (method, url) => {
  expect(aimOf({ method, url })).toBe(null)
})

test('requests that do not fit are told by their place, those that do are not', () => {
  expect(flawsOf([])).toEqual({ requests: { code: 'validation_required', message: 'Cannot be blank.' } })
  const fits = { method: 'GET', url: '/valid' }
  expect(flawsOf(Array(50).fill(fits))).toBe(null)
  expect(flawsOf(Array(51).fill({ method: '', url: '' }))).toEqual({
    requests: { code: 'validation_length_too_long', message: 'The length must be no more than 50.', params: { max: 50, min: 0 } },
  })
  expect(
    flawsOf([{ method: '', url: '' }, fits, { method: 'invalid', url: '/valid' }, { method: 'POST', url: 'a'.repeat(2_001) }, { method: 'post', url: 'ä'.repeat(1_001) }]),
  ).toEqual({
    requests: {
      0: { method: { code: 'validation_required', message: 'Cannot be blank.' } },
      2: { method: { code: 'validation_in_invalid', message: 'Must be a valid value.' } },
      3: { url: { code: 'validation_length_too_long', message: 'The length must be no more than 2000.', params: { max: 2_000, min: 0 } } },
      4: {
        method: { code: 'validation_in_invalid', message: 'Must be a valid value.' },
        url: { code: 'validation_length_too_long', message: 'The length must be no more than 2000.', params: { max: 2_000, min: 0 } },
      },
    },
  })
  expect(flawsOf([{ method: 'PUT', url: 'a'.repeat(2_000) }])).toBe(null)
})

import type { Json, JsonObject, RecordIssueCode } from '@sluice/schema'
import { expect, test } from 'vitest'
import { coreCollections } from '../../src/collections/core.ts'
import { declare } from '../../src/collections/declare.ts'
import { readValues } from '../../src/records/values.ts'

const { collections } = declare([
  {
    name: 'things',
    fields: [
      { name: 'text', type: 'text', min: 2, max: 4, pattern: '^[a-z𝒳]+$' },
      { name: 'email', type: 'email' },
      { name: 'url', type: 'url' },
      { name: 'number', type: 'number', min: 2, max: 9, onlyInt: true },
      { name: 'sum', type: 'number' },
      { name: 'bool', type: 'bool' },
      { name: 'date', type: 'date' },
      { name: 'one', type: 'select', values: ['a', 'b'], maxSelect: 1 },
      { name: 'many', type: 'select', values: ['a', 'b', 'c'], maxSelect: 2 },
      { name: 'refs', type: 'relation', collectionId: 'users', minSelect: 2, maxSelect: 9 },
      { name: 'json', type: 'json', maxSize: 40 },
      { name: 'secret', type: 'text', hidden: true },
      { name: 'created', type: 'autodate', onCreate: true },
    ],
  },
  { name: 'needed', fields: ['text', 'number', 'bool', 'date', 'json', 'email'].map((type) => ({ name: type, type, required: true })) },
])
const [things, needed] = collections

const read = (given: JsonObject, stored: JsonObject | null = null) => readValues(things!, given, { stored, superuser: false })
const valueOf = (name: string, value: Json): Json | undefined => read({ [name]: value }).values[name]
const changed = (given: JsonObject, stored: JsonObject) => readValues(things!, given, { stored: { id: 'a'.repeat(15), ...stored }, superuser: false }).values

test('what is not sent is unset as its type is, and what no field is named after is passed over', () => {
  expect(read({ nothing: 1, created: '2020-01-01', secret: 'x' })).toEqual({
    values: { text: '', email: '', url: '', number: 0, sum: 0, bool: false, date: null, one: '', many: [], refs: [], json: null, secret: '' },
    issues: [],
  })
  expect(readValues(things!, { secret: 'x' }, { stored: null, superuser: true }).values['secret']).toBe('x')
})

test.for<[string, Json, Json]>([
  ['text', 'abc', 'abc'],
  ['text', null, ''],
  ['sum', '12.5', 12.5],
  ['sum', '', 0],
  ['sum', true, 1],
  ['bool', 'true', true],
  ['bool', 0, false],
  ['date', '2024-02-29', '2024-02-29T00:00:00.000Z'],
  ['date', '2024-02-29 10:20:30.456Z', '2024-02-29T10:20:30.456Z'],
  ['date', '2024-02-29T10:20:30+02:00', '2024-02-29T08:20:30.000Z'],
  ['date', '', null],
  ['one', ['a', 'b'], 'b'],
  ['many', 'a', ['a']],
  ['many', ['a', 'a', 'b', ''], ['a', 'b']],
  ['many', '["b","c"]', ['b', 'c']],
  ['json', '', ''],
  ['json', 'true', true],
  ['json', '12', 12],
  ['json', '{"a":[1]}', { a: [1] }],
  ['json', '"quoted"', 'quoted'],
  ['json', '{broken', '{broken'],
  ['json', 'words', 'words'],
  ['json', null, null],
])('%s takes %j as %j', ([name, given, value]) => {
  expect(valueOf(name, given)).toEqual(value)
  expect(read({ [name]: given }).issues).toEqual([])
})

test.for<[JsonObject, RecordIssueCode, string, JsonObject | undefined]>([
  [{ text: 'a' }, 'min_text', 'Must be at least 2 character(s).', { min: 2 }],
  [{ text: 'abcde' }, 'max_text', 'Must be no more than 4 character(s).', { max: 4 }],
  [{ text: 'ABC' }, 'invalid_format', 'Invalid value format.', undefined],
  [{ text: { a: 1 } }, 'invalid_value', 'Invalid value.', undefined],
  [{ text: 'a\0b' }, 'invalid_value', 'Invalid value.', undefined],
  [{ email: 'nobody' }, 'invalid_email', 'Must be a valid email address.', undefined],
  [{ url: 'javascript:alert(1)' }, 'invalid_url', 'Must be a valid url.', undefined],
  [{ number: 1 }, 'min_number', 'Must be greater or equal than 2.', { min: 2 }],
  [{ number: 10 }, 'max_number', 'Must be less or equal than 9.', { max: 9 }],
  [{ number: 2.5 }, 'only_int', 'Decimal numbers are not allowed.', undefined],
  [{ number: 'two' }, 'not_a_number', 'The submitted number is not properly formatted.', undefined],
  [{ bool: 'maybe' }, 'invalid_value', 'Invalid value.', undefined],
  [{ date: '2023-02-29' }, 'invalid_value', 'Invalid value.', undefined],
  [{ one: 'z' }, 'invalid_value', 'Invalid value z.', { value: 'z' }],
  [{ many: ['a', 'b', 'c'] }, 'too_many_values', 'Select no more than 2.', { maxSelect: 2 }],
  [{ refs: ['x'] }, 'not_enough_values', 'Select at least 2.', { minSelect: 2 }],
  [{ json: 'x'.repeat(41) }, 'json_size', 'The maximum allowed JSON size is 40 bytes.', { maxSize: 40 }],
  [{ json: '"\\u0000"' }, 'invalid_json', 'Must be a valid json value.', undefined],
  [{ id: 'short' }, 'min_text', 'Must be at least 15 character(s).', { min: 15 }],
  [{ id: 'a'.repeat(16) }, 'max_text', 'Must be no more than 15 character(s).', { max: 15 }],
  [{ id: 'A'.repeat(15) }, 'invalid_format', 'Invalid value format.', undefined],
])('%j is refused as %s', ([given, code, message, params]) => {
  const [field] = Object.keys(given)
  expect(read(given).issues).toEqual([{ path: [field], code, message, ...(params && { params }) }])
})

test('characters are counted as people do', () => {
  expect(read({ text: '𝒳𝒳𝒳𝒳' }).issues).toEqual([])
})

test('all that is required and blank is told at once', () => {
  const empty = { text: '', number: 0, bool: false, date: '', json: {}, email: null }
  for (const given of [{}, empty]) {
    const { issues } = readValues(needed!, given, { stored: null, superuser: false })
    expect(issues.map(({ path, code, message }) => [path![0], code, message])).toEqual(Object.keys(empty).map((name) => [name, 'required', 'Cannot be blank.']))
  }
})

test('of a change only what is sent is there, and an id stays what it is', () => {
  expect(changed({ text: 'ab' }, { text: 'cd', sum: 4 })).toEqual({ text: 'ab' })
  const id = 'a'.repeat(15)
  expect(read({ id }, { id }).issues).toEqual([])
  expect(read({ id: 'b'.repeat(15) }, { id }).issues).toEqual([{ path: ['id'], code: 'id_change', message: 'The record primary key cannot be changed.' }])
})

test('modifiers change what is stored, after the plain value, and mean nothing to JSON', () => {
  expect(changed({ 'sum+': 2 }, { sum: 4 })).toEqual({ sum: 6 })
  expect(changed({ 'sum-': '2', sum: 10 }, { sum: 4 })).toEqual({ sum: 8 })
  expect(changed({ 'many+': 'b' }, { many: ['a'] })).toEqual({ many: ['a', 'b'] })
  expect(changed({ '+many': 'b' }, { many: ['a'] })).toEqual({ many: ['b', 'a'] })
  expect(changed({ 'many-': ['a'] }, { many: ['a', 'b'] })).toEqual({ many: ['b'] })
  expect(changed({ 'json+': 1, 'text+': 'a' }, { json: [1] })).toEqual({})
})

test('steps of a session are there, and may be none yet', () => {
  const [sessions] = coreCollections
  const steps = (given: JsonObject) =>
    readValues(sessions!, { title: 'T', status: 'idle', currentStepId: 'a', user: 'u', ...given }, { stored: null, superuser: false }).issues.map(({ path, code }) => [
      path![0],
      code,
    ])
  expect(steps({ steps: [] })).toEqual([])
  expect(steps({})).toEqual([['steps', 'required']])
})

test('what is deeper than a body may be is refused, also as a text', () => {
  expect(read({ json: '['.repeat(70) + ']'.repeat(70) }).issues[0]!.code).toBe('invalid_json')
})

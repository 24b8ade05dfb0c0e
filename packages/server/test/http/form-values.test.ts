import { Fault } from '@sluice/schema'
import { expect, test } from 'vitest'
import { valuesOfForm } from '../../src/http/form-values.ts'

// As PocketBase's tools/router/unmarshal_request_data_test.go has them.

/** What looks like a number, and is none that is written so. */
const asTheyAre = [
  '0.0',
  '-0.0',
  '000.1',
  '000001',
  '-000001',
  '1.6E-35',
  '-1.6E-35',
  '10e100',
  '1_000_000',
  '1.000.000',
  ' 123 ',
  '0b1',
  '0xFF',
  '1234A',
  'Infinity',
  '-Infinity',
  'undefined',
  'null',
]

const pairs = (form: Record<string, readonly string[]>): [string, string][] => Object.entries(form).flatMap(([key, texts]) => texts.map((text): [string, string] => [key, text]))

test('a form is read by how its texts look, and what is JSON by itself as JSON', () => {
  const form = {
    number1: ['1'],
    number2: ['2', '3'],
    number3: ['2.1', '-3.4'],
    // `-0` too is a number, of which JSON has one zero.
    number4: ['0', '-0', '0.0001'],
    string0: [''],
    string1: ['a'],
    string2: ['b', 'c'],
    string3: asTheyAre,
    bool1: ['true'],
    bool2: ['true', 'false'],
    mixed: ['true', '123', 'test'],
    '@jsonPayload': ['{"json_a":null,"json_b":123}', '{"json_c":[1,2,3]}'],
  }
  expect(JSON.parse(JSON.stringify(valuesOfForm(pairs(form))))).toEqual({
    number1: 1,
    number2: [2, 3],
    number3: [2.1, -3.4],
    number4: [0, 0, 0.0001],
    string0: '',
    string1: 'a',
    string2: ['b', 'c'],
    string3: asTheyAre,
    bool1: true,
    bool2: [true, false],
    mixed: [true, 123, 'test'],
    json_a: null,
    json_b: 123,
    json_c: [1, 2, 3],
  })
})

test('no key of a form reaches what objects are made of', () => {
  valuesOfForm([
    ['__proto__', '{"x":1}'],
    ['constructor', '2'],
    ['@jsonPayload', '{"__proto__":{"x":1},"a":1}'],
  ])
  expect(({} as { x?: unknown }).x).toBeUndefined()
})

test.each(['[1]', '1', '"x"', '{', '', '['.repeat(100_000)])('a payload that is no object is refused: %.20j', (payload) => {
  expect(() => valuesOfForm([['@jsonPayload', payload]])).toThrow(Fault)
})

import type { Json, JsonObject } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { checkValue, schemaIssues } from '../../src/workflows/json-schema.ts'

const customer: JsonObject = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  $id: 'http://x/y',
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: { name: { type: 'string' }, tags: { type: 'array', uniqueItems: true, items: { $ref: '#/$defs/tag' } } },
  $defs: { tag: { enum: ['a', 'b', 1] } },
}

describe('values against the JSON Schemas of people', () => {
  test('everything wrong is said, with its path', () => {
    expect(checkValue(customer, { name: 'x', tags: ['a', 'b'] })).toEqual([])
    const paths = checkValue(customer, { tags: ['a', 'a', 'z'], odd: 1 }).map(({ path }) => path)
    expect(paths).toEqual(expect.arrayContaining([[], ['odd'], ['tags'], ['tags', '2']]))
  })

  test('of objects in a list the same is the same whatever the order of keys', () => {
    expect(
      checkValue({ uniqueItems: true }, [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ]),
    ).toHaveLength(1)
    expect(checkValue({ uniqueItems: true }, [{ a: 1 }, { a: '1' }])).toEqual([])
  })

  test.each<[string, Json]>([
    ['no object', 5],
    ['a list', []],
    ['a wrong keyword', { type: 5 }],
    ['a pattern', { pattern: '(a+)+$' }],
    ['a pattern deep inside', { anyOf: [{ items: { propertyNames: { pattern: 'x' } } }] }],
    ['patternProperties', { patternProperties: { x: {} } }],
    ['a reference to elsewhere', { $ref: 'http://example.com/schema' }],
    ['a reference to data, which is not looked at', { default: { pattern: '(a+)+$' }, $ref: '#/default' }],
    ['a reference to itself', { $ref: '#' }],
    ['a reference to itself on the way', { $ref: '#/$defs/a', $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { anyOf: [{ $ref: '#/$defs/a' }] } } }],
    ['a reference to nothing', { $ref: '#/$defs/none' }],
    ['a schema deeper than allowed', JSON.parse('{"not":'.repeat(200) + '{}' + '}'.repeat(200)) as Json],
  ])('%s is refused', (_name, schema) => expect(schemaIssues(schema)).not.toEqual([]))

  test('references that multiply are refused', () => {
    const $defs: JsonObject = {}
    for (let at = 0; at < 40; at++) $defs[`d${at}`] = { allOf: [{ $ref: `#/$defs/d${at + 1}` }, { $ref: `#/$defs/d${at + 1}` }] }
    $defs['d40'] = { type: 'string' }
    expect(schemaIssues({ $ref: '#/$defs/d0', $defs })[0]!.message).toContain('references written out')
  })

  test('a property may have the name of a refused keyword', () => expect(schemaIssues({ properties: { pattern: { type: 'string' }, $id: { type: 'string' } } })).toEqual([]))

  test('large values are checked in bounded time, and of what is wrong not more is said than helps', () => {
    const before = performance.now()
    const many = Array.from({ length: 200_000 }, (_, at) => ({ at }))
    expect(checkValue({ type: 'array', uniqueItems: true }, many)).toEqual([])
    expect(checkValue({ items: { type: 'string' } }, many)).toHaveLength(1)
    expect(
      checkValue(
        { items: { type: 'string' } },
        Array.from({ length: 5_000 }, () => 1),
      ).length,
    ).toBeLessThanOrEqual(100)
    const heavy = { items: { allOf: Array.from({ length: 1_000 }, () => ({ type: 'object' })) } }
    expect(checkValue(heavy, many)[0]!.message).toContain('too large')
    expect(performance.now() - before).toBeLessThan(10_000)
  })
})

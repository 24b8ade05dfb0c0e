import type { Json } from '@sluice/schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Payload, payloadOf, payloadOfList, payloadOfObject, payloadOfText } from '../../src/engine/payload.ts'

// As JSON has them: it knows no -0.
const value = fc.jsonValue().map((each) => JSON.parse(JSON.stringify(each)) as Json)
/** As they come: of a value, or of a text that nobody has parsed yet. */
const payload = fc.tuple(value, fc.boolean()).map(([each, isText]) => (isText ? payloadOfText(JSON.stringify(each)) : payloadOf(each)))

const agrees = (made: Payload): void => {
  expect(JSON.parse(made.text)).toEqual(made.value)
  expect(made.bytes).toBe(Buffer.byteLength(made.text))
}

test('what is put together of texts is as if it were put together of values', () => {
  fc.assert(
    fc.property(fc.array(payload), fc.dictionary(fc.string(), payload), (list, object) => {
      expect(payloadOfList(list).text).toBe(JSON.stringify(list.map((each) => each.value)))
      agrees(payloadOfList(list))
      const named = Object.entries(object)
      expect(payloadOfObject(named).value).toEqual(Object.fromEntries(named.map(([name, each]) => [name, each.value])))
      agrees(payloadOfObject(named))
    }),
  )
})

test('a name that is no name for an assignment is a name', () => {
  const made = payloadOfObject([['__proto__', payloadOf({ a: 1 })]])
  expect(made.text).toBe('{"__proto__":{"a":1}}')
  expect(Object.keys(made.value as object)).toEqual(['__proto__'])
})

test('a text is parsed when its value is asked for, and once', () => {
  const broken = payloadOfText('{')
  expect(broken.bytes).toBe(1)
  expect(() => broken.value).toThrow(SyntaxError)
  const late = payloadOfText('{"a":[1]}')
  expect(late.value).toBe(late.value)
})

import { expect, test } from 'vitest'
import { allowListOf } from '../../src/outside/allow-list.ts'

test('an entry without a port opens every port of the host, one with a port only that', () => {
  const list = allowListOf(['localhost', '10.0.0.7:8080', '[::1]:4000', 'fd00::1', ' Intra.Example:80 ', ''])
  expect(list.has('localhost', 1)).toBe(true)
  expect(list.has('10.0.0.7', 8080)).toBe(true)
  expect(list.has('10.0.0.7', 8081)).toBe(false)
  expect(list.has('::1', 4000)).toBe(true)
  expect(list.has('::1', 4001)).toBe(false)
  expect(list.has('fd00::1', 9)).toBe(true)
  expect(list.has('intra.example', 80)).toBe(true)
  expect(list.has('intra.example', 443)).toBe(false)
  expect(list.has('sub.localhost', 1)).toBe(false)
})

test.each(['http://localhost', 'localhost/path', 'user@host', 'host:port', 'a b', '*', 'host:99999', ':80'])('"%s" is refused as an entry', (entry) => {
  if (entry === '*') expect(allowListOf([entry]).has('anything', 1)).toBe(false)
  else expect(() => allowListOf([entry])).toThrow('is not a host or host:port')
})

import { expect, test } from 'vitest'
import { compilePattern } from '../../src/collections/pattern.ts'

const patterns = [
  '^[a-z0-9]+$',
  '^(a|b)*c$',
  '^a{2,3}$',
  'x?y',
  '^\\d{3}-\\d{4}$',
  '^[^@\\s]+@[^@\\s]+$',
  '',
  '^$',
  '^(?:ab)+?$',
  '[-a]',
  'a|',
  '^\\.$',
  '(^a|b$)',
  '^a{0,2}b{2}$',
  '^[\\w-]+$',
  '^a{2,}$',
]
const texts = ['', 'a', 'aa', 'abc', 'aab', 'aaab', 'y', 'xy', '123-4567', 'a@b', 'abab', 'b', 'bb', 'aabb', '-', '.', ']', 'é', 'a-b', '\n', '𝒳', 'aaaa']

test.for(patterns)('%s matches what it matches as an expression of JavaScript', (pattern) => {
  const expression = new RegExp(pattern, 'u')
  const { matches } = compilePattern(pattern)
  expect(texts.filter(matches)).toEqual(texts.filter((text) => expression.test(text)))
})

test.for([
  ['(', 'a group is not closed at character 2'],
  ['a)', 'a group is closed that was not opened at character 2'],
  ['[a', 'a class is not closed at character 3'],
  ['a**', 'a repetition of a repetition at character 4'],
  ['(?=a)', 'only groups as (…) and (?:…) are known'],
  ['\\1', '\\1 is not known'],
  ['*a', 'there is nothing to repeat before'],
  ['[z-a]', 'a range goes backwards'],
  ['(a{900}){900}', 'it is too large'],
])('%s is refused, with what cannot be read of it', ([pattern, message]) => {
  expect(() => compilePattern(pattern!)).toThrow(message!)
})

test('a pattern that would take others for ever takes as long as its text is', () => {
  const { matches } = compilePattern('^(a|a|a)*(a*)*b$')
  const took = (length: number): number => {
    const { user } = process.cpuUsage()
    expect(matches('a'.repeat(length))).toBe(false)
    return process.cpuUsage().user - user
  }
  took(10_000)
  expect(took(80_000)).toBeLessThan(40 * Math.max(took(10_000), 1_000))
})

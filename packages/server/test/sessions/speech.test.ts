import type { TokenEvent } from '@sluice/schema'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSpeech } from '../../src/sessions/speech.ts'

const token = (text: string, offset: number, more: Partial<TokenEvent> = {}): TokenEvent => ({
  type: 'token',
  cursor: '1',
  runId: 'run',
  sessionId: 'session',
  nodeId: 'think',
  step: 'think',
  iteration: '0',
  attempt: 1,
  offset,
  text,
  ...more,
})

/** What was told, piece by piece. */
function heard(tokens: readonly TokenEvent[], kept: string | null): string[] {
  const told: string[] = []
  const speech = createSpeech((text) => void told.push(text))
  for (const each of tokens) speech.heard(each)
  speech.ends(kept)
  return told
}

test('pieces are told as they come, and nothing more in the end', () => {
  expect(heard([token('It ', 0), token('rains', 3)], 'It rains')).toEqual(['It ', 'rains'])
})

test('texts of several steps stand one after another as the message has them', () => {
  expect(heard([token('I look.', 0), token('It rains', 0, { iteration: '1' })], 'I look.\n\nIt rains').join('')).toBe('I look.\n\nIt rains')
})

test('who comes late is told what was said so far, and nothing of it twice', () => {
  expect(heard([token('It ra', 0), token('It rains', 0), token('rains in', 3)], 'It rains in Oslo').join('')).toBe('It rains in Oslo')
})

test('what was missed is told in the end, and so is what was not said live', () => {
  expect(heard([token('It ', 0), token('in Oslo', 9)], 'It rains in Oslo')).toEqual(['It ', 'rains in Oslo'])
  expect(heard([], 'It rains')).toEqual(['It rains'])
  expect(heard([], null)).toEqual([])
})

test('an attempt that says the same again goes on where the first one broke off', () => {
  expect(heard([token('It ', 0), token('It rains', 0, { attempt: 2 })], 'It rains').join('')).toBe('It rains')
})

test('an attempt that says something else is told as a whole, behind what cannot be taken back', () => {
  expect(heard([token('It snows', 0), token('It rains', 0, { attempt: 2 })], 'It rains').join('')).toBe('It snows\n\nIt rains')
})

test('of a message that began before, what was heard is its end', () => {
  expect(heard([token('It rains', 0, { iteration: '1' })], 'I look.\n\nIt rains')).toEqual(['It rains'])
})

test('what steps before the last one said is not told again with it, and a beginning that was lost is', () => {
  expect(heard([token('one', 0), token('two', 0, { nodeId: 'final' })], 'two').join('')).toBe('one\n\ntwo')
  expect(heard([token('rains', 0), token('It rains', 0, { attempt: 2 })], 'It rains').join('')).toBe('rains\n\nIt rains')
})

test('whatever of a text is lost on the way, what is told in the end is the message', () => {
  const pieces = fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 4 }), fc.boolean()), { maxLength: 12 })
  fc.assert(
    fc.property(pieces, (all) => {
      const text = all.map(([piece]) => piece).join('')
      let offset = 0
      const tokens = all.flatMap(([piece, arrives]) => {
        const each = token(piece, offset)
        offset += piece.length
        return arrives ? [each] : []
      })
      expect(heard(tokens, text).join('')).toBe(text)
    }),
  )
})

test('of a round that says more than a message can hold, what is kept is compared with the end of it', () => {
  const long = (letter: string): string => letter.repeat(250 * 1024)
  const tokens = ['a', 'b', 'c', 'd'].map((letter, at) => token(long(letter), 0, { iteration: `${at}` }))
  const all = ['a', 'b', 'c', 'd'].map(long).join('\n\n')
  expect(heard(tokens, long('d')).join('') === all).toBe(true)
  expect(heard(tokens, 'Something else').join('') === `${all}\n\nSomething else`).toBe(true)
  expect(heard(tokens, long('a')).join('') === `${all}\n\n${long('a')}`).toBe(true)
})

import { describe, expect, test } from 'vitest'
import { createWeave } from '../src/weave.ts'

const piece = (nodeId: string, offset: number, text: string, iteration = '') => ({ nodeId, iteration, offset, text })
type Piece = ReturnType<typeof piece>

/** What is given out of these pieces, one by one, and at the end. */
function woven(pieces: readonly Piece[], whole: string): string[] {
  const weave = createWeave()
  return [...pieces.map((each) => weave.add(each)), weave.rest(whole)].filter((text) => text !== '')
}

describe('a text that is put together', () => {
  test('is its pieces, one after another', () => {
    expect(woven([piece('a', 0, 'Hel'), piece('a', 3, 'lo')], 'Hello')).toEqual(['Hel', 'lo'])
  })

  test('has a blank line between what several steps, and several iterations of one, have said', () => {
    const pieces = [piece('a', 0, 'One', '0'), piece('a', 3, '.', '0'), piece('a', 0, 'Two.', '1'), piece('b', 0, 'Three.')]
    expect(woven(pieces, 'One.\n\nTwo.\n\nThree.')).toEqual(['One', '.', '\n\nTwo.', '\n\nThree.'])
  })

  test('has nothing twice of what is told again from the beginning, as after a lost connection', () => {
    const pieces = [piece('a', 0, 'One.'), piece('b', 0, 'Tw'), piece('a', 0, 'One.'), piece('b', 0, 'Two'), piece('b', 1, 'w'), piece('b', 3, '.')]
    expect(woven(pieces, 'One.\n\nTwo.')).toEqual(['One.', '\n\nTw', 'o', '.'])
  })

  test('goes on at its end where pieces were missed', () => {
    expect(woven([piece('a', 0, 'On'), piece('a', 3, ' two'), piece('a', 7, ' three')], 'One two three')).toEqual(['On', 'e two three'])
    expect(woven([piece('a', 4, 'two')], 'One two')).toEqual(['One two'])
    expect(woven([piece('a', 0, 'One'), piece('b', 2, 'o')], 'One\n\nTwo')).toEqual(['One', '\n\nTwo'])
  })

  test('goes on with an attempt that says the same again, and not with one that says something else', () => {
    expect(woven([piece('a', 0, 'One t'), piece('a', 0, 'One'), piece('a', 3, ' two')], 'One two')).toEqual(['One t', 'wo'])
    expect(woven([piece('a', 0, 'One t'), piece('a', 0, 'Two'), piece('a', 3, '.')], 'Two.')).toEqual(['One t'])
    expect(woven([piece('a', 0, 'One t'), piece('a', 0, 'One')], 'One')).toEqual(['One t'])
  })

  test('of steps that speak at once is what the first have said, and then what is kept, where that begins with it', () => {
    const pieces = [piece('a', 0, 'One'), piece('b', 0, 'Two'), piece('a', 3, '.'), piece('b', 3, '.')]
    expect(woven(pieces, 'One\n\nTwo.')).toEqual(['One', '\n\nTwo', '.'])
    expect(woven(pieces, 'One.\n\nTwo.')).toEqual(['One', '\n\nTwo'])
  })

  test('is the whole where nothing was told', () => {
    expect(woven([], 'Hello')).toEqual(['Hello'])
    expect(woven([], '')).toEqual([])
  })
})

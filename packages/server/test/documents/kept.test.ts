import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { DocumentError } from '../../src/documents/document-error.ts'
import { createKept } from '../../src/documents/kept.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Keeps texts that weigh as much as they are long, and remembers what was made. */
function keeping(most: number) {
  const made: string[] = []
  const kept = createKept<string>(most, (text) => text.length)
  const get = (key: string, value: string | Error = key): Promise<string> =>
    kept.get(key, async () => {
      made.push(key)
      if (value instanceof Error) throw value
      return value
    })
  return { get, made }
}

const heavy = (name: string): string => name.repeat(4_000)

it('lets go of what was asked for longest ago, when there is too much', async () => {
  const { get, made } = keeping(10_000)
  for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await get(name, heavy(name))
  expect(made).toEqual(['a', 'b', 'c', 'b'])
})

it('keeps nothing that is too heavy alone, and loses nothing for it', async () => {
  const { get, made } = keeping(10_000)
  for (const name of ['a', 'b']) await get(name, heavy(name))
  await get('big', 'x'.repeat(10_001))
  await get('big', 'x'.repeat(10_001))
  for (const name of ['a', 'b']) await get(name, heavy(name))
  expect(made).toEqual(['a', 'b', 'big', 'big'])
})

it('makes a thing once for all who wait', async () => {
  const { get, made } = keeping(10_000)
  expect(await Promise.all([get('a'), get('a')])).toEqual(['a', 'a'])
  expect(made).toEqual(['a'])
})

it('keeps a refusal, a passing one for five minutes, and no other error', async () => {
  const { get, made } = keeping(10_000)
  const asked = async (key: string, error: Error): Promise<unknown> => await expect(get(key, error)).rejects.toBe(error)
  const [lasting, passing] = [new DocumentError('document_unreadable', 'x'), new DocumentError('document_too_large', 'x', { passing: true })]
  for (const [key, error] of [
    ['lasting', lasting],
    ['passing', passing],
    ['lasting', lasting],
    ['passing', passing],
  ] as const)
    await asked(key, error)
  for (const error of [new Error('one'), new Error('two')]) await asked('outage', error)
  expect(made).toEqual(['lasting', 'passing', 'outage', 'outage'])
  vi.advanceTimersByTime(5 * 60_000)
  await asked('passing', passing)
  await asked('lasting', lasting)
  expect(made.slice(4)).toEqual(['passing'])
})

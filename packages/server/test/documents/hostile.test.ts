import { deflateSync } from 'node:zlib'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { bounds } from '../../src/documents/bounds.ts'
import { createDocuments } from '../../src/documents/documents.ts'
import type { Documents } from '../../src/documents/documents.ts'
import { pdf, sourceFile } from './sources.ts'

const documents = createDocuments()
/** Of those that go on until they are ended. */
const impatient = createDocuments({ ...bounds, cpuMs: 2_000, memoryMiB: 400 })
afterAll(() => Promise.all([documents.close(), impatient.close()]))

vi.setConfig({ testTimeout: 60_000 })

const million = 1_000_000
/** 600 MB that are nearly none when packed. */
const blown = deflateSync(Buffer.alloc(600 * million, ' '))
const flate = '/Filter/FlateDecode'

const large = { error: expect.stringMatching(/at most|takes more than/) as string }
const unreadable = { error: expect.stringMatching(/cannot be read|takes more than/) as string }

const summaryOf = async (by: Documents, name: string, content: string | Uint8Array) => {
  const before = performance.now()
  const told = await by.summary(sourceFile(name, content))
  // As long as it may take where a machine does much else, and to start and end besides.
  expect(performance.now() - before).toBeLessThan(45_000)
  return told
}

describe('a hostile file costs bounded time and memory, and says what it is', () => {
  it.each<[string, () => string | Uint8Array, object]>([
    ['a PDF of nothing but brackets.pdf', () => `%PDF-1.7\n1 0 obj\n${'['.repeat(million)}\ntrailer<</Root 1 0 R>>`, { type: 'pdf', ...unreadable }],
    ['pages of a PDF.pdf', () => pdf(Array.from({ length: 501 }, () => 'x')), { type: 'pdf', ...large }],
    ['deep lists.json', () => '['.repeat(2 * million) + ']'.repeat(2 * million), { type: 'json' }],
    ['deep objects.json', () => `${'{"a":'.repeat(million)}1${'}'.repeat(million)}`, { type: 'json' }],
    ['a deep cell.json', () => `[{"a":${'['.repeat(million)}${']'.repeat(million)}}]`, { type: 'json' }],
    ['unclosed lists.json', () => '['.repeat(2 * million), { type: 'json', error: expect.stringMatching(/no JSON|takes more than/) as string }],
    ['many numbers.json', () => `[${'1,'.repeat(10 * million)}1]`, { type: 'json' }],
    ['many objects.json', () => `[${'{},'.repeat(million)}{}]`, { type: 'json', ...large }],
    ['many keys.json', () => `[{${Array.from({ length: million / 4 }, (_, at) => `"k${at}":1`).join()}}]`, { type: 'json', ...large }],
    ['huge numbers.json', () => `[{"a":1${'0'.repeat(million)}},{"a":1e400},{"a":1e-400}]`, { type: 'table', rows: 3 }],
    ['commas.csv', () => ','.repeat(10 * million), { type: 'table', ...large }],
    ['a million columns.csv', () => Array.from({ length: million }, (_, at) => `c${at}`).join(), { type: 'table', ...large }],
    ['many rows.csv', () => 'a\n'.repeat(8 * million), { type: 'table', ...large }],
    ['rows and columns.csv', () => `${'1,'.repeat(400)}1\n`.repeat(15_000), { type: 'table', ...large }],
    ['empty rows.csv', () => ',\n'.repeat(8 * million), { type: 'table', rows: 0 }],
    ['an unclosed quote.csv', () => `a,b\n"${'x,y\n'.repeat(3 * million)}`, { type: 'table', ...large }],
    ['quotes.csv', () => '"'.repeat(10 * million), { type: 'table', rows: 0 }],
    ['spaces.csv', () => `a\n${' '.repeat(10 * million)}`, { type: 'table', rows: 0 }],
    ['digits.csv', () => `a\n${'1'.repeat(10 * million)}`, { type: 'table', rows: 1, columns: [{ name: 'a', type: 'text' }] }],
    ['nulls.csv', () => '\0'.repeat(million), { type: 'table', error: expect.stringContaining('no text') as string }],
    ['a long name.csv', () => `${'a'.repeat(million)}\n1`, { type: 'table', columns: [{ name: 'a'.repeat(200), type: 'number' }] }],
    ['one long line.txt', () => 'é'.repeat(8 * million), { type: 'text' }],
  ])('%s', async (name, content, told) => {
    expect(await summaryOf(documents, name, content())).toMatchObject(told)
  })

  it.each<[string, () => string | Uint8Array]>([
    ['a PDF of objects that never end.pdf', () => `%PDF-1.7\n${'1 0 obj <<'.repeat(million / 2)}`],
    ['a PDF that unpacks to far more than it is.pdf', () => pdf({ drawing: blown, filter: flate })],
    ['a PDF that unpacks twice.pdf', () => pdf({ drawing: deflateSync(blown), filter: '/Filter[/FlateDecode/FlateDecode]' })],
    ['a PDF that writes for ever.pdf', () => pdf({ drawing: deflateSync(`BT /F1 9 Tf ${'(AAAAAAAAAAAAAAAA) Tj '.repeat(5 * million)}ET`), filter: flate })],
  ])('%s', async (name, content) => {
    expect(await summaryOf(impatient, name, content())).toMatchObject({ type: 'pdf', ...large })
  })

  it('is refused by its size before a byte of it is read', async () => {
    const file = { ...sourceFile('large.csv', 'a'), bytes: 32 * 1024 * 1024 + 1 }
    expect((await documents.summary(file)).error).toContain('at most 33554432 bytes')
    await expect(documents.text(file, 0, 1)).rejects.toMatchObject({ code: 'document_too_large' })
    expect(file.reads).toBe(0)
  })

  it('is not read beyond its size, whatever it says about it', async () => {
    const file = {
      ...sourceFile('lies.csv', 'a'),
      async *read() {
        for (;;) yield Buffer.alloc(1024 * 1024, 'x')
      },
    }
    expect((await documents.summary(file)).error).toContain('at most 33554432 bytes')
  })

  it('leaves the next file as it is', async () => expect((await documents.summary(sourceFile('a.csv', 'a,b\n1,2'))).rows).toBe(1))
})

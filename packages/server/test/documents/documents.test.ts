import { afterAll, describe, expect, it } from 'vitest'
import { bounds } from '../../src/documents/bounds.ts'
import { createDocuments } from '../../src/documents/documents.ts'
import type { TableQuery } from '../../src/documents/documents.ts'
import { pdf, sourceFile } from './sources.ts'

const documents = createDocuments()
afterAll(() => documents.close())

const refusal = (code: string, said: string): Error => expect.objectContaining({ name: 'DocumentError', code, message: expect.stringContaining(said) as string }) as Error

describe('what is told of a file', () => {
  it('is of a table its rows and columns, with the texts of which there are few', async () => {
    const file = sourceFile('Sales.CSV', '\ufeffRegion;Amount;When\r\nNorth;1.234,50;01.02.2026\r\nSouth;99,10;13.02.2026\r\nNorth;;\r\n')
    expect(await documents.summary(file)).toEqual({
      name: 'Sales.CSV',
      bytes: file.bytes,
      type: 'table',
      rows: 3,
      columns: [
        { name: 'Region', type: 'text', values: ['North', 'South'] },
        { name: 'Amount', type: 'number' },
        { name: 'When', type: 'date' },
      ],
      preview: expect.stringMatching(/^Region;Amount/) as string,
    })
  })

  it('is no list of texts where there are many', async () => {
    const file = sourceFile('many.csv', `name\n${Array.from({ length: 21 }, (_, at) => `name ${at}x`).join('\n')}`)
    expect((await documents.summary(file)).columns).toEqual([{ name: 'name', type: 'text' }])
  })

  it.each([
    ['notes.txt', 'Grüße', '', { type: 'text', preview: 'Grüße' }],
    ['latin.txt', Buffer.from('Gr\xfc\xdfe', 'latin1'), '', { type: 'text', preview: 'Grüße' }],
    ['wide.txt', Buffer.from('\ufeffGrüße 😀', 'utf16le'), '', { type: 'text', preview: 'Grüße 😀' }],
    ['wide-be.txt', Buffer.from('\ufeffGrüße', 'utf16le').swap16(), '', { type: 'text', preview: 'Grüße' }],
    ['page.html', '<p>x</p>', 'text/html', { type: 'text', preview: '<p>x</p>' }],
    ['settings.json', '{"a":1,"b":2}', '', { type: 'json', preview: '{"a":1,"b":2}' }],
    ['unnamed', '{"a":1,"b":2}', 'application/problem+json; charset=utf-8', { type: 'json', preview: '{"a":1,"b":2}' }],
    ['lines.jsonl', '{"a":1}\n{"a":2}', '', { type: 'table', rows: 2, columns: [{ name: 'a', type: 'number' }], preview: '{"a":1}\n{"a":2}' }],
    ['lines.json', '{"a":1}\n{"a":2}', '', { type: 'table', rows: 2, columns: [{ name: 'a', type: 'number' }], preview: '{"a":1}\n{"a":2}' }],
    ['report.pdf', pdf(['Hello', 'World']), '', { type: 'pdf', pages: 2, preview: 'Hello\n\nWorld' }],
    ['report', pdf(['Hello']), 'application/octet-stream', { type: 'pdf', pages: 1, preview: 'Hello' }],
    ['picture.png', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3]), 'image/png', { type: 'other' }],
    ['empty.csv', '', '', { type: 'text', preview: '' }],
    ['empty.bin', '', '', { type: 'text', preview: '' }],
    ['broken.json', '{"a":', '', { type: 'json', error: expect.stringContaining('no JSON') as string }],
    ['broken.pdf', 'hello', '', { type: 'pdf', error: expect.stringContaining('cannot be read') as string }],
    ['binary.csv', Buffer.from('a,b\0c'), '', { type: 'table', error: expect.stringContaining('no text') as string }],
  ])('%s', async (name, content, contentType, told) => {
    const file = sourceFile(name, content, contentType)
    expect(await documents.summary(file)).toEqual({ name, bytes: file.bytes, ...told })
  })

  it('is read once for all who ask, and again where the bytes are others', async () => {
    const [file, other] = [sourceFile('a.txt', 'once'), sourceFile('a.txt', 'twice')]
    const told = await Promise.all([documents.summary(file), documents.summary(file), documents.text(file, 0, 10)])
    expect([told[0].preview, file.reads]).toEqual(['once', 1])
    expect([(await documents.summary(other)).preview, other.reads]).toEqual(['twice', 1])
  })

  it('says what went wrong with the reading of the bytes themselves, and reads them again when asked again', async () => {
    const file = sourceFile('a.txt', 'gone?')
    let gone = true
    const flaky = {
      ...file,
      async *read() {
        yield Buffer.from('go')
        if (gone) throw new Error('The file is gone')
        yield Buffer.from('ne?')
      },
    }
    await expect(documents.summary(flaky)).rejects.toThrow('The file is gone')
    gone = false
    expect((await documents.summary(flaky)).preview).toBe('gone?')
  })
})

describe('the text of a file', () => {
  it('comes in parts that cut no character in two, and together are the whole', async () => {
    const whole = 'a😀bc😀d'
    const file = sourceFile('smile.txt', whole)
    for (const size of [2, 3, 4, 5]) {
      let [byGiven, from] = ['', 0]
      while (from < whole.length) {
        const part = await documents.text(file, from, size)
        expect(part.text.isWellFormed()).toBe(true)
        expect(part.characters).toBe(whole.length)
        byGiven += part.text
        from += part.text.length
      }
      expect(byGiven).toBe(whole)
      const byAsked = await Promise.all(Array.from({ length: Math.ceil(whole.length / size) }, (_, at) => documents.text(file, at * size, size)))
      expect(byAsked.map(({ text }) => text).join('')).toBe(whole)
    }
    expect(await documents.text(file, 100, 5)).toEqual({ text: '', characters: whole.length })
  })

  it('ends where so much is kept, and says so behind it', async () => {
    const short = createDocuments({ ...bounds, characters: 5 })
    const file = sourceFile('long.txt', '0123456789')
    expect(await short.text(file, 0, 100)).toEqual({ text: '01234', characters: 10 })
    await expect(short.text(file, 5, 100)).rejects.toThrow(refusal('document_too_large', 'first 5 characters'))
    await short.close()
  })

  it('is none of a picture', () => expect(documents.text(sourceFile('x.png', Buffer.from([0, 1])), 0, 1)).rejects.toThrow(refusal('document_unreadable', 'no text')))
})

describe('a question to files', () => {
  const sales = sourceFile('sales.csv', 'Region,Amount\nNorth,0.1\nSouth,5\nNorth,0.2\n')
  const people = sourceFile(
    'people.json',
    JSON.stringify([
      { region: 'North', name: 'Ann' },
      { region: 'South', name: 'Bob' },
    ]),
  )
  const files = [sales, people, sourceFile('notes.txt', 'x')]

  it('joins tables of two formats', async () => {
    const query: TableQuery = {
      file: 'sales',
      join: { file: people.id, on: 'region' },
      groupBy: ['name'],
      aggregate: [{ of: 'sum', column: 'amount' }],
      orderBy: [{ column: 'sum_Amount', descending: true }],
    }
    expect(await documents.query(files, query)).toEqual({
      columns: ['name', 'sum_Amount'],
      rows: [
        ['Bob', 5],
        ['Ann', 0.3],
      ],
      total: 2,
    })
  })

  it('finds a file by id, name, name in other letters, and name without ending', async () => {
    for (const file of [sales.id, 'sales.csv', 'SALES.CSV', 'Sales']) expect((await documents.query(files, { file })).total).toBe(3)
  })

  it.each([
    [{ file: 'other.csv' }, 'file_unknown', '"sales.csv", "people.json", "notes.txt"'],
    [{ file: 'notes.txt' }, 'query_invalid', 'no table'],
    [{ file: 'sales.csv', select: ['x'] }, 'column_unknown', '"Region", "Amount"'],
    [{ file: 'sales.csv', limit: 201 }, 'query_invalid', 'limit'],
    [{ file: 'sales.csv', sort: 'x' } as TableQuery, 'query_invalid', 'sort'],
  ] satisfies [TableQuery, string, string][])('%j is refused', (query, code, said) => expect(documents.query(files, query)).rejects.toThrow(refusal(code, said)))

  it('asks which of two files of a name is meant', () =>
    expect(documents.query([sales, { ...sourceFile('sales.csv', 'a\n1'), id: 'second' }], { file: 'sales.csv' })).rejects.toThrow(
      refusal('file_unknown', '"file-sales.csv", "second"'),
    ))

  it('is answered again from what is kept, though the file is not read again', async () => {
    const before = sales.reads
    await documents.query(files, { file: 'sales.csv' })
    expect([before, sales.reads]).toEqual([1, 1])
  })
})

describe('who waits', () => {
  /** Never ends by itself. */
  const endless = () => ({
    ...sourceFile('endless.txt', `x ${Math.random()}`),
    async *read() {
      yield Buffer.from('x')
      await new Promise((resolve) => setTimeout(resolve, 600_000).unref())
    },
  })

  it('may stop waiting at any time', async () => {
    const own = createDocuments()
    const stop = new AbortController()
    const waiting = own.summary(endless(), stop.signal)
    setTimeout(() => stop.abort(new Error('stopped')), 50)
    await expect(waiting).rejects.toThrow('stopped')
    await own.close()
  })

  it('hears when the documents are closed, in the line too, and nothing of what was read stays behind', async () => {
    const own = createDocuments()
    const waiting = [endless(), endless(), endless()].map((file) => own.summary(file))
    setTimeout(() => void own.close(), 50)
    for (const outcome of await Promise.allSettled(waiting)) expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'The documents are closed' } })
  })
})

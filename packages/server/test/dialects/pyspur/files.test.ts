import { Fault, type StoredFile } from '@sluice/schema'
import { expect, test } from 'vitest'
import { fileNamed, pathOfFile } from '../../../src/dialects/pyspur/mapping/files.ts'

const file = (name: string): StoredFile => ({
  id: '01k2v9m5c2dn4fs',
  name,
  contentType: 'text/plain',
  bytes: 1,
  sha256: '',
  userId: '01k2v9m3h5rj6tx',
  created: '2026-01-31T12:05:09.123Z',
  unusedSince: null,
})

test("a file's path is of the server's making: of the client's name the kind of file alone, where it is harmless", () => {
  const cases: [string, string][] = [
    ['report.pdf', '.pdf'],
    ['Photo.JPG', '.jpg'],
    ['archive.tar.gz', '.gz'],
    ['no extension', ''],
    ['../../etc/passwd', ''],
    ['x.p/df', ''],
    ['x.ph p', ''],
    ['x.%2e%2e', ''],
    ['x.averylongextension', ''],
    ['x.', ''],
  ]
  for (const [name, extension] of cases) {
    const path = pathOfFile('flow', file(name))
    expect(path, name).toBe(`test_files/flow/20260131_120509_01k2v9m5c2dn4fs${extension}`)
    expect(fileNamed(path.split('/').at(-1)!)).toBe('01k2v9m5c2dn4fs')
  }
})

test('any other name is the name of nothing', () => {
  for (const name of [
    '',
    '01k2v9m5c2dn4fs',
    '20260131_120509_short.pdf',
    '20260131_120509_01K2V9M5C2DN4FS',
    '20260131_120509_01k2v9m5c2dn4fs.a.b',
    '20260131_120509_01k2v9m5c2dn4fs/..',
  ])
    expect(() => fileNamed(name), name).toThrow(new Fault('file_missing'))
})

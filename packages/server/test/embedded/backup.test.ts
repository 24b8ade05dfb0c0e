import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { packTar, type TarEntry } from 'modern-tar'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { backUp, layOut } from '../../src/embedded/backup.ts'

/** What a file that is given as a backup may be. Real ones, of a PostgreSQL at work, are in test/backup.test.ts. */

let folder: string
let dataDir: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-layout-'))
  dataDir = join(folder, 'data')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const platform = `${process.platform}-${process.arch}`
const about = { format: 1, postgres: '18', platform, madeAt: '2026-01-01T00:00:00.000Z' }
const sum = (text: string): string => createHash('sha256').update(text).digest('hex')

type Entries = Record<string, string>
const plain: Entries = { 'postgres/data/PG_VERSION': '18\n', 'postgres/data/base/1/112': 'x'.repeat(20_000), 'postgres/password': 'p' }

/** A backup as one is made of these files, or as somebody makes it who means no good. */
async function backupOf({
  files = plain,
  first = JSON.stringify(about),
  sums,
  after = [],
  cut,
}: { files?: Entries; first?: string; sums?: Entries; after?: TarEntry[]; cut?: number } = {}): Promise<string> {
  const all: Entries = { 'sluice-backup.json': first, ...files }
  const made = sums ?? Object.fromEntries(Object.entries(all).map(([name, text]) => [name, sum(text)]))
  const entry = (name: string, text: string): TarEntry => ({ header: { name, size: Buffer.byteLength(text), type: 'file' }, body: text })
  const bytes = gzipSync(await packTar([...Object.entries(all).map(([name, text]) => entry(name, text)), entry('sluice-backup.sums', JSON.stringify(made)), ...after]))
  const path = join(folder, 'a.backup')
  await writeFile(path, cut === undefined ? bytes : bytes.subarray(0, Math.floor(bytes.byteLength * cut)))
  return path
}
const lay = (file: string) => layOut({ dataDir, file, major: '18' })

/** Refused in these words, and nothing is there that was not. */
async function refused(file: string, words: RegExp): Promise<void> {
  await expect(lay(file)).rejects.toThrow(words)
  expect(existsSync(dataDir) ? readdirSync(dataDir) : []).toEqual([])
}

test('a backup is laid out whole, for this user alone', async () => {
  expect(await lay(await backupOf({ files: { ...plain, secret: 'a secret of the server, long enough' } }))).toEqual(about)
  expect(readFileSync(join(dataDir, 'postgres/data/base/1/112'), 'utf8')).toBe(plain['postgres/data/base/1/112'])
  expect(readFileSync(join(dataDir, 'secret'), 'utf8')).toBe('a secret of the server, long enough')
  for (const path of ['secret', 'postgres/password', 'postgres/data/PG_VERSION']) expect(statSync(join(dataDir, path)).mode & 0o077).toBe(0)
  expect(readdirSync(dataDir).toSorted()).toEqual(['postgres', 'secret'])
})

test('what is no backup, or none of this form and machine, is refused and told so', async () => {
  await refused(join(folder, 'absent'), /There is no file/)
  for (const text of ['', 'hello', gzipSync('hello')]) {
    await writeFile(join(folder, 'other'), text)
    await refused(join(folder, 'other'), /is no backup of Sluice/)
  }
  await refused(await backupOf({ first: JSON.stringify({ ...about, format: 2 }) }), /made by a newer Sluice \(form 2\)/)
  await refused(await backupOf({ first: JSON.stringify({ ...about, postgres: '19' }) }), /is of PostgreSQL 19/)
  await refused(await backupOf({ first: JSON.stringify({ ...about, platform: 'plan9-mips' }) }), /on plan9-mips/)
})

test('one that was cut off anywhere, changed, or lacks a file is refused, and nothing of it is kept', async () => {
  for (const cut of [0.2, 0.5, 0.9, 0.99]) await refused(await backupOf({ cut }), /damaged or was cut off|no backup/)
  const right = Object.fromEntries(Object.entries({ 'sluice-backup.json': JSON.stringify(about), ...plain }).map(([name, text]) => [name, sum(text)]))
  await refused(await backupOf({ sums: { ...right, 'postgres/password': sum('q') } }), /damaged or was cut off/)
  await refused(await backupOf({ sums: { ...right, 'postgres/data/base/1/113': sum('gone') } }), /damaged or was cut off/)
  const bytes = readFileSync(await backupOf())
  for (const at of [0.3, 0.6, 0.95]) {
    const changed = Buffer.from(bytes)
    changed[Math.floor(bytes.byteLength * at)]! ^= 0x40
    await writeFile(join(folder, 'changed'), changed)
    await refused(join(folder, 'changed'), /damaged or was cut off|no backup/)
  }
})

describe('an archive cannot write', () => {
  test.each(['../outside', 'postgres/../../outside', '/etc/outside', 'postgres//data', 'elsewhere', 'postgres/./x', 'secret/x', 'postgres\\..\\x'])('to %s', async (name) => {
    await refused(await backupOf({ files: { ...plain, [name]: 'x' } }), /is no backup of Sluice/)
    expect(existsSync(join(folder, 'outside'))).toBe(false)
  })

  test.each(['symlink', 'link', 'fifo', 'character-device'] as const)('a %s', async (type) => {
    const made = await packTar([
      { header: { name: 'sluice-backup.json', size: JSON.stringify(about).length, type: 'file' }, body: JSON.stringify(about) },
      { header: { name: 'postgres/data', size: 0, type, linkname: '/etc' } },
    ])
    await writeFile(join(folder, 'linked'), gzipSync(made))
    await refused(join(folder, 'linked'), /is no backup of Sluice/)
  })

  test('anything after its end', async () => {
    await refused(await backupOf({ after: [{ header: { name: 'postgres/late', size: 1, type: 'file' }, body: 'x' }] }), /is no backup of Sluice/)
  })
})

test('that the disk is full, or a file may not be read, is told as that, and not as damage', async () => {
  await refused(folder, /cannot be restored: EISDIR/)
  // As long a name as no file system takes stands for any write that fails.
  await refused(await backupOf({ files: { ...plain, [`postgres/data/${'x'.repeat(300)}`]: 'x' } }), /cannot be restored: ENAMETOOLONG/)
})

test('where a backup cannot go is told before anything is asked of PostgreSQL', async () => {
  const to = (file: string) => backUp({ dataDir, databaseUrl: 'postgresql://127.0.0.1:1/none', file })
  await expect(to(join(folder, 'absent', 'today'))).rejects.toThrow(`There is no folder ${join(folder, 'absent')}`)
  await expect(to(await backupOf())).rejects.toThrow('is there already')
})

test('nothing that is there is replaced: a database, another secret', async () => {
  const file = await backupOf({ files: { ...plain, secret: 'the secret of the backup, long enough' } })
  await mkdir(dataDir)
  await writeFile(join(dataDir, 'secret'), 'another secret, which is long enough')
  await expect(lay(file)).rejects.toThrow('is another secret than that of the backup')
  expect(readdirSync(dataDir)).toEqual(['secret'])
  await writeFile(join(dataDir, 'secret'), 'the secret of the backup, long enough')
  await lay(file)
  await expect(lay(file)).rejects.toThrow('There is a database in')
  expect(readdirSync(dataDir).toSorted()).toEqual(['postgres', 'secret'])
})

test('what a restore that was killed left behind is no obstacle', async () => {
  await mkdir(join(dataDir, 'postgres.new/postgres/data'), { recursive: true })
  await writeFile(join(dataDir, 'postgres.new/postgres/data/PG_VERSION'), '17\n')
  await lay(await backupOf())
  expect(readFileSync(join(dataDir, 'postgres/data/PG_VERSION'), 'utf8')).toBe('18\n')
  expect(readdirSync(dataDir)).toEqual(['postgres'])
})

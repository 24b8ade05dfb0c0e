import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, lstat, mkdir, open, readFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { createTarDecoder, createTarPacker } from 'modern-tar'
import { beginCopy } from '../store/backup.ts'
import { StartRefused } from '../store/refused.ts'

/**
 * A backup of the PostgreSQL of a data directory, made while it works: its files as PostgreSQL lets them be copied between
 * `pg_backup_start` and `pg_backup_stop`, and the log written meanwhile, from which it is made whole again when it starts. So
 * the copy is of one moment, the end of the backup, with everything that was committed by then, cursors and ids included.
 *
 * A gzipped tar: `sluice-backup.json` (what it is), `postgres/…`, `secret` where the directory has one, `sluice-backup.sums` (SHA-256
 * of each file before it). One without its last entry was cut off, and is refused.
 */

const format = 1
const about = 'sluice-backup.json'
const sums = 'sluice-backup.sums'

/** What stands first in a backup. */
export interface BackupAbout {
  format: number
  /** The major version of PostgreSQL, which alone can read it. */
  postgres: string
  /** The machine's kind: files of PostgreSQL are read by its own. */
  platform: string
  madeAt: string
}

/** Made anew by PostgreSQL, or of this process alone: left out, but for the folders themselves. */
const emptied = new Set(['pg_wal', 'pg_replslot', 'pg_dynshmem', 'pg_notify', 'pg_serial', 'pg_snapshots', 'pg_stat_tmp', 'pg_subtrans'])
const leftOut = (path: string): boolean => /^(postmaster\.(pid|opts)|backup_label.*|tablespace_map.*)$/.test(path) || /(^|\/)(pgsql_tmp|pg_internal\.init)/.test(path)

/** Writes the backup. The file is there when it is whole, readable by this user alone. Throws StartRefused for a file that is there already. */
export async function backUp(options: { dataDir: string; databaseUrl: string; file: string }): Promise<{ bytes: number; files: number }> {
  const { dataDir, databaseUrl, file } = options
  if (await exists(file)) throw new StartRefused(`${file} is there already. Say another name, or move it away.`)
  if (!(await exists(dirname(file)))) throw new StartRefused(`There is no folder ${dirname(file)}.`)
  const data = join(dataDir, 'postgres', 'data')
  const draft = `${file}.${process.pid}.partial`
  const copying = await beginCopy(databaseUrl)
  try {
    const archive = archiveAt(draft)
    try {
      const made: BackupAbout = { format, postgres: (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim(), platform: platformOf(), madeAt: new Date().toISOString() }
      await archive.text(about, JSON.stringify(made))
      // What says where to begin is read last, as PostgreSQL's own programs do.
      const paths = await pathsIn(data)
      for (const path of paths.filter((each) => each !== 'global/pg_control')) await archive.add(`postgres/data/${path}`, join(data, path))
      await archive.add('postgres/data/global/pg_control', join(data, 'global/pg_control'))
      const { segment: last, label } = await copying.finish()
      await archive.text('postgres/data/backup_label', label)
      const log = (await readdir(join(data, 'pg_wal'))).filter((name) => /^[0-9A-F]{24}$/.test(name) && name >= copying.segment && name <= last)
      for (const name of log.toSorted()) await archive.add(`postgres/data/pg_wal/${name}`, join(data, 'pg_wal', name))
      await archive.add('postgres/password', join(dataDir, 'postgres', 'password'))
      if (await exists(join(dataDir, 'secret'))) await archive.add('secret', join(dataDir, 'secret'))
      const files = await archive.close()
      await rename(draft, file)
      await synced(dirname(file))
      return { bytes: (await stat(file)).size, files }
    } catch (error) {
      await archive.abandon()
      throw isOfSystem(error) ? new StartRefused(`The backup cannot be written: ${error.message}`, { cause: error }) : error
    }
  } finally {
    await copying.close()
    await rm(draft, { force: true })
  }
}

/**
 * Lays a backup into a data directory that has no database. What is there at the end is whole: it is written beside its place and moved
 * there. Throws StartRefused for what is no backup, is damaged or cut off, or is of another PostgreSQL, and where data would be lost.
 */
export async function layOut(options: { dataDir: string; file: string; major: string }): Promise<BackupAbout> {
  const { dataDir, file, major } = options
  if (await exists(join(dataDir, 'postgres')))
    throw new StartRefused(`There is a database in ${dataDir}. Set SLUICE_DATA_DIR to another directory, or move ${join(dataDir, 'postgres')} away.`)
  if (!(await exists(file))) throw new StartRefused(`There is no file ${file}.`)
  const draft = join(dataDir, 'postgres.new')
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await rm(draft, { recursive: true, force: true })
  try {
    const { made, secret } = await unpack(file, draft, major)
    await keepSecret(join(dataDir, 'secret'), secret)
    await rename(join(draft, 'postgres'), join(dataDir, 'postgres'))
    await synced(dataDir)
    return made
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function unpack(file: string, draft: string, major: string): Promise<{ made: BackupAbout; secret: Buffer | null }> {
  const found = new Map<string, string>()
  let made: BackupAbout | null = null
  let secret: Buffer | null = null
  let wanted: Record<string, string> | null = null
  try {
    const plain = createGunzip()
    const bytes = Readable.toWeb(
      createReadStream(file)
        .on('error', (error) => plain.destroy(error))
        .pipe(plain),
    ) as ReadableStream<Uint8Array>
    for await (const { header, body } of bytes.pipeThrough(createTarDecoder({ strict: true }))) {
      const { name } = header
      if (wanted !== null || (made === null && name !== about)) throw notOne(file)
      if (header.type === 'directory' && isPlain(name.replace(/\/$/, ''))) {
        await body.cancel()
        await mkdir(join(draft, name), { recursive: true, mode: 0o700 })
      } else if (header.type !== 'file' && header.type !== undefined) throw notOne(file)
      else if (name === sums) wanted = JSON.parse((await bytesOf(body)).toString()) as Record<string, string>
      else if (name === about || name === 'secret') {
        const text = await bytesOf(body)
        found.set(name, createHash('sha256').update(text).digest('hex'))
        if (name === about) made = checked(text, file, major)
        else secret = text
      } else if (isPlain(name)) found.set(name, await written(join(draft, name), body))
      else throw notOne(file)
    }
  } catch (error) {
    if (error instanceof StartRefused) throw error
    // A full disk is no fault of the backup: who reads that it is damaged may throw it away.
    if (isOfSystem(error)) throw new StartRefused(`${file} cannot be restored: ${error.message}. Nothing was.`, { cause: error })
    throw made === null ? notOne(file) : new StartRefused(`${file} is damaged or was cut off. Nothing was restored.`, { cause: error })
  }
  if (made === null) throw notOne(file)
  if (wanted === null || Object.keys(wanted).length !== found.size || Object.entries(wanted).some(([name, sum]) => found.get(name) !== sum))
    throw new StartRefused(`${file} is damaged or was cut off. Nothing was restored.`)
  return { made, secret }
}

const notOne = (file: string): StartRefused => new StartRefused(`${file} is no backup of Sluice.`)

/** Below `postgres`, whatever an archive says. */
const isPlain = (name: string): boolean => name.startsWith('postgres/') && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !/[\0\\]/.test(name)

function checked(text: Buffer, file: string, major: string): BackupAbout {
  const made = JSON.parse(text.toString()) as BackupAbout
  if (made.format !== format) throw new StartRefused(`${file} was made by a newer Sluice (form ${made.format}). Restore it with that version.`)
  if (made.postgres !== major || made.platform !== platformOf())
    throw new StartRefused(
      `${file} is of PostgreSQL ${made.postgres} on ${made.platform}; here is ${major} on ${platformOf()}. Restore it there, and move the data over with pg_dump.`,
    )
  return made
}

const platformOf = (): string => `${process.platform}-${process.arch}`

/** What other servers encrypt with is never replaced. */
async function keepSecret(path: string, secret: Buffer | null): Promise<void> {
  if (secret === null) return
  if (await exists(path)) {
    if ((await readFile(path)).equals(secret)) return
    throw new StartRefused(`${path} is another secret than that of the backup, whose credentials could not be read with it. Move it away, or choose another directory.`)
  }
  await written(path, new Blob([new Uint8Array(secret)]).stream())
}

// ── files ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** An archive that is written as it is read from, at most some pieces in memory. */
function archiveAt(path: string) {
  const { readable, controller } = createTarPacker()
  const made: Record<string, string> = {}
  const writing = pipeline(Readable.fromWeb(readable as never), createGzip({ level: 3 }), createWriteStream(path, { mode: 0o600, flags: 'wx' }))
  // Told where it is waited for.
  writing.catch(() => {})

  async function put(name: string, size: number, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    const hash = createHash('sha256')
    const writer = controller.add({ name, size, mode: 0o600, type: 'file' }).getWriter()
    for await (const piece of pieces) {
      hash.update(piece)
      await Promise.race([writer.write(piece), writing])
    }
    await Promise.race([writer.close(), writing])
    made[name] = hash.digest('hex')
  }
  const text = (name: string, value: string): Promise<void> => {
    const bytes = Buffer.from(value)
    return put(name, bytes.byteLength, [bytes])
  }
  return {
    text,
    async add(name: string, source: string): Promise<void> {
      const found = await lstat(source).catch(() => null)
      // Gone since it was listed: the log says so too.
      if (!found) return
      if (found.isDirectory()) return void (await controller.add({ name: `${name}/`, size: 0, mode: 0o700, type: 'directory' }).close())
      await put(name, found.size, exactly(source, found.size))
    },
    async close(): Promise<number> {
      const files = Object.keys(made).length
      await text(sums, JSON.stringify(made))
      controller.finalize()
      await writing
      const handle = await open(path)
      await handle.sync().finally(() => handle.close())
      return files
    },
    async abandon(): Promise<void> {
      controller.error(new Error('The backup was broken off'))
      await writing.catch(() => {})
    },
  }
}

/** So many bytes of a file that may change meanwhile: a page half written, or missing, is made whole by the log. */
async function* exactly(source: string, size: number): AsyncGenerator<Uint8Array> {
  let left = size
  if (size > 0)
    for await (const piece of createReadStream(source, { end: size - 1 }) as AsyncIterable<Buffer>) {
      left -= piece.byteLength
      yield piece
    }
  for (; left > 0; left -= Math.min(left, 65_536)) yield Buffer.alloc(Math.min(left, 65_536))
}

/** Every path below a folder, folders before what is in them. */
async function pathsIn(folder: string, below = ''): Promise<string[]> {
  const all: string[] = []
  for (const each of await readdir(join(folder, below), { withFileTypes: true }).catch(() => [])) {
    const path = below === '' ? each.name : `${below}/${each.name}`
    if (leftOut(path)) continue
    all.push(path)
    if (each.isDirectory() && !emptied.has(path)) all.push(...(await pathsIn(folder, path)))
  }
  return all
}

/** Writes a file that others may not read, and gives the sum of what is in it. */
async function written(path: string, body: ReadableStream<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await pipeline(
    body,
    async function* (pieces) {
      for await (const piece of pieces as AsyncIterable<Uint8Array>) {
        hash.update(piece)
        yield piece
      }
    },
    createWriteStream(path, { mode: 0o600, flags: 'wx', flush: true }),
  )
  await chmod(path, 0o600)
  return hash.digest('hex')
}

async function bytesOf(body: ReadableStream<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return Buffer.concat(pieces)
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )

/** Whether it is the operating system that refuses, and not what was read. */
const isOfSystem = (error: unknown): error is NodeJS.ErrnoException => error instanceof Error && 'syscall' in error

/** That a file has its name is on the disk too. */
async function synced(folder: string): Promise<void> {
  const handle = await open(folder)
  await handle.sync().finally(() => handle.close())
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { takeLock } from '../../src/embedded/lock.ts'
import { processMark } from '../../src/embedded/processes.ts'
import { StartRefused } from '../../src/store/refused.ts'

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sluice-lock-'))
  path = join(directory, 'lock')
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const take = () => takeLock(path, '/data', 'http://127.0.0.1:7878')

/** The number of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid!
}

test('a lock that is held is refused, naming the process and the address of its holder', () => {
  take()
  expect(take).toThrow(StartRefused)
  expect(take).toThrow(new RegExp(`/data is in use by process ${process.pid} \\(http://127\\.0\\.0\\.1:7878\\)`))
})

test('a released lock is free again, and leaves no file behind', async () => {
  take().release()
  take().release()
  expect(await readdir(directory)).toEqual([])
})

test('the lock of a dead process is taken over', async () => {
  writeFileSync(path, JSON.stringify({ pid: await deadPid(), mark: null, address: 'http://gone' }))
  take()
  expect(readFileSync(path, 'utf8')).toContain(`"pid":${process.pid},`)
})

test('the lock of a dead process whose number went to another one is taken over', () => {
  writeFileSync(path, JSON.stringify({ pid: process.pid, mark: 'another boot:1', address: 'http://gone' }))
  take()
  expect(readFileSync(path, 'utf8')).toContain(JSON.stringify(processMark(process.pid)))
})

test.for(['', '{', 'null', '[]', '{"pid":"7"}'])('a lock file that says nothing (%s) is taken over', (text) => {
  writeFileSync(path, text)
  take()
  expect(readFileSync(path, 'utf8')).toContain(`"pid":${process.pid},`)
})

test('a lock that somebody else took over is not released', () => {
  const lock = take()
  writeFileSync(path, JSON.stringify({ pid: 1, mark: null, address: 'http://other' }))
  lock.release()
  expect(existsSync(path)).toBe(true)
})

test('of processes that find a stale lock at the same time, one gets it', async () => {
  writeFileSync(path, JSON.stringify({ pid: await deadPid(), mark: null, address: 'http://gone' }))
  const program = fileURLToPath(new URL('locker.ts', import.meta.url))
  const children: ChildProcess[] = Array.from({ length: 6 }, () => spawn(process.execPath, [program, path], { stdio: ['pipe', 'pipe', 'inherit'] }))
  const said = await Promise.all(children.map(async (child) => String((await once(child.stdout!, 'data'))[0]).trim()))
  const over = children.map((child) => once(child, 'exit'))
  for (const child of children) child.stdin!.end()
  await Promise.all(over)
  expect(said.filter((line) => line === 'taken')).toHaveLength(1)
  expect(said.filter((line) => line.includes('is in use by process'))).toHaveLength(5)
})

test('a zombie is no living process', async () => {
  // The shell is replaced by one that never waits for its child.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 20'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const pid = Number(String((await once(parent.stdout, 'data'))[0]).trim())
  expect(processMark(pid)).not.toBeNull()
  await expect.poll(() => processMark(pid), { timeout: 10_000 }).toBeNull()
  parent.kill('SIGKILL')
})

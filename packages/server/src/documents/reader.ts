import { createWriteStream } from 'node:fs'
import { deserialize, serialize } from 'node:v8'
import { Worker } from 'node:worker_threads'
import type { Bounds } from './bounds.ts'
import type { Table } from './content.ts'
import { DocumentError } from './document-error.ts'
import { ask } from './query.ts'
import { read } from './read.ts'
import type { Reply, Task } from './task.ts'

async function replyTo(task: Task, bytes: Buffer): Promise<Reply> {
  try {
    return task.kind === 'read' ? await readAll(task, bytes) : answer(task, bytes)
  } catch (error) {
    if (error instanceof DocumentError) return { kind: 'error', code: error.code, message: error.message }
    return { kind: 'error', code: 'document_unreadable', message: `It cannot be read: ${error instanceof Error ? error.message.slice(0, 200) : 'it is malformed'}` }
  }
}

async function readAll({ format, bounds }: Task & { kind: 'read' }, bytes: Buffer): Promise<Reply> {
  const content = await read(new Uint8Array(bytes), format, bounds)
  if (content.type !== 'table') return { kind: 'content', content }
  const { table, ...rest } = content
  return { kind: 'content', content: { ...rest, rows: table.rows, columns: outline(table), packed: serialize(table) } }
}

function answer({ query, tables, bounds }: Task & { kind: 'ask' }, bytes: Buffer): Reply {
  let at = 0
  const [left, right] = tables.map(({ name, bytes: length }) => ({ name, table: deserialize(bytes.subarray(at, (at += length))) as Table }))
  return { kind: 'answer', result: ask(query, left!, right ?? null, bounds) }
}

/** Columns whose values are told, how many of them, and how long one may be. */
const told = { columns: 50, values: 20, characters: 60 }

/** Columns without their cells; of texts that are few all there are. */
function outline({ columns }: Table) {
  return columns.map(({ name, type, cells }, at) => {
    const values = type === 'text' && at < told.columns ? fewValues(cells) : null
    return values ? { name, type, values } : { name, type }
  })
}

function fewValues(cells: Table['columns'][number]['cells']): string[] | null {
  const values = new Set<string>()
  for (const cell of cells) {
    if (typeof cell !== 'string') continue
    values.add(cell)
    if (values.size > told.values || cell.length > told.characters) return null
  }
  return values.size === 0 ? null : [...values]
}

/** Nothing else in this thread would hear of time or memory while a loop goes on. */
function watch({ cpuMs, ms, memoryMiB }: Bounds): void {
  const program = `
    const { workerData: { ms, cpuMs, most } } = require('node:worker_threads')
    const cell = new Int32Array(new SharedArrayBuffer(4))
    const spent = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000 }
    const isFine = () => performance.now() < ms && spent() < cpuMs && process.memoryUsage.rss() < most
    while (isFine()) Atomics.wait(cell, 0, 0, 10)
    process.kill(process.pid, 'SIGKILL')`
  new Worker(program, { eval: true, workerData: { ms, cpuMs, most: memoryMiB * 1024 * 1024 } }).unref()
}

/**
 * The program of a reader: one task from its input, one reply at its fourth descriptor, and it ends. What it is given is written
 * by strangers: a thread looks on, and ends it, whoever waits for it or not, when it takes too long or too much.
 */
const chunks: Buffer[] = []
for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
const input = Buffer.concat(chunks)
const end = input.indexOf('\n')
// Let go without a task: the server has no more use for it, or is gone.
if (end >= 0) {
  const task = JSON.parse(input.toString('utf8', 0, end)) as Task
  watch(task.bounds)
  const reply = await replyTo(task, input.subarray(end + 1))
  createWriteStream('', { fd: 3 }).end(serialize(reply), () => process.exit())
}

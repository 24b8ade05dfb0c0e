import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { Failure, Interrupted } from './failure.ts'

/** Asks the person at the terminal; what is typed is shown unless it is hidden. Without a terminal the next line that is piped in is the answer. */
export async function ask(question: string, { hidden = false }: { hidden?: boolean } = {}): Promise<string> {
  const answer = process.stdin.isTTY ? await typed(question, hidden) : await nextLine()
  if (answer === undefined || answer === '') throw new Failure(`${question.trim()} There was no answer`)
  return answer
}

async function typed(question: string, hidden: boolean): Promise<string | undefined> {
  process.stderr.write(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: hidden ? silent : process.stderr, terminal: true })
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('SIGINT', () => reject(new Interrupted('')))
      lines.once('close', () => resolve(undefined))
    })
  } finally {
    lines.close()
    if (hidden) process.stderr.write('\n')
  }
}

let piped: string[] | undefined

async function nextLine(): Promise<string | undefined> {
  piped ??= (await readInput()).split(/\r?\n/)
  return piped.shift()
}

/** All that is piped in. */
export async function readInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

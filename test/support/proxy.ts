import { type AddressInfo, type NetConnectOpts, type Socket, connect, createServer } from 'node:net'

/** What goes wrong with an exchange: `lose` lets what was asked through and takes the answer away. */
export type Verdict = 'pass' | 'lose'

export interface Proxy {
  host: string
  port: number
  /** Closes what is open and refuses what comes, as a machine does whose service is down. */
  cut(): Promise<void>
  /** Answers nothing any more, and closes nothing: what is open stays open, what comes is taken and left waiting. */
  silence(): void
  /** Everything goes through again. */
  heal(): Promise<void>
  /** Looks at what is sent to the server; what was asked by a chunk to `lose` is done, and its answer lost with its connection. */
  watch(look: ((chunk: Buffer) => Verdict) | null): void
  /** How many answers were lost. */
  readonly lost: number
  close(): Promise<void>
}

/** A wire between a client and a server that can be cut, fall silent, and lose answers. `onLost` is told before the client notices. */
export async function proxyTo(target: NetConnectOpts, onLost: () => void | Promise<void> = () => {}): Promise<Proxy> {
  const pairs = new Set<{ near: Socket; far: Socket }>()
  let silent = false
  let look: ((chunk: Buffer) => Verdict) | null = null
  let lost = 0

  const listener = createServer({ allowHalfOpen: false }, (near) => {
    const far = connect(target)
    const pair = { near, far }
    pairs.add(pair)
    let losing = false
    const end = () => {
      // Silence is silent about ends too.
      if (silent) return
      pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    near
      .setNoDelay(true)
      .on('error', () => {})
      .on('close', end)
    far
      .setNoDelay(true)
      .on('error', () => {})
      .on('close', end)
    near.on('data', (chunk) => {
      if (look?.(chunk) === 'lose') losing = true
      if (!far.destroyed) far.write(chunk)
    })
    far.on('data', (chunk) => {
      if (!losing) return void (!near.destroyed && near.write(chunk))
      if (pairs.delete(pair)) {
        lost++
        void Promise.resolve(onLost()).then(() => (near.destroy(), far.destroy()))
      }
    })
    if (silent) {
      near.pause()
      far.pause()
    }
  })
  const listen = (port: number) => new Promise<void>((resolve, reject) => listener.once('error', reject).listen(port, '127.0.0.1', resolve))
  await listen(0)
  const { port } = listener.address() as AddressInfo

  return {
    host: `127.0.0.1:${port}`,
    port,
    async cut() {
      const closed = new Promise((resolve) => listener.close(resolve))
      for (const { near, far } of pairs) {
        near.resetAndDestroy()
        far.destroy()
      }
      await closed
    },
    silence() {
      silent = true
      for (const { near, far } of pairs) {
        near.pause()
        far.pause()
      }
    },
    async heal() {
      silent = false
      for (const pair of pairs) {
        const { near, far } = pair
        near.resume()
        far.resume()
        if (!near.destroyed && !far.destroyed) continue
        pairs.delete(pair)
        near.destroy()
        far.destroy()
      }
      if (!listener.listening) await listen(port)
    },
    watch(next) {
      look = next
    },
    get lost() {
      return lost
    },
    async close() {
      silent = false
      const closed = new Promise((resolve) => (listener.listening ? listener.close(resolve) : resolve(null)))
      for (const { near, far } of pairs) {
        near.destroy()
        far.destroy()
      }
      await closed
    },
  }
}

/** Where a database address leads, and the same address by way of a proxy. */
export function routeOf(databaseUrl: string): { target: NetConnectOpts; through(port: number): string } {
  const url = new URL(databaseUrl)
  const sockets = url.searchParams.get('host')
  const port = Number(url.port || 5432)
  return {
    target: sockets ? { path: `${sockets}/.s.PGSQL.${port}` } : { host: url.hostname, port },
    through(proxyPort) {
      const address = new URL(databaseUrl)
      address.searchParams.delete('host')
      address.hostname = '127.0.0.1'
      address.port = String(proxyPort)
      return address.href
    },
  }
}

/**
 * Whether a chunk of PostgreSQL's protocol ends a transaction: a plain `commit`, or the engine's group commit, which is one
 * statement. Our messages are smaller than a chunk, or begin one.
 */
export const isCommit = (chunk: Buffer): boolean => chunk.includes(plainCommit) || groupCommits.some((each) => chunk.includes(each))
/** A Query message of that text, without its first byte; and the beginnings of Binds of the statements of that name. */
const plainCommit = Buffer.from('\0\0\0\x0bcommit\0')
const groupCommits = [Buffer.from('\0commit '), Buffer.from('\0begin ')]

import { type AddressInfo, connect, createServer } from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  url: string
  /** After how many bytes of its answer each stream was cut so far. */
  cuts: readonly number[]
}

/** A wire to a server on which the answer to a subscription is cut after as many bytes as `next` says: by a reset, by an end, in turn. Null: no more cuts. */
export async function cuttingProxy(target: string, next: () => number | null): Promise<CuttingProxy> {
  const { hostname, port } = new URL(target)
  const cuts: number[] = []
  const open = new Set<() => void>()
  const listener = createServer((near) => {
    const far = connect(Number(port), hostname)
    let left: number | null = null
    let allowed = 0
    const end = (): void => {
      near.destroy()
      far.destroy()
      open.delete(end)
    }
    open.add(end)
    near.on('error', () => {}).on('close', end)
    far.on('error', () => {}).on('close', end)
    near.setNoDelay(true).on('data', (chunk) => {
      if (chunk.includes('GET /trpc/events.subscribe')) allowed = left = next() ?? Infinity
      far.write(chunk)
    })
    far.setNoDelay(true).on('data', (chunk) => {
      if (left === null || chunk.length < left) {
        if (left !== null) left -= chunk.length
        near.write(chunk)
        return
      }
      cuts.push(allowed)
      far.removeAllListeners('data')
      const part = chunk.subarray(0, left)
      if (cuts.length % 2 === 0) near.end(part)
      else near.write(part, () => near.resetAndDestroy())
    })
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    cuts,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => listener.close(resolve))
      for (const end of open) end()
      await closed
    },
  }
}

/** Values that may be as old as `ttl` milliseconds, at most `size` of them, the least recently used dropped first. */
export interface Fresh<V> {
  /** The value, loaded once for all that ask at the same time. What fails to load, or is undefined, is not kept. */
  get(key: string, load: () => Promise<V>): Promise<V>
  forget(key: string): void
  forgetPrefix(prefix: string): void
}

export interface FreshOptions {
  ttl: number
  size: number
  now: () => number
}

export function createFresh<V>({ ttl, size, now }: FreshOptions): Fresh<V> {
  const entries = new Map<string, { value: Promise<V>; at: number }>()

  function load(key: string, make: () => Promise<V>): Promise<V> {
    // Its age counts from before the load: what is read may have changed while it was on its way.
    const entry = { value: make(), at: now() }
    entries.set(key, entry)
    const drop = () => {
      if (entries.get(key) === entry) entries.delete(key)
    }
    entry.value.then((value) => value === undefined && drop(), drop)
    if (entries.size > size) entries.delete(entries.keys().next().value!)
    return entry.value
  }

  return {
    get(key, make) {
      const entry = entries.get(key)
      entries.delete(key)
      // A clock set back must not make a value live longer.
      const age = entry ? now() - entry.at : ttl
      if (!entry || age < 0 || age >= ttl) return load(key, make)
      entries.set(key, entry)
      return entry.value
    },
    forget: (key) => void entries.delete(key),
    forgetPrefix(prefix) {
      for (const key of entries.keys()) if (key.startsWith(prefix)) entries.delete(key)
    },
  }
}

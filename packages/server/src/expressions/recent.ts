/** The most recently used values by key, up to a total weight. The oldest go first. */
export class Recent<V extends {}> {
  readonly #entries = new Map<string, { value: V; weight: number }>()
  readonly #limit: number
  #weight = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get(key: string): V | undefined {
    const kept = this.#entries.get(key)
    if (!kept) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, kept)
    return kept.value
  }

  /** The value kept under the key, or the one made now. What `make` throws is not kept. */
  of(key: string, make: () => V, weight = 1): V {
    const kept = this.get(key)
    if (kept !== undefined) return kept
    const value = make()
    this.#entries.set(key, { value, weight })
    this.#weight += weight
    for (const [oldest, entry] of this.#entries) {
      if (this.#weight <= this.#limit || oldest === key) break
      this.#entries.delete(oldest)
      this.#weight -= entry.weight
    }
    return value
  }

  forget(key: string): void {
    this.#weight -= this.#entries.get(key)?.weight ?? 0
    this.#entries.delete(key)
  }

  get size(): number {
    return this.#entries.size
  }
}

/**
 * Answers what is asked for in one turn of the event loop together, `most` keys at a time, each of them read once. A statement
 * costs both sides more than what it is about: 32 runs read together cost a fifth of 32 statements.
 *
 * @param read What is missing in its answer is undefined to who asked; what it throws, all of them are told.
 */
export function createGather<V>(most: number, read: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>): (key: string) => Promise<V | undefined> {
  let gathering = new Map<string, PromiseWithResolvers<V | undefined>>()

  function begin(): void {
    const asked = (gathering = new Map())
    // After all that this turn reads from sockets.
    setImmediate(() => {
      if (gathering === asked) gathering = new Map()
      void answer(asked)
    })
  }

  async function answer(asked: ReadonlyMap<string, PromiseWithResolvers<V | undefined>>): Promise<void> {
    try {
      const found = await read([...asked.keys()])
      for (const [key, { resolve }] of asked) resolve(found.get(key))
    } catch (error) {
      for (const { reject } of asked.values()) reject(error)
    }
  }

  return (key) => {
    const known = gathering.get(key)
    if (known) return known.promise
    if (gathering.size === 0 || gathering.size >= most) begin()
    const mine = Promise.withResolvers<V | undefined>()
    gathering.set(key, mine)
    return mine.promise
  }
}

import type { Page } from '@sluice/schema'

/**
 * A list of the server. Awaited it is its first page (of `limit` items: 1 to 100, of pauses to 1,000; 50 unless set); iterated it is every item of
 * every page, each page asked for when it is needed; `pages()` are the pages. Nothing is asked for before. Where items come and
 * go meanwhile, what is there throughout is met once.
 */
export interface Listing<T> extends AsyncIterable<T>, PromiseLike<Page<T>> {
  pages(): AsyncIterable<Page<T>>
  catch<R>(onRejected: (reason: unknown) => R | PromiseLike<R>): Promise<Page<T> | R>
}

/** `read` gets the page at a cursor; the first one has none. */
export function listing<T>(read: (cursor: string | undefined) => Promise<Page<T>>): Listing<T> {
  async function* pages(): AsyncGenerator<Page<T>, void, undefined> {
    for (let cursor: string | undefined; ;) {
      const page = await read(cursor)
      yield page
      if (page.nextCursor === null) return
      cursor = page.nextCursor
    }
  }
  async function* items(): AsyncGenerator<T, void, undefined> {
    for await (const page of pages()) yield* page.items
  }
  const first = once(() => read(undefined))
  return {
    pages,
    [Symbol.asyncIterator]: items,
    // oxlint-disable-next-line unicorn/no-thenable -- a list is awaited for its first page
    then: (onFulfilled, onRejected) => first().then(onFulfilled, onRejected),
    catch: (onRejected) => first().catch(onRejected),
  }
}

/** However often a list is awaited, its first page is asked for once. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined
  return () => (done ??= work())
}

import { type Collection, Fault } from '@sluice/schema'
import { coreCollections } from './core.ts'

/** The collections of this server. Names are compared whatever their case is. */
export interface Collections {
  readonly all: readonly Collection[]
  of(ref: string): Collection | undefined
  /** Throws a Fault `collection_missing`. */
  get(ref: string): Collection
}

/** Those of the core, and those that its operator has declared. */
export function createCollections(declared: readonly Collection[] = []): Collections {
  const all = [...coreCollections, ...declared]
  const byRef = new Map(all.flatMap((collection) => [[collection.id, collection] as const, [collection.name.toLowerCase(), collection] as const]))
  const of = (ref: string): Collection | undefined => byRef.get(ref) ?? byRef.get(ref.toLowerCase())
  return {
    all,
    of,
    get(ref) {
      const found = of(ref)
      if (!found) throw new Fault('collection_missing')
      return found
    },
  }
}

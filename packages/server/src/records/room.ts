import { type Collection, type CollectionRules, Fault, type JsonObject } from '@sluice/schema'
import type { Asker } from '../collections/asker.ts'
import type { Collections } from '../collections/collections.ts'
import type { Database, Tx } from '../store/index.ts'
import type { Writer } from './writer.ts'

/** The collections of this server, and who writes them. */
export interface Room {
  collections: Collections
  /** Throws a Fault `collection_read_only` for what the engine alone writes. */
  writerOf(collection: Collection): Writer
}

/** With what is in it. */
export interface StockedRoom<Condition = unknown, Order = unknown> extends Room {
  database: Database
  language: Language<Condition, Order>
  stored: Stored<Condition, Order>
}

/** Filters, orders and rules as what the store understands. */
export interface Language<Condition, Order> {
  /** Throws a Fault `filter_invalid`, or `superusers_only` for what they alone may ask about. */
  query(asked: { collection: Collection; filter?: string | undefined; sort?: string | undefined; asker: Asker; now: Date }): { where: Condition; order: Order }
  /** Null: superusers alone, and the asker is none. */
  rule(collection: Collection, which: keyof CollectionRules, asker: Asker, now: Date): Condition | null
}

export interface RecordRow {
  id: string
  /** All of them, hidden ones too. */
  values: JsonObject
}

interface Where<Condition> {
  workspaceId: string
  collection: Collection
  /** All of them hold. */
  where: readonly Condition[]
}

/** The records of all collections, as the store has them. */
export interface Stored<Condition, Order> {
  list(tx: Tx, asked: Where<Condition> & { order: Order; offset: number; limit: number; count: boolean }): Promise<{ rows: RecordRow[]; total?: number }>
  read(tx: Tx, asked: Where<Condition> & { ids: readonly string[]; anySize?: boolean }): Promise<RecordRow[]>
  /** Those whose relation refers to one of these, at most `limit`. */
  referring(tx: Tx, asked: Where<Condition> & { field: string; targets: readonly string[]; limit: number }): Promise<RecordRow[]>
}

export interface Writers {
  sessions?: Writer
  users?: Writer
  declared?: Writer
}

export function createRoom(collections: Collections, { sessions, users, declared }: Writers): Room {
  const byName = new Map([
    ['workflow_sessions', sessions],
    ['users', users],
  ])
  return {
    collections,
    writerOf(collection) {
      const writer = collection.system ? byName.get(collection.name) : declared
      if (!writer) throw new Fault('collection_read_only')
      return writer
    },
  }
}

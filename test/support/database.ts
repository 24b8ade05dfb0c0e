import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { openDatabase } from '../../packages/server/src/store/database.ts'
import type { Database } from '../../packages/server/src/store/database.ts'
import { template, withDatabase } from './postgres.ts'

export interface TestDatabase {
  url: string
  database: Database
  /** Drops the database, whoever is still connected. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A migrated database of one's own, in about 20 ms: `await using db = await testDatabase()`. */
export async function testDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`
  // Copies files; the other way writes each page through the log.
  await asAdmin(`create database ${name} template ${template} strategy file_copy`)
  const url = withDatabase(inject('postgresUrl'), name)
  const database = openDatabase({ url, max: 8 })
  const close = async () => {
    await database.close()
    await asAdmin(`drop database if exists ${name} with (force)`)
  }
  return { url, database, close, [Symbol.asyncDispose]: close }
}

async function asAdmin(statement: string): Promise<void> {
  const client = new pg.Client(inject('postgresUrl'))
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

import pg from 'pg'

/** PostgreSQL as it lets its files be copied: between the two calls what is read of them may be torn, and the log makes it whole. */
export interface Copying {
  /** The first file of the log that belongs to the copy. */
  segment: string
  /** Ends it: the last file of the log, and what PostgreSQL wants to find beside the files to know them for a copy. */
  finish(): Promise<{ segment: string; label: string }>
  /** Ends the connection; a copy that was not finished is broken off. */
  close(): Promise<void>
}

/** While this is open no file of the log goes that belongs to it. */
export async function beginCopy(databaseUrl: string): Promise<Copying> {
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'sluice backup', connectionTimeoutMillis: 5_000, keepAlive: true })
  client.on('error', () => {})
  await client.connect()
  try {
    // Of this connection: it goes with it.
    await client.query(`select pg_create_physical_replication_slot('sluice_backup_' || pg_backend_pid(), true, true)`)
    const { rows } = await client.query<{ segment: string }>(`select pg_walfile_name(pg_backup_start('sluice', true)) as segment`)
    return {
      segment: rows[0]!.segment,
      async finish() {
        const ended = await client.query<{ segment: string; label: string }>('select pg_walfile_name(lsn) as segment, labelfile as label from pg_backup_stop(false)')
        return ended.rows[0]!
      },
      close: () => client.end().catch(() => {}),
    }
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
}

import pg from 'pg'

/** What servers ask of themselves, whether anybody calls them or not. */
const unasked =
  /^(timers-next|schedules-next|queue-claims|queues-with-items|deliveries-lend|webhook-readers-news|runs-revisions|notify|select 1|(with|update|insert into|delete from|select)\b.*sluice_jobs)/is

/**
 * The statements that the servers of this process send to PostgreSQL while something is done, by name, or by their beginning where
 * they have none. BEGIN and COMMIT count. What they would send anyhow does not.
 */
export async function statementsOf(act: () => Promise<unknown>): Promise<string[]> {
  const sent: string[] = []
  const prototype = pg.Client.prototype as { query(...args: unknown[]): unknown }
  const query = prototype.query
  prototype.query = function (this: unknown, ...args: unknown[]) {
    const [asked] = args as [string | { name?: string; text?: string }]
    const text = typeof asked === 'string' ? asked : (asked.name ?? asked.text ?? '')
    if (!unasked.test(text.trim())) sent.push(text.trim().slice(0, 60))
    return query.apply(this, args)
  }
  try {
    await act()
  } finally {
    prototype.query = query
  }
  return sent
}

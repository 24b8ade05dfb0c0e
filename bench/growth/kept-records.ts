import { createCollections } from '../../packages/server/src/collections/collections.ts'
import { createLanguage } from '../../packages/server/src/collections/check.ts'
import { firstIdOf } from '../../packages/server/src/store/ids.ts'
import { listRecords } from '../../packages/server/src/store/records/index.ts'
import { timed } from '../closed-loop.ts'
import { openInProcess } from '../sluice/in-process.ts'
import { type Costs, type OpenCurve, medianOf } from './curve.ts'

const limit = 50
const piece = 50_000
const member = 'member00000000a'
/** One session in so many is of the member who lists their own. */
const owners = 10
const statuses = `(array['idle', 'idle', 'idle', 'running', 'waiting', 'completed', 'completed', 'completed', 'completed', 'failed'])[1 + n / 10 % 10]`

/** A second apart, the last one now. */
const insert = `
  insert into sessions (id, workspace_id, user_id, title, tags, metadata, subject, status, current_step_id, steps, progress, context, seq, lines, line_at, created_at, updated_at)
  select $4 || lpad(n::text, 7, '0'), $1, case when n % ${owners} = 0 then $2 else $3 end, 'Session ' || n, '{}', '{}', 'null', ${statuses}, 'topic-discovery',
    '[]', 0, json_build_object('topic', 'topic ' || n % 100), 1, 0, 0, at, at + n % 100 * interval '1 minute'
  from generate_series($5::int, $6::int) as n, lateral (select now() - (1000000 - n) * interval '1 second' as at) as made`

/** As clients write it. */
const madeAt = (n: number): string => new Date(Date.now() - (1_000_000 - n) * 1_000).toISOString().replace('T', ' ')

/** What is asked for by each line, of a page of fifty without a count. */
const byStatus = { filter: 'status = "running"', sort: '-created' }
const listsOf = (size: number) => ({
  'list by status, newest first': byStatus,
  'list since a date, newest first': { filter: `created >= "${madeAt(size / 2)}"`, sort: '-created' },
  'list by what changed last': { filter: '', sort: '-updated' },
  'list of an owner by status': { filter: `status = "completed" && user = "${member}"`, sort: '-created' },
})

/** Sessions as records, of which an admin lists all, and a member their own. */
export async function openKeptRecords(databaseUrl: string): Promise<OpenCurve> {
  const { database, actor, close } = await openInProcess(databaseUrl)
  const collections = createCollections()
  const language = createLanguage(collections)
  const collection = collections.get('workflow_sessions')
  const { workspaceId } = actor
  const admin = { userId: actor.userId, superuser: true, auth: { id: actor.userId } }
  const owner = { userId: member, superuser: false, auth: { id: member } }
  const prefix = firstIdOf(Date.now()).slice(0, 8)
  let made = 0

  function list(asker: typeof admin, { filter, sort }: { filter: string; sort: string }, count = false) {
    const now = new Date()
    const { where, order } = language.query({ collection, filter, sort, asker, now })
    const rule = language.rule(collection, 'list', asker, now)!
    return listRecords(database, { workspaceId, collection, where: [rule, where], order, offset: 0, limit, count })
  }

  return {
    async at(size, seconds) {
      for (let from = made + 1; from <= size; from += piece) await database.query(insert, [workspaceId, member, actor.userId, prefix, from, Math.min(size, from + piece - 1)])
      await database.query('vacuum analyze sessions')
      made = size
      const costs: Costs = {}
      for (const [name, asked] of Object.entries(listsOf(size)))
        costs[name] = await medianOf(
          timed(() => list(admin, asked)),
          seconds,
        )
      costs['list of a member, by status, newest first'] = await medianOf(
        timed(() => list(owner, byStatus)),
        seconds,
      )
      costs['counted: by status, newest first'] = await medianOf(
        timed(() => list(admin, byStatus, true)),
        seconds,
      )
      return costs
    },
    close,
  }
}

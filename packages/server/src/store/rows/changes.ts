import type { Tx } from '../database.ts'

/** A subject of the log, before one of its events. */
export interface Before {
  kind: string
  id: string
  seq: number
}

/** Of each the data of the last event before that carried its record, as JSON text; undefined where there is none any more. */
export async function recordsBefore(tx: Tx, workspaceId: string, subjects: readonly Before[]): Promise<(string | undefined)[]> {
  const rows = await tx.query<{ place: number; data: string }>(
    {
      name: 'changes-before',
      text: `
        select asked.place::int as place, last.data from unnest($2::text[], $3::text[], $4::int[]) with ordinality as asked (kind, id, seq, place)
        cross join lateral (
          select data::text as data from events
          where subject_id = asked.id and subject_kind = asked.kind and events.seq < asked.seq and type in ('created', 'updated') and workspace_id = $1
          order by events.seq desc limit 1
        ) as last`,
    },
    [workspaceId, subjects.map(({ kind }) => kind), subjects.map(({ id }) => id), subjects.map(({ seq }) => seq)],
  )
  const found: (string | undefined)[] = subjects.map(() => undefined)
  for (const { place, data } of rows) found[place - 1] = data
  return found
}

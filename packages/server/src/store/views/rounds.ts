import type { MessageLine, Reason, RunStatus, ToolCall } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { getLine } from './sessions.ts'

/** How a round stands, as far as who waits for it wants to know. */
export interface RoundStanding {
  id: string
  session_id: string | null
  status: RunStatus
  begun: boolean
  held: boolean
  reason: Reason | null
  /** The signals that its steps wait for. */
  signals: string[]
  /** The oldest that is open. */
  pause: { id: string; kind: 'approval' | 'question'; message: string } | null
  [more: string]: unknown
}

export async function roundStanding(tx: Tx, workspaceId: string, runId: string): Promise<RoundStanding | undefined> {
  const [row] = await tx.query<RoundStanding>(
    {
      name: 'view-round',
      text: `
        select id, session_id, status, started_at is not null as begun, held_at is not null as held, reason,
          array(select waiting_for->>'signal' from steps where run_id = runs.id and state = 'waiting' and waiting_for->>'kind' = 'signal') as signals,
          (select json_build_object('id', id, 'kind', kind, 'message', message) from pauses where run_id = runs.id and status = 'open' order by id limit 1) as pause
        from runs where id = $1 and workspace_id = $2 and trial is null`,
    },
    [runId, workspaceId],
  )
  return row
}

/** The live round of a session that others wait behind. */
export async function roundUnderWay(tx: Tx, sessionId: string): Promise<string | null> {
  const [row] = await tx.query<{ id: string }>(
    { name: 'view-round-under-way', text: 'select id from runs where session_id = $1 and ended_at is null order by started_at nulls last, id limit 1' },
    [sessionId],
  )
  return row?.id ?? null
}

/** Of these calls those that a model of the run has made, in its order. */
export async function callsOf(tx: Tx, runId: string, ids: readonly string[]): Promise<ToolCall[]> {
  if (ids.length === 0) return []
  const rows = await tx.query<{ call: ToolCall }>(
    {
      name: 'view-calls',
      text: `
        select call from steps, json_array_elements(case when json_typeof(output->'toolCalls') = 'array' then output->'toolCalls' end) with ordinality as made (call, place)
        where run_id = $1 and json_typeof(call) = 'object' and call->>'id' = any($2)
        order by steps.ended_at, steps.node_id, steps.iteration, place`,
    },
    [runId, ids],
  )
  const byId = new Map(rows.map(({ call: { id, name, arguments: given } }) => [id, { id, name, arguments: given }]))
  return [...byId.values()]
}

/** What a round has said last. Null: nothing, or it was deleted. */
export async function lastSaid(tx: Tx, sessionId: string, runId: string): Promise<MessageLine | null> {
  const [row] = await tx.query<{ id: string }>(
    {
      name: 'view-round-said',
      text: `
        select id from lines where session_id = $1 and kind = 'message' and run_id = $2 and data->>'role' = 'assistant' order by number desc limit 1`,
    },
    [sessionId, runId],
  )
  const line = row && (await getLine(tx, sessionId, row.id))
  return line?.kind === 'message' ? line : null
}

export interface RoundUsage {
  promptTokens: number
  completionTokens: number
}

/** The tokens of a round: of one that has ended as its figures have it, of the one under way so far. */
export async function usageOf(tx: Tx, sessionId: string, runId: string): Promise<RoundUsage> {
  const [row] = await tx.query<{ prompt: number | null; completion: number | null }>(
    {
      name: 'view-round-usage',
      text: `
        with figures as (
          select data->>'name' as name, (data->>'value')::float8 as value from lines where session_id = $1 and kind = 'stat' and run_id = $2
        ), live as (
          select prompt_tokens, completion_tokens from sessions
          where id = $1 and exists (select from runs where id = $2 and ended_at is null and started_at is not null)
        )
        select coalesce((select value from figures where name = 'prompt_tokens' limit 1), (select prompt_tokens from live)) as prompt,
          coalesce((select value from figures where name = 'completion_tokens' limit 1), (select completion_tokens from live)) as completion`,
    },
    [sessionId, runId],
  )
  return { promptTokens: row?.prompt ?? 0, completionTokens: row?.completion ?? 0 }
}

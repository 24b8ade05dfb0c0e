import { type Json, limits } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** Where the trials of one session have come to: of one workflow, or, with an empty id, of nodes that stand in none. */
export interface TrialSession {
  workspaceId: string
  session: string
  workflowId: string
}

/** What a producer keeps between two trials. */
export interface TrialState {
  node_id: string
  /** A node that became another one begins anew. */
  type: string
  state: Json
  count: number
  /** The trial that goes on from here, until what came of it is written. */
  run_id: string | null
}

interface Producer {
  id: string
  type: string
}

const session = 'workspace_id = $1 and session = $2 and workflow_id = $3'
const paramsOf = ({ workspaceId, session: name, workflowId }: TrialSession): string[] => [workspaceId, name, workflowId]
/** From now on, with each use. */
const expiry = `now() + interval '${limits.trialStateMs} milliseconds'`

/** Makes states that are not there. In the order of their nodes, so that two trials never wait for each other. */
export const makeTrialStates = (tx: Tx, of: TrialSession, producers: readonly Producer[]): Promise<unknown> =>
  tx.query(
    {
      name: 'trial-states-make',
      text: `
        insert into trial_states (workspace_id, session, workflow_id, node_id, type, state, count, expires_at)
        select $1, $2, $3, node_id, type, 'null'::json, 0, ${expiry} from unnest($4::text[], $5::text[]) as asked (node_id, type) order by node_id
        on conflict (workspace_id, session, workflow_id, node_id) do nothing`,
    },
    [...paramsOf(of), producers.map(({ id }) => id), producers.map(({ type }) => type)],
  )

/** The states of producers under their row locks, in the same order. What is older than they are kept begins anew. */
export const lockTrialStates = (tx: Tx, of: TrialSession, producers: readonly Producer[]): Promise<TrialState[]> =>
  tx.query<TrialState & Record<string, unknown>>(
    {
      name: 'trial-states-lock',
      text: `
        select node_id, type, case when live then state end as state, case when live then count else 0 end as count, case when live then run_id end as run_id
        from (select *, expires_at > now() as live from trial_states where ${session} and node_id = any($4) order by node_id for update) locked`,
    },
    [...paramsOf(of), producers.map(({ id }) => id)],
  )

/** Under their locks. */
export const writeTrialStates = (tx: Tx, of: TrialSession, states: readonly TrialState[]): Promise<unknown> =>
  tx.query(
    {
      name: 'trial-states-write',
      text: `
        update trial_states set type = s.type, state = s.state::json, count = s.count, run_id = s.run_id, expires_at = ${expiry}
        from unnest($4::text[], $5::text[], $6::text[], $7::int[], $8::text[]) as s (node_id, type, state, count, run_id)
        where ${session} and trial_states.node_id = s.node_id`,
    },
    [
      ...paramsOf(of),
      states.map((row) => row.node_id),
      states.map((row) => row.type),
      states.map((row) => JSON.stringify(row.state)),
      states.map((row) => row.count),
      states.map((row) => row.run_id),
    ],
  )

/** Of nodes of one type, in all workflows and outside. Whether there was anything. */
export async function deleteTrialStates(tx: Tx, workspaceId: string, name: string, type: string): Promise<boolean> {
  const rows = await tx.query<{ live: boolean }>(
    { name: 'trial-states-delete', text: 'delete from trial_states where workspace_id = $1 and session = $2 and type = $3 returning expires_at > now() as live' },
    [workspaceId, name, type],
  )
  return rows.some(({ live }) => live)
}

import type { Definition, Json } from '@sluice/schema'
import type { Tx } from '../database.ts'

/** What is looked at to say which functions a model may call. */

/** What a session allows, and what the newest message of the round that brings any brings along: JSON as it was written; null where there is nothing. */
export async function toolsOfSession(tx: Tx, workspaceId: string, sessionId: string, runId: string): Promise<{ tools: Json; client: Json } | undefined> {
  const [row] = await tx.query<{ tools: Json; client: Json }>(
    {
      name: 'tools-session',
      text: `
        select tools, (
          select data->'metadata'->'clientTools' from lines
          where session_id = $2 and run_id = $3 and kind = 'message' and data->>'role' = 'user' and data->'metadata'->'clientTools' is not null
          order by number desc limit 1
        ) as client
        from sessions where id = $2 and workspace_id = $1`,
    },
    [workspaceId, sessionId, runId],
  )
  return row
}

export interface WorkflowTool extends Record<string, unknown> {
  id: string
  handle: string
  name: string
  description: string
  definition: Definition
}

/** The newest published workflows that are no conversations themselves, by their newest version. */
export const workflowsAsTools = (tx: Tx, workspaceId: string, most: number): Promise<WorkflowTool[]> =>
  tx.query<WorkflowTool>(
    {
      name: 'tools-workflows',
      text: `
        select w.id, w.handle, w.name, w.description, v.definition from workflows w join versions v on v.workflow_id = w.id and v.number = w.version
        where w.workspace_id = $1 and w.deleted_at is null and v.definition->>'kind' = 'workflow' order by w.id desc limit $2`,
    },
    [workspaceId, most],
  )

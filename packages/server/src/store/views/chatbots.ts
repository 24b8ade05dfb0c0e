import { type Chatbot, type ListChatbots, Mode, type Page } from '@sluice/schema'
import { decodeCursor, pageFrom } from '../cursor.ts'
import type { Tx } from '../database.ts'

interface ChatbotRow {
  id: string
  handle: string
  name: string
  description: string
  created_at: Date
  mode: Mode | null
  [more: string]: unknown
}

const columns = 'id, handle, name, description, created_at, mode'

/** The modes first, then the chatbots of the workspace in the order in which they were made. A name is of a mode, then an id, then a handle. */
export async function listChatbots(tx: Tx, workspaceId: string, { name, cursor, limit }: ListChatbots): Promise<Page<Chatbot>> {
  const first = cursor === undefined ? await modesOf(tx, workspaceId) : []
  const mode = first.find((each) => each.mode === name)
  if (mode) return { items: [mode], nextCursor: null }
  if (name !== undefined) {
    const row = await chatbotNamed(tx, workspaceId, name)
    return { items: row ? [chatbotFrom(row)] : [], nextCursor: null }
  }
  const rows = await tx.query<ChatbotRow>(
    {
      name: 'view-chatbots',
      text: `
        select ${columns} from workflows
        where workspace_id = $1 and deleted_at is null and mode is null and draft->>'kind' = 'chatbot' and id > $2 order by id limit $3`,
    },
    [workspaceId, cursor === undefined ? '' : decodeCursor(cursor, /^[0-9a-z]{1,40}$/), limit + 1],
  )
  const page = pageFrom(rows, limit, (row) => row.id, chatbotFrom)
  return { ...page, items: [...first, ...page.items] }
}

/** The chatbot that a name means, which is no mode. */
export async function chatbotNamed(tx: Tx, workspaceId: string, name: string): Promise<ChatbotRow | undefined> {
  const [row] = await tx.query<ChatbotRow>(
    {
      name: 'view-chatbot',
      text: `
        select ${columns} from workflows
        where workspace_id = $1 and (id = $2 or handle = $2) and deleted_at is null and draft->>'kind' = 'chatbot' order by id = $2 desc limit 1`,
    },
    [workspaceId, name],
  )
  return row
}

async function modesOf(tx: Tx, workspaceId: string): Promise<Chatbot[]> {
  const rows = await tx.query<ChatbotRow>({ name: 'view-modes', text: `select ${columns} from workflows where workspace_id = $1 and deleted_at is null and mode is not null` }, [
    workspaceId,
  ])
  return Mode.options.map((mode) => {
    const row = rows.find((each) => each.mode === mode)
    return row ? chatbotFrom(row) : { name: mode, mode, workflowId: null, title: mode, description: '', created: null }
  })
}

const chatbotFrom = ({ id, handle, name, description, created_at: created, mode }: ChatbotRow): Chatbot => ({
  name: mode ?? handle,
  mode,
  workflowId: id,
  title: name,
  description,
  created: created.toISOString(),
})

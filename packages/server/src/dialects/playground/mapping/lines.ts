import { Fault, Id, type Json, type JsonObject, type Line, type MessageLine } from '@sluice/schema'
import type { ChatData, ChatDocument, ChatFile, ChatLog, ChatMessage, ChatStat } from '../contract.ts'
import { documents, files, logs, messages, stats, workflows } from './ids.ts'
import { secondsOf } from './times.ts'

/** What a conversation holds, as the playground tells it. PURE. */

type Of<K extends Line['kind']> = Extract<Line, { kind: K }>

const base = ({ sessionId, at }: Line) => ({ workflowId: workflows.of(sessionId), timestamp: secondsOf(at), _createdAt: secondsOf(at) })

export const messageOf = (line: MessageLine): ChatMessage => ({
  id: messages.of(line.id),
  ...base(line),
  role: line.role,
  content: line.text,
  ...(line.truncated !== undefined && { truncated: line.truncated }),
  files: line.files.map((id) => fileOf(id, keptOf(line.metadata)[id])),
  metadata: withoutKept(line),
})

const levels = { debug: 'debug', info: 'info', warn: 'warning', error: 'error' } as const

export const logOf = (line: Of<'log'>): ChatLog => ({ id: logs.of(line.id), ...base(line), level: levels[line.level], message: line.message })

/** Figures are of a round, and of no message. */
export const statOf = (line: Of<'stat'>): ChatStat => ({ id: stats.of(line.id), ...base(line), messageId: null, name: line.name, value: line.value, unit: line.unit })

const documentOf = (line: Of<'document'>): ChatDocument => ({
  id: documents.of(line.id),
  ...base(line),
  messageId: line.messageId === null ? null : messages.of(line.messageId),
  fileId: files.of(line.fileId),
  name: line.name,
  mimeType: line.mimeType,
  size: line.size,
})

/** Any of them, with what it is called. */
export function itemOf(line: Line): { event: Line['kind']; data: ChatMessage | ChatLog | ChatStat | ChatDocument } {
  switch (line.kind) {
    case 'message':
      return { event: line.kind, data: messageOf(line) }
    case 'log':
      return { event: line.kind, data: logOf(line) }
    case 'stat':
      return { event: line.kind, data: statOf(line) }
    case 'document':
      return { event: line.kind, data: documentOf(line) }
  }
}

export const dataOf = (lines: readonly Line[]): ChatData => ({
  messages: messagesIn(lines),
  logs: logsIn(lines),
  stats: lines.flatMap((line) => (line.kind === 'stat' ? statOf(line) : [])),
  documents: lines.flatMap((line) => (line.kind === 'document' ? documentOf(line) : [])),
})

export const messagesIn = (lines: readonly Line[]): ChatMessage[] => lines.flatMap((line) => (line.kind === 'message' ? messageOf(line) : []))
export const logsIn = (lines: readonly Line[]): ChatLog[] => lines.flatMap((line) => (line.kind === 'log' ? logOf(line) : []))

// ── files of messages ──────────────────────────────────────────────────────────────────────────────────────────────────

/** Where the core keeps what a client says of the files of its message: by the id of the file. */
const key = 'files'

const fileOf = (id: string, kept: Json | undefined): ChatFile => ({ ...(isObject(kept) && kept), id: files.of(id) })

const keptOf = (metadata: JsonObject): JsonObject => (isObject(metadata[key]) ? metadata[key] : {})

/** Of a message with files: what was said of them stands with them. */
function withoutKept({ files: of, metadata }: MessageLine): JsonObject {
  if (of.length === 0 || !isObject(metadata[key])) return metadata
  const { [key]: _kept, ...others } = metadata
  return others
}

/** What is sent of files: their ids, and the metadata with what was said of each beside its id. The last that is said of a file counts. Throws `file_missing`. */
export function filesOf(given: readonly (string | ChatFile)[], metadata: JsonObject): { files: string[]; metadata: JsonObject } {
  const said = new Map(given.map(saidOf))
  const kept = Object.fromEntries([...said].filter(([, more]) => Object.keys(more).length > 0))
  return { files: [...said.keys()], metadata: Object.keys(kept).length > 0 ? { ...metadata, [key]: kept } : metadata }
}

const saidOf = (file: string | ChatFile): [string, JsonObject] => {
  const { id, ...more } = typeof file === 'string' ? { id: file } : file
  const bare = files.bare(id)
  if (!Id.safeParse(bare).success) throw new Fault('file_missing', { details: { files: [bare] } })
  return [bare, more]
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

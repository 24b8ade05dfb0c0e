import type { Json, JsonObject, StoredFile } from '@sluice/schema'
import { z } from 'zod'
import { DocumentError, type Documents, fileOf, type SourceFile, type TableResult } from '../documents/documents.ts'
import { tableQuery } from '../documents/table-query.ts'
import type { Files } from '../files/files.ts'
import { answeredCall, mostCharacters, refusedCall } from '../nodes/content.ts'
import { type Catalogue, type DocumentSummary, type OfferedTool, StepFailure, type StepResult, type Toolbox, type ToolUser, type WorkContext } from '../nodes/contract.ts'
import type { Tx } from '../store/database.ts'
import { toolsOfSession, workflowsAsTools } from '../store/rows/tools.ts'
import { decode } from '../workflows/config.ts'
import { allowedOf, type FileTool, isFileTool, type ToolNode, toolNodes, toolsOfClient, toolsOfFiles, toolsOfLibrary, toolsOfWorkflows } from './offer.ts'

export interface ToolboxParts {
  database: Tx
  catalogue: Catalogue
  documents: Documents
  files: Pick<Files, 'of' | 'read'>
}

const mostWorkflows = 50

const ReadFile = z.strictObject({ file: z.string().max(1_000), from: z.int().min(0).max(1e9).default(0), characters: z.int().min(1).max(20_000).default(8_000) })

/**
 * The functions of a conversation. What may be called is decided anew at every call, not only when it is offered: what a session
 * allows no more, and what is not its own, is a function that there is not.
 */
export function createToolbox({ database, catalogue, documents, files }: ToolboxParts): Toolbox {
  const nodes = toolNodes(catalogue)
  const library = toolsOfLibrary(nodes)
  const filesOf = async ({ sessionId }: ToolUser): Promise<StoredFile[]> => (sessionId === null ? [] : files.of(database, { kind: 'session', id: sessionId }))
  const source = (file: StoredFile): SourceFile => ({ ...file, read: () => (file.bytes === 0 ? nothing() : files.read(file.id, 0, file.bytes - 1)) })
  const summaryOf = async (file: StoredFile): Promise<DocumentSummary> => ({ id: file.id, ...(await documents.summary(source(file))) })
  const summariesOf = async (of: ToolUser): Promise<DocumentSummary[]> => inTurn(await filesOf(of), summaryOf)

  async function offered(of: ToolUser): Promise<OfferedTool[]> {
    if (of.sessionId === null) return []
    const session = await toolsOfSession(database, of.workspaceId, of.sessionId, of.runId)
    if (!session) return []
    const theirs = await filesOf(of)
    const workflows = await workflowsAsTools(database, of.workspaceId, mostWorkflows)
    const free = [...toolsOfFiles(theirs, await inTurn(theirs, summaryOf)), ...toolsOfClient(session.client)]
    return allowedOf(session.tools, free, [...library, ...toolsOfWorkflows(workflows, catalogue)])
  }

  /** Those that a call may be of: found without a look into files and workflows, since whether there is a table is said by who is asked. */
  async function callable(of: ToolUser): Promise<OfferedTool[]> {
    if (of.sessionId === null) return []
    const session = await toolsOfSession(database, of.workspaceId, of.sessionId, of.runId)
    if (!session) return []
    const unread = (await filesOf(of)).map(({ id, name, bytes }): DocumentSummary => ({ id, name, bytes, type: 'table' }))
    return allowedOf(session.tools, [...toolsOfFiles(unread, unread), ...toolsOfClient(session.client)], library)
  }

  async function readFile(of: ToolUser, given: JsonObject, signal: AbortSignal): Promise<Json> {
    const { file: wanted, from, characters } = fit(ReadFile, given)
    const file = fileOf(await filesOf(of), wanted)
    const { text, characters: whole } = await documents.text(source(file), from, characters, signal)
    return { file: file.name, text, from, characters: whole, more: from + text.length < whole }
  }

  const byName: Record<FileTool, (of: ToolUser, given: JsonObject, signal: AbortSignal) => Promise<Json>> = {
    read_file: readFile,
    async query_table(of, given, signal) {
      return tellable(await documents.query((await filesOf(of)).map(source), fit(tableQuery, given), signal))
    },
  }

  return {
    offered,
    documents: summariesOf,
    async call(of, { name, arguments: given, approved }, context) {
      const tool = (await callable(of)).find((each) => each.name === name && each.kind === 'here')
      if (!tool) return refusedCall(`There is no function ${name.slice(0, 100)}`)
      if (tool.approval && approved === false) return refusedCall(`A person has to be asked before ${name} is called, which was not so when it was offered`)
      try {
        return isFileTool(name) ? answeredCall(await byName[name](of, given, context.signal)) : await callNode(nodes.get(name)!, given, context)
      } catch (error) {
        const said = context.signal.aborted ? null : saidOf(error)
        if (said === null) throw error
        return refusedCall(said)
      }
    },
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}

/** As many rows as a model is told of: a JSON that is cut somewhere is none. */
function tellable({ columns, rows, total }: TableResult): JsonObject {
  const all = { columns, rows, total }
  let shown = rows.length
  while (shown > 0 && JSON.stringify({ columns, rows: rows.slice(0, shown), total }).length > mostCharacters - 200) shown = Math.floor(shown / 2)
  if (shown === rows.length) return all
  return { ...all, rows: rows.slice(0, shown), note: `Only the first ${shown} of ${rows.length} rows are told here: select fewer columns, or add up` }
}

/** What a model is told of what went wrong, where it may do better; null: it cannot, and the step fails, or is tried again. */
function saidOf(error: unknown): string | null {
  if (error instanceof DocumentError || error instanceof Misfit) return error.message
  // Code that throws is the model's own, though a step of somebody's may be tried again.
  if (!(error instanceof StepFailure) || (error.retry && !error.code.startsWith('code_'))) return null
  return error.details === undefined ? error.message : `${error.message}\n${JSON.stringify(error.details)}`
}

/** One after the other: a file may take all the memory that reading has. */
async function inTurn<A, B>(list: readonly A[], work: (each: A) => Promise<B>): Promise<B[]> {
  const done: B[] = []
  for (const each of list) done.push(await work(each))
  return done
}

/** Arguments that are not what the function takes. */
class Misfit extends Error {
  override readonly name = 'Misfit'
  constructor(issues: readonly { path: readonly PropertyKey[]; message: string }[]) {
    super(
      `These arguments do not fit: ${issues
        .slice(0, mostIssues)
        .map(({ path, message }) => `${path.join('.') || 'arguments'}: ${message.slice(0, 500)}`)
        .join('; ')}`,
    )
  }
}
const mostIssues = 10

function fit<S extends z.ZodType>(schema: S, given: JsonObject): z.output<S> {
  const read = schema.safeParse(given)
  if (!read.success) throw new Misfit(read.error.issues)
  return read.data
}

/** The arguments as the node's config: as they are, and no template in them is read. */
function configOf(node: ToolNode, given: JsonObject): unknown {
  const { without = [], needs = [] } = node.tool
  const theirs = without.filter((key) => Object.hasOwn(given, key)).map((key) => ({ path: [key], message: 'is not for a model to give' }))
  const missing = needs.filter((key) => !Object.hasOwn(given, key) || given[key] === '').map((key) => ({ path: [key], message: 'has to be given' }))
  const decoded = decode(node, given)
  const issues = [...theirs, ...missing, ...(decoded.ok ? (node.check?.(given) ?? []) : decoded.issues)]
  if (!decoded.ok || issues.length > 0) throw new Misfit(issues)
  return decoded.config
}

async function callNode(node: ToolNode, given: JsonObject, context: WorkContext): Promise<StepResult> {
  const config = configOf(node, given)
  const { behaviour } = node
  const came = behaviour.is === 'pure' || behaviour.is === 'work' ? await behaviour.run(config, context) : null
  if (came === null || 'awaits' in came) throw new StepFailure('not_supported', `${node.type} waits, and cannot be called as a function`, { retry: false })
  const { output, push, usage } = came
  return { ...answeredCall(output), ...(push && { push }), ...(usage && { usage }) }
}

import type { Link } from '@sluice/schema'
import { z } from 'zod'
import type { Problem } from '../../../rpc/faults.ts'
import { type CoreOutput, type DialectRow, type Other, route, type Said } from '../../dialect.ts'
import { AddConnectionRequest, ApiError, Connection, ConnectionPath, ConnectionRequest, Message, PatchedConnectionRequest, WorkflowPath } from '../contract.ts'
import { connectionMissing, refused } from '../errors.ts'
import * as examples from '../examples.ts'
import { connectionOf, handleOf, linkNamed } from '../mapping/connections.ts'
import { said } from '../mapping/dicts.ts'
import { connectionRef, nodeIdOf, workflowRef } from '../mapping/ids.ts'

const tags = ['connections']

const ofWorkflow = { tags, params: WorkflowPath, faults: ['workflow_missing'], extension: true } as const
const ofConnection = { tags, params: ConnectionPath, faults: ['workflow_missing', 'link_missing'], extension: true } as const

type Path = z.output<typeof ConnectionPath>
type Edited = CoreOutput<'workflows.edit'>

const whole = ({ path }: { path: { workflow_id: string } }) => ({ workflow: workflowRef(path.workflow_id) })

const connect = (workflow: string, { source, target, sourceHandle }: Pick<Link, 'source' | 'target' | 'sourceHandle'>) => ({
  workflow: workflowRef(workflow),
  operations: [{ op: 'connect' as const, link: { source: nodeIdOf(source), target: nodeIdOf(target), sourceHandle }, ifSame: 'refuse' as const }],
})

/** The one that was drawn: where there was the same already, it was refused. */
const made = ({ draft, drawn }: Edited): Connection => connectionOf(draft.links.find((link) => link.id === drawn[0]!.id)!)

const selfLoop = ['Source node and target node cannot be the same.']

/** What keeps two nodes from being connected, as the source says it. */
function refusedEnds({ code, issues }: Problem): Other | undefined {
  if (code === 'node_missing') return refused(400, 'Source or target node not found')
  const isSelf = code === 'input_invalid' && issues.some(({ path }) => path?.at(-1) === 'target')
  return isSelf ? refused(400, `target_node: ${selfLoop[0]}`, { errors: { target_node: selfLoop }, details: { target_node: selfLoop }, target_node: selfLoop }) : undefined
}

const refusals = { 400: { description: 'There is no node at one of its ends, the same one at both, or there is such a connection already', schema: ApiError } }

const ends = ({ source_node, target_node, source_handle }: PatchedConnectionRequest) =>
  said({
    source: source_node === undefined ? undefined : nodeIdOf(source_node),
    target: target_node === undefined ? undefined : nodeIdOf(target_node),
    sourceHandle: source_handle === undefined ? undefined : handleOf(source_handle),
  })

const changing = {
  ...ofConnection,
  path: '/api/workflow/{workflow_id}/connections/{connection_id}/',
  reply: Connection,
  others: refusals,
  ask({ path, body }: Said<Path, unknown, PatchedConnectionRequest>) {
    const { workflow, linkId } = connectionRef(path)
    return { workflow, operations: [{ op: 'changeLink' as const, linkId, ...ends(body) }] }
  },
  answer: ({ draft }: Edited, _setting: unknown, { path }: { path: Path }) => connectionOf(linkNamed({ draft }, path.connection_id)!),
  onFault: refusedEnds,
} as const

const removing = {
  ...ofConnection,
  method: 'DELETE',
  ask({ path }: { path: Path }) {
    const { workflow, linkId } = connectionRef(path)
    return { workflow, operations: [{ op: 'disconnect' as const, linkId }] }
  },
} as const

/** Of the source: how edges are drawn. */
export const connectionRows: readonly DialectRow[] = [
  route('workflows.get', {
    ...ofWorkflow,
    name: 'listConnections',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/connections/',
    summary: 'List the connections of a workflow',
    reply: z.array(Connection),
    example: { path: examples.one, reply: [examples.connection] },
    ask: whole,
    answer: ({ draft }) => draft.links.map(connectionOf),
  }),

  route('workflows.edit', {
    ...ofWorkflow,
    name: 'createConnection',
    method: 'POST',
    path: '/api/workflow/{workflow_id}/connections/',
    summary: 'Connect two nodes',
    body: ConnectionRequest,
    reply: Connection,
    status: 201,
    others: refusals,
    example: { path: examples.one, body: { source_node: examples.connection.source_node, target_node: examples.connection.target_node }, reply: examples.connection },
    ask: ({ path, body }) => connect(path.workflow_id, { source: body.source_node, target: body.target_node, sourceHandle: handleOf(body.source_handle) }),
    answer: made,
    onFault: refusedEnds,
  }),

  route('workflows.edit', {
    ...ofWorkflow,
    name: 'addConnection',
    method: 'POST',
    path: '/api/workflow/{workflow_id}/connections/add/',
    summary: 'Connect two nodes, as a canvas says it',
    body: AddConnectionRequest,
    reply: Connection,
    status: 201,
    others: refusals,
    example: { path: examples.one, body: { source: examples.connection.source_node, target: examples.connection.target_node }, reply: examples.connection },
    ask: ({ path, body }) => connect(path.workflow_id, { source: body.source, target: body.target, sourceHandle: handleOf(body.sourceHandle) }),
    answer: made,
    onFault: refusedEnds,
  }),

  route('workflows.get', {
    ...ofConnection,
    name: 'getConnection',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/connections/{connection_id}/',
    summary: 'Get a connection',
    reply: Connection,
    example: { path: examples.oneConnection, reply: examples.connection },
    ask: whole,
    answer(workflow, _setting, { path }) {
      const link = linkNamed(workflow, path.connection_id)
      return link ? connectionOf(link) : connectionMissing()
    },
  }),
  route('workflows.edit', {
    ...changing,
    name: 'updateConnection',
    method: 'PUT',
    summary: 'Change a connection, both its ends at least',
    body: ConnectionRequest,
    example: { path: examples.oneConnection, body: { source_node: examples.connection.source_node, target_node: examples.connection.target_node }, reply: examples.connection },
  }),
  route('workflows.edit', {
    ...changing,
    name: 'patchConnection',
    method: 'PATCH',
    summary: 'Change what is said of a connection',
    body: PatchedConnectionRequest,
    example: { path: examples.oneConnection, body: { source_handle: 'yes' }, reply: { ...examples.connection, source_handle: 'yes' } },
  }),

  route('workflows.edit', {
    ...removing,
    name: 'deleteConnection',
    path: '/api/workflow/{workflow_id}/connections/{connection_id}/',
    summary: 'Delete a connection',
    reply: z.void(),
    status: 204,
    example: { path: examples.oneConnection },
    answer: () => undefined,
  }),
  route('workflows.edit', {
    ...removing,
    name: 'removeConnection',
    path: '/api/workflow/{workflow_id}/connections/{connection_id}/remove/',
    summary: 'Remove a connection',
    reply: Message,
    example: { path: examples.oneConnection, reply: { message: 'Connection removed successfully' } },
    answer: () => ({ message: 'Connection removed successfully' }),
  }),
]

import type { NodeFile as CoreNodeFile } from '@sluice/schema'
import { z } from 'zod'
import { type DialectRow, route, type Setting } from '../../dialect.ts'
import { NodeFile, NodeFilePath, NodeFileRequest, NodePath, PatchedNodeFileRequest } from '../contract.ts'
import * as examples from '../examples.ts'
import { idOr, nodeRef } from '../mapping/ids.ts'
import { zulu } from '../mapping/times.ts'

const tags = ['files']

const ofNode = { tags, params: NodePath, faults: ['workflow_missing', 'node_missing'], extension: true } as const
const ofFile = { tags, params: NodeFilePath, faults: ['workflow_missing', 'node_missing', 'file_missing'], extension: true } as const

/** Its bytes are where all files have theirs. */
const fileOf = ({ id, nodeId, key, file, created, updated }: CoreNodeFile, { baseUrl }: Pick<Setting, 'baseUrl'>): NodeFile => ({
  id,
  node: nodeId,
  key,
  file: `${baseUrl}/v1/files/${file.id}/content`,
  created_at: zulu(created),
  updated_at: zulu(updated),
})

const file = ({ path }: { path: z.output<typeof NodeFilePath> }) => ({ ...nodeRef(path), id: idOr('file_missing', path.file_id) })

const changing = {
  ...ofFile,
  path: '/api/workflow/{workflow_id}/nodes/{node_id}/files/{file_id}/update-file/',
  takes: 'multipart/form-data',
  reply: NodeFile,
  answer: fileOf,
} as const

/** As many as a list has. */
const whole = 100

/** Of the source: what a node has under keys of its own. */
export const fileRows: readonly DialectRow[] = [
  route('nodeFiles.list', {
    ...ofNode,
    name: 'listNodeFiles',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/files/',
    summary: 'List the files of a node, newest first',
    description: `The newest ${whole}.`,
    reply: z.array(NodeFile),
    example: { path: examples.oneNode, reply: [examples.nodeFile] },
    ask: ({ path }) => ({ ...nodeRef(path), limit: whole }),
    answer: ({ items }, setting) => items.map((item) => fileOf(item, setting)),
  }),

  route('nodeFiles.add', {
    ...ofNode,
    name: 'uploadNodeFile',
    method: 'POST',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/files/upload/',
    summary: 'Give a node a file under a key',
    description: 'A form with a field `key` and a field `file`, which has at most 32 MiB.',
    takes: 'multipart/form-data',
    body: NodeFileRequest,
    reply: NodeFile,
    status: 201,
    faults: [...ofNode.faults, 'key_taken', 'file_too_large', 'files_full'],
    example: { path: examples.oneNode, reply: examples.nodeFile },
    ask: ({ path, body }) => ({ ...nodeRef(path), key: body.key, file: body.file }),
    answer: fileOf,
  }),

  route('nodeFiles.get', {
    ...ofFile,
    name: 'getNodeFile',
    method: 'GET',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/files/{file_id}/',
    summary: 'Get what is known of a file',
    reply: NodeFile,
    example: { path: examples.oneNodeFile, reply: examples.nodeFile },
    ask: file,
    answer: fileOf,
  }),

  route('nodeFiles.delete', {
    ...ofFile,
    name: 'deleteNodeFile',
    method: 'DELETE',
    path: '/api/workflow/{workflow_id}/nodes/{node_id}/files/{file_id}/',
    summary: 'Delete a file of a node',
    reply: z.void(),
    status: 204,
    example: { path: examples.oneNodeFile },
    ask: file,
    answer: () => undefined,
  }),

  route('nodeFiles.change', {
    ...changing,
    name: 'updateNodeFile',
    method: 'PUT',
    summary: 'Put another file in the place of one',
    body: PatchedNodeFileRequest,
    faults: [...ofFile.faults, 'key_taken', 'file_too_large', 'files_full'],
    example: { path: examples.oneNodeFile, reply: examples.nodeFile },
    ask: ({ path, body }) => ({ ...file({ path }), key: body.key, file: body.file }),
  }),
  route('nodeFiles.change', {
    ...changing,
    name: 'patchNodeFile',
    method: 'PATCH',
    summary: 'Put another file in the place of one',
    body: PatchedNodeFileRequest,
    faults: [...ofFile.faults, 'key_taken', 'file_too_large', 'files_full'],
    example: { path: examples.oneNodeFile, reply: examples.nodeFile },
    ask: ({ path, body }) => ({ ...file({ path }), key: body.key, file: body.file }),
  }),
]

import { Fault } from '@sluice/schema'
import { z } from 'zod'
import { type DialectRow, type Other, route } from '../../dialect.ts'
import {
  ApiError,
  ExecuteNodeTypeRequest,
  ExecuteNodeTypeResponse,
  FieldOptionsRequest,
  FieldOptionsResponse,
  Message,
  NodeCount,
  NodeFolder,
  NodeFormResponse,
  NodeMeta,
  NodeTypePath,
  ResetSessionRequest,
  ResetSessionResponse,
} from '../contract.ts'
import { executionTimeout, nodeTypeMissing, refused } from '../errors.ts'
import * as examples from '../examples.ts'
import { formToFill, metasOf, treeOf } from '../mapping/node-types.ts'
import { executedType, hasTimedOut, secondsOf, typeTrialOf, unfitForm, whyFailed } from '../mapping/trial.ts'
import { typeFor } from '../nodes.ts'
import type { Problem } from '../../../rpc/faults.ts'

const tags = ['node types']
const extension = true

const all = { tags, extension, ask: () => ({ dialect: 'orchestrator' as const }) } as const
const ofOne = { tags, extension, params: NodeTypePath, faults: ['node_type_missing'] } as const

type Path = z.output<typeof NodeTypePath>

const one = ({ path }: { path: Path }) => ({ type: typeOf(path), dialect: 'orchestrator' as const })

/** A name that is longer than any of ours is that of nothing. */
function typeOf({ identifier }: Path): string {
  const type = typeFor(identifier)
  if (type.length > 100) throw new Fault('node_type_missing')
  return type
}

const missing = ({ code }: Problem, { identifier }: Path): Other | undefined => (code === 'node_type_missing' ? nodeTypeMissing(identifier) : undefined)

/** Of the source: what nodes there are, their forms, and to try one that stands in no workflow. */
export const nodeTypeRows: readonly DialectRow[] = [
  route('nodeTypes.list', {
    ...all,
    name: 'getNodeTree',
    method: 'GET',
    path: '/api/nodes/',
    summary: 'List node types by their folders',
    reply: z.record(z.string(), NodeFolder),
    example: { reply: examples.nodeTree },
    answer: ({ items }) => treeOf(metasOf(items)),
  }),
  route('nodeTypes.list', {
    ...all,
    name: 'listNodeTypes',
    method: 'GET',
    path: '/api/nodes/flat/',
    summary: 'List node types',
    reply: z.array(NodeMeta),
    example: { reply: [examples.nodeMeta] },
    answer: ({ items }) => metasOf(items),
  }),
  route('nodeTypes.list', {
    ...all,
    name: 'countNodeTypes',
    method: 'GET',
    path: '/api/nodes/count/',
    summary: 'Count node types',
    reply: NodeCount,
    example: { reply: { count: 21 } },
    answer: ({ items }) => ({ count: metasOf(items).length }),
  }),
  route('nodeTypes.list', {
    ...all,
    name: 'refreshNodeTypes',
    method: 'POST',
    path: '/api/nodes/refresh/',
    summary: 'Read node types anew',
    description: 'There is nothing to be read anew: what a server has, it tells.',
    reply: Message,
    example: { reply: { message: 'Node cache refreshed successfully' } },
    answer: () => ({ message: 'Node cache refreshed successfully' }),
  }),

  route('nodeTypes.get', {
    ...ofOne,
    name: 'getNodeType',
    method: 'GET',
    path: '/api/nodes/{identifier}/',
    summary: 'Get a node type',
    reply: NodeMeta,
    example: { path: examples.oneNodeType, reply: examples.nodeMeta },
    ask: one,
    answer: (type, _setting, { path }) => metasOf([type])[0] ?? nodeTypeMissing(path.identifier),
    onFault: (problem, _setting, { path }) => missing(problem, path),
  }),
  route('nodeTypes.get', {
    ...ofOne,
    name: 'getNodeForm',
    method: 'GET',
    path: '/api/nodes/{identifier}/form/',
    summary: 'Get the form of a node type, as a new node has it',
    reply: NodeFormResponse,
    example: { path: examples.oneNodeType, reply: examples.nodeForm },
    ask: one,
    answer(type, _setting, { path }) {
      const [meta] = metasOf([type])
      return meta ? formToFill(meta) : nodeTypeMissing(path.identifier)
    },
    onFault: (problem, _setting, { path }) => missing(problem, path),
  }),

  route('nodeTypes.try', {
    ...ofOne,
    name: 'executeNodeType',
    method: 'POST',
    path: '/api/nodes/{identifier}/execute/',
    summary: 'Execute a node that stands in no workflow',
    description:
      'Nothing of it is kept, but under a `session_id` where a producer stands, for half an hour. `timeout` is in seconds; 0 and null are as long as there may be, five minutes.',
    body: ExecuteNodeTypeRequest,
    reply: ExecuteNodeTypeResponse,
    others: {
      400: { description: 'The values of its form do not fit, or the node failed', schema: ApiError },
      408: { description: 'It took longer than `timeout`', schema: ApiError },
    },
    example: { path: examples.oneNodeType, body: examples.executedType, reply: examples.executedNodeType },
    ask: ({ path, body }) => typeTrialOf(typeOf(path), body),
    answer(trial, _setting, { path, body }) {
      if (hasTimedOut(trial)) return executionTimeout(secondsOf(body.timeout))
      return trial.status === 'completed' ? executedType(trial, body) : refused(400, whyFailed(trial), { error_type: 'ExecutionError', identifier: path.identifier })
    },
    onFault(problem, _setting, { path, body }) {
      if (problem.code !== 'definition_invalid') return missing(problem, path)
      const { error, more } = unfitForm(problem, body.form_data ?? {})
      return refused(400, error, { ...more, details: { [path.identifier]: more.errors ?? {} } })
    },
  }),

  route('nodeTypes.forget', {
    ...ofOne,
    name: 'resetNodeSession',
    method: 'POST',
    path: '/api/nodes/{identifier}/reset-session/',
    summary: 'Forget where a producer stands under a session',
    body: ResetSessionRequest,
    reply: ResetSessionResponse,
    others: { 400: { description: 'There is no `session_id`', schema: ApiError } },
    example: {
      path: examples.oneNodeType,
      body: { session_id: examples.executedType.session_id },
      reply: { success: true, session_id: examples.executedType.session_id, cleared: true },
    },
    ask({ path, body }) {
      if (!body.session_id) throw new Fault('input_invalid')
      return { type: typeOf(path), session: body.session_id }
    },
    answer: ({ cleared }, _setting, { body }) => ({ success: true as const, session_id: body.session_id!, cleared }),
    onFault: (problem, _setting, { path, body }) => (body.session_id ? missing(problem, path) : refused(400, 'session_id is required')),
  }),

  route('nodeTypes.options', {
    ...ofOne,
    name: 'getFieldOptions',
    method: 'POST',
    path: '/api/nodes/{identifier}/field-options/',
    summary: 'Get what a field can be, given what another one is',
    body: FieldOptionsRequest,
    reply: FieldOptionsResponse,
    others: { 400: { description: 'A field is not named, or there is no such field', schema: ApiError } },
    example: { path: examples.oneNodeType, body: { parent_field: 'method', parent_value: 'GET', dependent_field: 'auth_type' }, reply: examples.fieldOptions },
    ask({ path, body: { parent_field, parent_value = null, dependent_field, form_values } }) {
      if (!parent_field || !dependent_field) throw new Fault('input_invalid')
      return { ...one({ path }), field: dependent_field, values: { ...form_values, [parent_field]: parent_value } }
    },
    answer: (options, _setting, { body }) => ({ field: body.dependent_field!, options }),
    onFault: (problem, _setting, { path, body }) =>
      body.parent_field && body.dependent_field ? missing(problem, path) : refused(400, 'parent_field and dependent_field are required'),
  }),
]

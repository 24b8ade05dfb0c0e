import type { JsonObject } from '@sluice/schema'
import { expect, test } from 'vitest'
import { node, wireOf } from './graphs.ts'
import { pyspurServer } from './server.ts'

interface Offered {
  name: string
  config: { properties: Record<string, JsonObject> }
}

test('editors are told of all node types by heading, and a new node made of the defaults can be kept', async () => {
  await using spur = await pyspurServer()
  const { status, body } = await spur.api.call('GET', '/node/supported_types/')
  expect(status).toBe(200)
  const groups = body as Record<string, Offered[]>
  expect(Object.fromEntries(Object.entries(groups).map(([category, types]) => [category, types.map(({ name }) => name)]))).toEqual({
    'Input/Output': ['InputNode', 'OutputNode'],
    AI: ['SingleLLMCallNode'],
    'Code Execution': ['PythonFuncNode'],
    Logic: ['RouterNode', 'HumanInterventionNode', 'CoalesceNode', 'MergeNode', 'StaticValueNode'],
    Experimental: ['ForLoopNode'],
  })
  const types = Object.values(groups).flat()
  const defaults = ({ config }: Offered): JsonObject =>
    Object.fromEntries(Object.entries(config.properties).flatMap(([key, { default: value }]) => (value === undefined ? [] : [[key, value]])))
  expect(defaults(types.find(({ name }) => name === 'HumanInterventionNode')!)).toMatchObject({ message: 'Human intervention required', block_only_dependent_nodes: true })

  const nodes = types.map((type) => node(type.name, type.name, defaults(type)))
  const made = await spur.call('POST', '/wf/', { name: 'One of each', definition: wireOf({ nodes, links: [] }) })
  expect(made.status).toBe(200)
  // Each config is as its type would have it: a loop has nothing in it yet, and Python is refused whatever it says.
  const refused = await spur.call('POST', `/wf/${made.body.id}/start_run/`, { initial_inputs: { InputNode: {} } })
  expect(refused).toMatchObject({ status: 422 })
  expect(refused.body.detail.map(({ loc }: { loc: string[] }) => loc.slice(3).join('.')).toSorted()).toEqual(['ForLoopNode.node_type', 'PythonFuncNode.node_type'])
  expect((await spur.call('GET', '/node/supported_types/', undefined, { as: '' })).status).toBe(401)
})

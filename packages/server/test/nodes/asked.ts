import type { Json, JsonObject } from '@sluice/schema'
import { Schema } from 'effect'
import { StepFailure } from '../../src/nodes/contract.ts'
import type { AnyNode, StepContext, StepResult, WorkContext } from '../../src/nodes/contract.ts'

/** Asks a node as the engine would, with a config that has been read already. */
export const now = new Date('2026-01-31T12:00:00.000Z')

export const context = (more: Partial<WorkContext> = {}): WorkContext => ({
  workspaceId: 'workspace',
  runId: 'run',
  workflowId: 'workflow',
  nodeId: 'node',
  iteration: '',
  key: 'run/node/',
  attempt: 1,
  pass: 0,
  input: {},
  given: null,
  traceparent: null,
  now,
  signal: new AbortController().signal,
  abilities: {
    secret: async () => 'sk-secret-value',
    log: () => {},
    say: () => {},
    writeFile: async ({ key, text }) => ({ id: 'file', key, bytes: text.length }),
    tools: async () => [],
    documents: async () => [],
    callTool: async ({ name }) => {
      throw new StepFailure('tool_missing', name, { retry: false })
    },
  },
  ...more,
})

export const decode = (node: AnyNode, config: unknown): unknown => Schema.decodeUnknownSync(node.config, { errors: 'all', onExcessProperty: 'error' })(config)

export async function run(node: AnyNode, config: JsonObject = {}, more: Partial<WorkContext> = {}): Promise<StepResult> {
  if (node.behaviour.is !== 'pure' && node.behaviour.is !== 'work') throw new Error(`${node.type} does not run`)
  const came = await node.behaviour.run(decode(node, config), context(more))
  if ('awaits' in came) throw new Error(`${node.type} waits for a report`)
  return came
}

export function wait(node: AnyNode, config: JsonObject = {}, more: Partial<StepContext> = {}) {
  if (node.behaviour.is !== 'wait') throw new Error(`${node.type} does not wait`)
  return node.behaviour.wait(decode(node, config), context(more))
}

export const output = async (node: AnyNode, config: JsonObject = {}, input: JsonObject = {}): Promise<Json> => (await run(node, config, { input })).output

/** The failure a node ended with. */
export async function failure(work: () => unknown): Promise<StepFailure> {
  try {
    await work()
  } catch (error) {
    if (error instanceof StepFailure) return error
    throw error
  }
  throw new Error('it did not fail')
}

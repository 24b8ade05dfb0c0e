import { Fault } from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'
import type { Database } from '../store/database.ts'
import { readRun } from '../store/rows/runs.ts'
import { outputsOf, stepsOf } from '../store/rows/steps.ts'
import { upstreamOf } from '../workflows/graph.ts'
import type { Plans } from '../workflows/plans.ts'
import type { Actor, ForkRun } from './engine.ts'
import { type Seed, seedOf } from './seeds.ts'
import { type Starter, inputIssues } from './start.ts'
import { own } from './trial-part.ts'

interface ForkParts {
  database: Database
  catalogue: Catalogue
  plans: Plans
  starter: Starter
}

/** A new run of the same version that starts again from a step; the source is read, never altered. */
export async function forkRun(parts: ForkParts, actor: Actor, input: ForkRun): Promise<string> {
  const { database } = parts
  const source = await readRun(database, input.id)
  if (!source || source.workspace_id !== actor.workspaceId) throw new Fault('run_missing')
  const { graph } = await parts.plans.of(database, source)
  const from = [...graph.nodes.values()].find((node) => node.id === input.step || node.name === input.step)
  if (!from || from.parent) throw new Fault('step_missing', from ? { message: 'A fork starts at a step outside of bodies' } : {})
  const issues = input.input === undefined ? [] : inputIssues(graph.definition, parts.catalogue, input.input)
  if (issues.length > 0) throw new Fault('input_invalid', { issues })
  for (const id of Object.keys(input.outputs ?? {})) if (!graph.nodes.has(id)) throw new Fault('node_missing', { message: `There is no node ${id}` })
  const steps = (await stepsOf(database, [source.id])).filter((step) => step.iteration === '')
  const texts = new Map(
    (
      await outputsOf(
        database,
        source.id,
        steps.map((step) => step.node_id),
        steps.map(() => ''),
      )
    ).map((row) => [row.node_id, row.output]),
  )
  const again = new Set([from, ...graph.top.filter((node) => upstreamOf(node).includes(from))])
  const seeds: Seed[] = []
  for (const node of graph.top) {
    const given = own(input.outputs ?? {}, node.id)
    const step = steps.find((each) => each.node_id === node.id)
    if (given !== undefined) seeds.push(seedOf(node.id, given, step?.state === 'completed' ? (step.route ?? ['default']) : ['default', ...node.alsoDefault]))
    else if (!again.has(node) && step && ['completed', 'skipped', 'failed'].includes(step.state) && !(step.state === 'failed' && !step.route?.length)) {
      // An input node reads the new input, when one is given.
      if (input.input !== undefined && node.entry && node.is === 'input') continue
      seeds.push({ nodeId: node.id, state: step.state, output: texts.get(node.id) ?? null, bytes: step.output_bytes, route: step.route ?? [], skipReason: step.skip_reason })
    }
  }
  return parts.starter.startSeeded(
    {
      workspaceId: source.workspace_id,
      workflowId: source.workflow_id,
      version: source.version,
      trial: source.trial,
      input: input.input === undefined ? (source.input ?? 'null') : JSON.stringify(input.input),
      keyedInput: input.input === undefined && source.keyed_input,
      transactionId: null,
      lane: null,
      parentRunId: null,
      parentStep: null,
      rootRunId: null,
      depth: 0,
      trigger: 'fork',
      tags: source.tags,
      startedBy: actor.userId,
      traceparent: actor.traceparent ?? null,
      deadlineAt: null,
    },
    seeds,
  )
}

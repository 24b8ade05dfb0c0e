import { type Definition, Fault, type Json, type JsonObject, type Node, limits, stepNames } from '@sluice/schema'
import type { Catalogue } from '../nodes/contract.ts'
import type { Database } from '../store/database.ts'
import { readRun } from '../store/rows/runs.ts'
import { outputsOf, stepsOf } from '../store/rows/steps.ts'
import { type GraphNode, upstreamOf } from '../workflows/graph.ts'
import { inputNodesOf } from '../workflows/input-nodes.ts'
import type { Plans } from '../workflows/plans.ts'
import { validate } from '../workflows/validate.ts'
import type { Workflows } from '../workflows/workflows.ts'
import type { Actor, ForkRun, Trial, TryNode } from './engine.ts'
import { payloadOf } from './payload.ts'
import { type Given, type Seed, type Starter, givenInput, inputIssues } from './start.ts'
import type { WaitFor } from './waiting.ts'

interface TrialParts {
  database: Database
  catalogue: Catalogue
  plans: Plans
  workflows: Workflows
  starter: Starter
  waitFor: WaitFor
}

const seedOf = (nodeId: string, output: Json, route: string[]): Seed => {
  const payload = payloadOf(output)
  return { nodeId, state: 'completed', output: payload.text, bytes: payload.bytes, route, skipReason: null }
}

/** A key of a stranger's object; `constructor` is none unless it was given. */
const own = (object: JsonObject, key: string): Json | undefined => (Object.hasOwn(object, key) ? object[key] : undefined)

// ── trials ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Runs one node of a draft with what it needs, apart from all other runs, and answers when it has ended. */
export async function tryNode(parts: TrialParts, actor: Actor, input: TryNode): Promise<Trial> {
  const { database, plans, workflows } = parts
  const workflow = await workflows.get(actor, { workflow: input.workflow })
  const definition = withConfig(workflow.draft, input)
  const { graph } = await plans.of(database, { workflow_id: workflow.id, version: 0, trial: { definition } })
  const target = graph.nodes.get(input.nodeId)
  if (!target) throw new Fault('node_missing')
  const { nodes, seeds } = partOf(target, input)
  refuse(parts.catalogue, nodes, seeds)
  const part = definitionOf(definition, [...nodes, ...seeds.map((seed) => graph.nodes.get(seed.nodeId)!)])
  const ids = new Set(nodes.map((node) => node.id))
  // Against the whole draft: what stands before the part may be named in it, and reads as missing.
  const issues = validate(definition, parts.catalogue).filter((issue) => issue.nodeId !== null && ids.has(issue.nodeId))
  if (issues.length > 0)
    throw new Fault('definition_invalid', { issues: issues.map((issue) => ({ nodeId: issue.nodeId ?? '', field: issue.field ?? '', message: issue.message })) })
  const given = inputOf(parts.catalogue, definition, nodes, input)
  const timeoutMs = Math.min(input.timeoutMs ?? limits.trialMs, limits.trialMs)
  const startedAt = Date.now()
  const runId = await parts.starter.startSeeded(
    {
      workspaceId: actor.workspaceId,
      workflowId: workflow.id,
      version: 0,
      trial: { definition: part, nodeId: target.id },
      input: given.payload.text,
      keyedInput: given.keyedInput,
      transactionId: null,
      lane: null,
      parentRunId: null,
      parentStep: null,
      rootRunId: null,
      depth: 0,
      trigger: 'trial',
      tags: [],
      startedBy: actor.userId,
      traceparent: actor.traceparent ?? null,
      deadlineAt: new Date(startedAt + timeoutMs),
    },
    seeds,
  )
  await parts.waitFor(runId, 'finished', timeoutMs + 5_000)
  const trial = await outcomeOf(database, runId, target, input.input ?? {}, Date.now() - startedAt)
  if (input.save) await save(parts, actor, workflow.id, input, trial)
  return trial
}

/** What the input nodes are given that are run, by their ids; values of other input nodes are passed over. */
function inputOf(catalogue: Catalogue, definition: Definition, nodes: readonly GraphNode[], { workflow, input, inputs, otherInputs }: TryNode): Given {
  if (inputs === undefined) return { payload: payloadOf(input ?? null), keyedInput: false }
  const names = stepNames(definition)
  const named = (of: Definition) => inputNodesOf(of, catalogue).flatMap(({ id }) => [[names.get(id)!, id] as const, [id, id] as const])
  const part = definitionOf(definition, nodes)
  const run = new Map(named(part))
  const known = new Map(named(definition))
  const own = Object.entries(inputs).flatMap(([key, value]) => (run.has(key) || !known.has(key) ? [[run.get(key) ?? key, value]] : []))
  return givenInput(part, catalogue, { workflow, inputs: Object.fromEntries(own) as JsonObject, otherInputs })
}

function withConfig(definition: Definition, input: TryNode): Definition {
  if (input.config === undefined) return definition
  return { ...definition, nodes: definition.nodes.map((node) => (node.id === input.nodeId ? { ...node, config: input.config } : node)) }
}

/** The nodes to run, and the results that stand in for the others. */
function partOf(target: GraphNode, input: TryNode): { nodes: GraphNode[]; seeds: Seed[] } {
  if (input.input !== undefined) {
    const given = input.input
    const sources = [...new Set(target.incoming.map((link) => link.source))]
    return { nodes: [target, ...bodyOf(target)], seeds: sources.map((source) => seedOf(source.id, own(given, source.name) ?? own(given, source.id) ?? null, everyWay(source))) }
  }
  const outputs = input.outputs ?? {}
  const seeds: Seed[] = []
  const nodes = new Set([target])
  const queue = [target]
  for (let next = 0; next < queue.length; next++)
    for (const { source } of queue[next]!.incoming) {
      if (nodes.has(source) || seeds.some((seed) => seed.nodeId === source.id)) continue
      if (Object.hasOwn(outputs, source.id)) seeds.push(seedOf(source.id, outputs[source.id]!, everyWay(source)))
      else {
        nodes.add(source)
        queue.push(source)
      }
    }
  return { nodes: [...nodes].flatMap((node) => [node, ...bodyOf(node)]), seeds }
}

/** What stands in for a node leads to whatever is to be tried behind it. */
const everyWay = (node: GraphNode): string[] => [...new Set(['default', ...node.outgoing.map((link) => link.handle), ...node.alsoDefault])]

const bodyOf = (node: GraphNode): GraphNode[] => node.body.flatMap((inner) => [inner, ...bodyOf(inner)])

function refuse(catalogue: Catalogue, nodes: readonly GraphNode[], seeds: readonly Seed[]): void {
  const seeded = new Set(seeds.map((seed) => seed.nodeId))
  const waiting = nodes.filter((node) => !seeded.has(node.id) && catalogue.get(node.type)?.behaviour.is === 'wait' && node.is === 'human')
  if (waiting.length > 0) throw new Fault('trial_refused', { message: `${waiting[0]!.name} would open a pause`, details: { nodes: waiting.map((node) => node.id) } })
}

/** The part as a definition of its own. What a body was, stays one; a part of a body stands at the top. */
function definitionOf(definition: Definition, nodes: readonly GraphNode[]): Definition {
  const ids = new Set(nodes.map((node) => node.id))
  const part: Node[] = definition.nodes.filter((node) => ids.has(node.id)).map((node) => (node.parentId && !ids.has(node.parentId) ? { ...node, parentId: null } : node))
  return { kind: definition.kind, nodes: part, links: definition.links.filter((link) => ids.has(link.source) && ids.has(link.target)), settings: { onFailure: 'stop' } }
}

async function outcomeOf(database: Database, runId: string, target: GraphNode, input: Json, durationMs: number): Promise<Trial> {
  const run = (await readRun(database, runId))!
  const steps = await stepsOf(database, [runId])
  const rows = await outputsOf(
    database,
    runId,
    steps.map((step) => step.node_id),
    steps.map((step) => step.iteration),
  )
  const outputs: JsonObject = Object.fromEntries(rows.flatMap((row) => (row.iteration === '' ? [[row.node_id, JSON.parse(row.output) as Json] as const] : [])))
  const outputOf = ({ id }: GraphNode): Json => (Object.hasOwn(outputs, id) ? outputs[id]! : null)
  const step = steps.find((each) => each.node_id === target.id && each.iteration === '')
  const reason = run.reason as { code: string; message: string } | null
  return {
    runId,
    status: run.status === 'completed' ? 'completed' : run.status === 'cancelled' ? 'cancelled' : 'failed',
    nodeId: target.id,
    input: Object.keys(input as JsonObject).length > 0 ? input : Object.fromEntries(target.incoming.map(({ source }) => [source.name, outputOf(source)])),
    output: outputOf(target),
    error: (step?.error as Trial['error']) ?? reason,
    outputs,
    durationMs,
  }
}

async function save(parts: TrialParts, actor: Actor, workflow: string, input: TryNode, trial: Trial): Promise<void> {
  const sample = { input: trial.input, output: trial.output, error: trial.error }
  await parts.database.transaction((tx) => parts.workflows.keepTrial(tx, actor, { workflow, nodeId: input.nodeId, ...(input.config && { config: input.config }), sample }))
}

// ── forks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A new run of the same version that starts again from a step; the source is read, never altered. */
export async function forkRun(parts: TrialParts, actor: Actor, input: ForkRun): Promise<string> {
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

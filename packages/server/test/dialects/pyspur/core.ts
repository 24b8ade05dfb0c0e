import type { Decision, Json, JsonObject, ListedRun, MessageLine, Pause, RunNode, Session } from '@sluice/schema'
import { PauseStatus, reasonCodes, RunStatus, SkipReason, StepState, WaitingKind } from '@sluice/schema'
import fc from 'fast-check'
import { aDefinition } from '../../workflows/definitions.ts'

/** Values of the core as it may give them, whatever face they came in by: more than any server will ever store. */

const id = fc.stringMatching(/^[a-z0-9]{15}$/)
const instant = fc.date({ min: new Date('2001-01-01T00:00:00.000Z'), max: new Date('2099-12-31T23:59:59.999Z'), noInvalidDate: true }).map((date) => date.toISOString())
const text = fc.constantFrom('', 'a', 'Title of it', 'constructor', '__proto__', 'Ω')
const value = fc.oneof<fc.Arbitrary<Json>[]>(
  fc.constantFrom(null, 0, '', 'text', true, [], {}, { truncated: 20_000 }, { truncated: 'text' }, { in: { text: 'Hello' } }),
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
)
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null })
const error = fc.record({ code: fc.constantFrom('timed_out', 'http_503'), message: text })
const state = fc.constantFrom(...StepState.options)

const aNode = (nodeId: string, type: string, step: string): fc.Arbitrary<RunNode> =>
  fc.record(
    {
      nodeId: fc.constant(nodeId),
      step: fc.constant(step),
      type: fc.constant(type),
      state: orNull(state),
      counts: fc.constant({}),
      latest: fc.constant({}),
      route: orNull(fc.array(text)),
      startedAt: orNull(instant),
      endedAt: orNull(instant),
      input: value,
      output: value,
      error: orNull(error),
      skipReason: orNull(fc.constantFrom(...SkipReason.options)),
      iterations: fc.array(fc.record({ iteration: fc.constantFrom('0', '1.0'), state, output: value }), { maxLength: 3 }),
    },
    { requiredKeys: ['nodeId', 'step', 'type', 'state', 'counts', 'latest', 'route', 'startedAt', 'endedAt', 'input', 'output', 'error', 'skipReason'] },
  )

const decision: fc.Arbitrary<Decision> = fc.record({
  action: fc.constantFrom('approve' as const, 'decline' as const, 'override' as const),
  by: fc.record({ id, label: orNull(text) }),
  at: instant,
  inputs: fc.constantFrom<JsonObject | null>(null, {}, { a: 1 }),
  comments: orNull(text),
})

export const aPause = (nodeIds: readonly string[] = ['in', 'ask']): fc.Arbitrary<Pause> =>
  fc.record({
    id,
    runId: id,
    workflowId: id,
    nodeId: fc.constantFrom(...nodeIds),
    step: text,
    iteration: fc.constantFrom('', '0'),
    kind: fc.constantFrom('approval' as const, 'question' as const),
    status: fc.constantFrom(...PauseStatus.options),
    message: text,
    form: fc.constantFrom(null, {}),
    input: value,
    assignee: orNull(text),
    openedAt: instant,
    dueAt: orNull(instant),
    decision: orNull(decision),
  })

/** Of a definition, or, as a trial, of none that is told. */
export const aRun: fc.Arbitrary<ListedRun> = aDefinition.chain((definition) => {
  const ids = definition.nodes.map((node) => node.id)
  return fc.record(
    {
      id,
      workflowId: id,
      workflow: text,
      version: fc.integer({ min: 0, max: 9 }),
      status: fc.constantFrom(...RunStatus.options),
      waitingKind: orNull(fc.constantFrom(...WaitingKind.options)),
      progress: fc.double({ min: 0, max: 100, noNaN: true }),
      reason: orNull(fc.record({ code: fc.constantFrom(...reasonCodes), message: text })),
      transactionId: orNull(text),
      lane: orNull(text),
      parentRunId: orNull(id),
      sessionId: orNull(id),
      trigger: text,
      tags: fc.array(text, { maxLength: 2 }),
      created: instant,
      startedAt: orNull(instant),
      endedAt: orNull(instant),
      updated: instant,
      input: value,
      output: value,
      waitingOn: fc.constant([]),
      nodes: fc.tuple(...definition.nodes.map((node) => aNode(node.id, node.type, node.title || node.id))),
      pauses: fc.constant([]),
      pinned: orNull(
        fc.record({ workflowId: id, number: fc.integer({ min: 1, max: 9 }), hash: text, name: text, description: text, definition: fc.constant(definition), created: instant }),
      ),
      openPauses: ids.length === 0 ? fc.constant([]) : fc.array(aPause(ids), { maxLength: 3 }),
    },
    {
      requiredKeys: [
        ...([
          'id',
          'workflowId',
          'workflow',
          'version',
          'status',
          'waitingKind',
          'progress',
          'reason',
          'transactionId',
          'lane',
          'parentRunId',
          'sessionId',
          'trigger',
          'tags',
        ] as const),
        ...(['created', 'startedAt', 'endedAt', 'updated'] as const),
      ],
    },
  )
})

const aMessage: fc.Arbitrary<MessageLine> = fc.record({
  kind: fc.constant('message' as const),
  id,
  sessionId: id,
  number: fc.integer({ min: 1, max: 9 }),
  at: instant.map((at) => at.replace('Z', '017Z')),
  runId: orNull(id),
  role: fc.constantFrom('user' as const, 'assistant' as const, 'system' as const),
  text,
  metadata: fc.constant({}),
  files: fc.constant([]),
})

export const aSession: fc.Arbitrary<Session> = fc.record(
  {
    id,
    title: text,
    description: orNull(text),
    tags: fc.constant([]),
    metadata: fc.constant({}),
    tools: fc.constant(null),
    mode: orNull(text),
    user: id,
    subject: fc.oneof<fc.Arbitrary<Json>[]>(value, fc.record({ user_id: value }) as fc.Arbitrary<Json>),
    workflowId: orNull(id),
    status: fc.constantFrom('idle' as const, 'running' as const),
    currentStepId: orNull(text),
    steps: fc.constant([]),
    progress: fc.constant(0),
    context: value,
    stoppedAt: orNull(instant),
    externalId: orNull(text),
    messages: fc.array(aMessage, { maxLength: 3 }),
    created: instant,
    updated: instant,
  },
  {
    requiredKeys: [
      'tools',
      ...(['id', 'title', 'description', 'tags', 'metadata', 'mode', 'user', 'subject', 'workflowId', 'status', 'currentStepId', 'steps', 'progress', 'context'] as const),
      ...(['stoppedAt', 'externalId', 'created', 'updated'] as const),
    ],
  },
)

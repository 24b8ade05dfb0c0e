import type { Definition } from '@sluice/schema'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { silence, type Voices } from '../../src/events/tokens.ts'
import type { WorkerParts } from '../../src/engine/holder.ts'
import { freshState, headOfNew } from '../../src/engine/load.ts'
import { type Worker, createWorker } from '../../src/engine/worker.ts'
import { type AnyNode, defineNode } from '../../src/nodes/contract.ts'
import { output } from '../../src/nodes/library/output.ts'
import { NoConfig } from '../../src/nodes/values.ts'
import { type NewRun, rowOfNew } from '../../src/store/rows/runs.ts'
import { createPreparedCache } from '../../src/workflows/prepare.ts'
import { payloadOfText } from '../../src/engine/payload.ts'
import { processTime } from '../../src/store/time.ts'
import { graph } from './play.ts'

/** Work that is never done. */
const work = defineNode({
  type: 'work',
  title: 'Work',
  description: '',
  category: 'work',
  config: NoConfig,
  behaviour: { is: 'work', run: () => new Promise(() => {}) },
})
/** Says a word, and is done. */
const saying = defineNode({
  type: 'saying',
  title: 'Saying',
  description: '',
  category: 'work',
  config: NoConfig,
  behaviour: {
    is: 'work',
    async run(_, { abilities }) {
      abilities.say('Hello')
      return { output: null }
    },
  },
})
/** Takes half a second at once. */
const slow = defineNode({
  type: 'slow',
  title: 'Slow',
  description: '',
  category: 'work',
  config: NoConfig,
  behaviour: {
    is: 'pure',
    run: () => {
      vi.advanceTimersByTime(500)
      return { output: null }
    },
  },
})
const nodes: AnyNode[] = [output, work, saying, slow]
const catalogue = { get: (type: string) => nodes.find((node) => node.type === type), list: () => nodes }
const planOf = (name: string, definition: Definition) => ({ ...createPreparedCache(catalogue)(name, definition), missing: [] })
const plan = planOf('work', graph({ a: { type: 'work' } }))

const run: NewRun = {
  id: 'run',
  workspaceId: 'workspace',
  workflowId: 'workflow',
  version: 1,
  trial: null,
  input: 'null',
  keyedInput: false,
  inputHash: null,
  transactionId: null,
  lane: null,
  sessionId: null,
  parentRunId: null,
  parentStep: null,
  rootRunId: null,
  depth: 0,
  trigger: 'manual',
  tags: [],
  startedBy: 'user',
  traceparent: null,
  deadlineAt: null,
  createdAt: new Date(1_000),
}
const input = payloadOfText(run.input)

/** A worker before a database that answers when it is told to. */
function setup(more: Partial<WorkerParts> = {}) {
  const asked: { name: string; answer(rows: object[]): void }[] = []
  const bells = new Map<string, () => void>()
  const nobody = (): never => expect.unreachable()
  const worker: Worker = createWorker({
    database: {
      url: '',
      query: (statement) => new Promise((answer) => asked.push({ name: typeof statement === 'string' ? statement : statement.name, answer: (rows) => answer(rows as never[]) })),
      transaction: nobody,
      dedicated: nobody,
      connections: nobody,
      close: nobody,
    },
    queue: { install: nobody, start: nobody, stop: nobody, insert: nobody, complete: nobody, fetch: async () => [], touch: async () => new Set() },
    doorbell: {
      ring: () => {},
      on: (topic, listener) => {
        bells.set(topic, listener)
        return () => {}
      },
      close: nobody,
    },
    plans: { of: nobody },
    committer: { submit: nobody },
    door: { pass: nobody, passed: nobody } as never,
    afterlife: { isNeeded: () => false, settle: nobody },
    startChild: nobody,
    abilities: () => ({ secret: nobody, writeFile: nobody, tools: nobody, documents: nobody, callTool: nobody }),
    voices: silence,
    observer: { started: () => {}, committed: () => {}, worked: () => {}, wrote: () => {}, traceparent: () => null },
    note: () => {},
    time: processTime,
    log: { error: nobody } as never,
    ...more,
  })
  worker.start()
  return { worker, asked, bells }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const beatMs = 2_000

test('a run whose start is stored while the heartbeat looks is kept, though the heartbeat did not see it', async () => {
  const { worker, asked } = setup()
  // So that there is something to ask about.
  const other = (await worker.begin({ ...run, id: 'other' }, input, plan))!
  other.begun()
  const beginning = (await worker.begin(run, input, plan))!
  await vi.advanceTimersByTimeAsync(beatMs)
  beginning.begun()
  await vi.advanceTimersByTimeAsync(0)
  expect(asked.map(({ name }) => name)).toEqual(['runs-revisions'])
  asked[0]!.answer([{ id: 'other', epoch: 1, revision: 1 }])
  await vi.advanceTimersByTimeAsync(0)
  expect([worker.holds('run'), worker.holds('other')]).toEqual([true, true])
  // From the next look on a run that is not there is let go.
  await vi.advanceTimersByTimeAsync(beatMs)
  asked[1]!.answer([{ id: 'other', epoch: 1, revision: 1 }])
  await vi.advanceTimersByTimeAsync(0)
  expect([worker.holds('run'), worker.holds('other')]).toEqual([false, true])
})

test('a run that is rung for while its claim is being stored is looked at once it is', async () => {
  const { worker, asked, bells } = setup()
  worker.takeOver({ ...rowOfNew(run), status: 'running' }, freshState({ ...headOfNew(run, input), epoch: 1, status: 'running' }, plan), plan)
  bells.get('holder:run')!()
  await vi.advanceTimersByTimeAsync(0)
  expect(asked).toEqual([])
})

test('a first turn ends in time, and what is left of a chain that takes long is done after it', async () => {
  const { worker } = setup()
  const chain = planOf('slow', graph({ a: { type: 'slow' }, b: { type: 'slow' }, c: { type: 'slow' }, d: { type: 'slow' } }, 'a -> b', 'b -> c', 'c -> d'))
  const { change, job } = (await worker.begin(run, input, chain))!
  expect(change.steps.map(({ nodeId, state }) => [nodeId, state])).toEqual([
    ['a', 'completed'],
    ['b', 'completed'],
    ['c', 'running'],
  ])
  expect(job).not.toBeNull()
})

test('what a step came to is not recorded before all that it has said is out', async () => {
  const said: string[] = []
  const out = Promise.withResolvers<void>()
  const submit = vi.fn<WorkerParts['committer']['submit']>(() => new Promise(() => {}))
  const speaker = vi.fn<Voices['speaker']>(() => ({ say: (piece: string) => void said.push(piece), end: () => out.promise }))
  const { worker } = setup({ voices: { speaker, ended: () => {} }, committer: { submit } })
  const beginning = (await worker.begin(run, input, planOf('saying', graph({ a: { type: 'saying' } }))))!
  beginning.begun()
  await vi.advanceTimersByTimeAsync(500)
  expect(said).toEqual(['Hello'])
  expect(speaker).toHaveBeenCalledWith({ runId: 'run', sessionId: null, nodeId: 'a', step: 'a', iteration: '', attempt: 1 })
  expect(submit).not.toHaveBeenCalled()
  out.resolve()
  await vi.advanceTimersByTimeAsync(0)
  expect(submit).toHaveBeenCalledOnce()
})

test('who begins to wait for a run that has ended, while its worker still tells others of that, is told when it has', async () => {
  const settled = Promise.withResolvers<void>()
  const noted: string[] = []
  const { worker } = setup({
    afterlife: { isNeeded: () => true, settle: () => settled.promise },
    note: ({ run: { status } }) => void noted.push(status),
    log: { debug: () => {} } as never,
  })
  const beginning = (await worker.begin(run, input, planOf('brief', graph({ a: { type: 'output' } }))))!
  beginning.begun()
  await vi.advanceTimersByTimeAsync(0)
  expect([worker.holds('run'), noted]).toEqual([true, ['completed']])
  settled.resolve()
  await vi.advanceTimersByTimeAsync(0)
  expect([worker.holds('run'), noted]).toEqual([false, ['completed', 'completed']])
})

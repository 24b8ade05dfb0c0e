import { type DecisionAction, Fault, type Pause, type Run, type RunEvent, type Step } from '@sluice/schema'
import type { WrittenWorkflow } from '../code/written.ts'
import type { Call as CallServer } from './call.ts'
import { RunFailedError, StillWaitingError } from './errors.ts'
import type { StubOf, Verbs } from './kit.ts'
import type { Quiet } from './quiet.ts'
import { failing, ownInvoke, type Stubs } from './stubs.ts'
import type { DecisionOptions, StartOptions, TestRun } from './typing.ts'

interface VerbParts {
  call: CallServer
  quiet: Quiet
  stubs: Stubs
}

export function verbsOf({ call, quiet, stubs }: VerbParts): Verbs {
  const read = (id: string): Promise<Run> => call('GET', `/v1/runs/${id}`)

  async function ended(id: string): Promise<Run> {
    const look = async (): Promise<Run | null> => {
      const run = await read(id)
      return run.endedAt === null ? null : run
    }
    return (await quiet.awaited(look)) ?? read(id)
  }

  async function awaited<T>(id: string, wanted: string, look: () => Promise<T | null>): Promise<T> {
    const found = await quiet.awaited(look)
    if (found !== null) return found
    const run = await read(id)
    throw run.endedAt === null ? new StillWaitingError(run, wanted) : new RunFailedError(run)
  }

  /** By itself or by a child; whether time helps the run before it in its lane, only time tells. */
  async function waitsForTime({ waitingOn }: Run): Promise<boolean> {
    if (waitingOn.length === 0) return true
    for (const { kind, runId } of waitingOn) {
      if (kind === 'timer' || kind === 'queue') return true
      if (kind === 'child' && runId !== undefined && (await waitsForTime(await read(runId)))) return true
    }
    return false
  }

  const openPauses = async (id: string): Promise<Pause[]> => (await call<{ items: Pause[] }>('GET', `/v1/pauses?runId=${id}&status=open&limit=100`)).items.reverse()

  const decide =
    (action: DecisionAction) =>
    async (run: { id: string }, node: string, inputs: unknown, { comments }: DecisionOptions = {}): Promise<Pause> => {
      const { id } = await awaited(run.id, `${node} asks nothing`, async () => (await openPauses(run.id)).find((pause) => pause.nodeId === node || pause.step === node) ?? null)
      return call('POST', `/v1/pauses/${id}/decide`, { action, ...(inputs !== undefined && { inputs }), ...(comments !== undefined && { comments }) })
    }
  const approve = decide('approve')
  const override = decide('override')
  const decline = decide('decline')

  /** A step that has not come to wait yet is waited for. */
  const report = (run: { id: string }, step: string, outcome: object): Promise<Step> =>
    awaited(run.id, `${step} waits for no report`, () =>
      call<Step>('POST', '/v1/steps/report', { run: { id: run.id }, step, ...outcome }).catch((error: unknown) => {
        if (error instanceof Fault && (error.code === 'step_not_waiting' || error.code === 'step_missing')) return null
        throw error
      }),
    )

  const runOf = (id: string): TestRun<never, never> => ({
    id,
    async result() {
      const run = await ended(id)
      if (run.endedAt === null) throw new StillWaitingError(run, 'There is no result yet')
      if (run.status !== 'completed') throw new RunFailedError(run)
      // What the workflow says that it returns.
      return run.output as never
    },
    async get() {
      await quiet.settle()
      return read(id)
    },
    steps: () => whole<Step>(call, `/v1/runs/${id}/steps?limit=100`),
    async events() {
      const all: RunEvent[] = []
      for (;;) {
        const { items } = await call<{ items: RunEvent[] }>('GET', `/v1/runs/${id}/events?after=${all.at(-1)?.seq ?? 0}&limit=100`)
        all.push(...items)
        if (items.length < 100) return all
      }
    },
  })

  const nameOf = (step: string | { readonly name: string }): string => (typeof step === 'string' ? step : step.name)
  const refOf = (workflow: string | WrittenWorkflow): string => (typeof workflow === 'string' ? workflow : workflow.name)

  return {
    async start(workflow: string | WrittenWorkflow, input?: unknown, options: StartOptions = {}) {
      const { id } = await call<Run>('POST', '/v1/runs', { ...options, workflow: refOf(workflow), ...(input !== undefined && { input }) })
      return runOf(id)
    },
    async runs(workflow: string | WrittenWorkflow) {
      const found = await whole<{ id: string }>(call, `/v1/runs?workflow=${encodeURIComponent(refOf(workflow))}&limit=100`)
      return found.reverse().map(({ id }) => runOf(id))
    },
    skip: (span, options) => quiet.skip(span, options),
    async finish(run) {
      for (;;) {
        const found = await ended(run.id)
        if (found.endedAt !== null || !(await waitsForTime(found)) || !(await quiet.step())) return run.result()
      }
    },
    settle: () => quiet.settle(),
    stub: (workflow: WrittenWorkflow, step: string | { readonly name: string }, does: StubOf<never, unknown>) =>
      stubs.of(workflow, nameOf(step), typeof does === 'function' ? { invoke: does } : does),
    fail: (workflow, step, error = 'It fails in this test', options = {}) =>
      stubs.of(workflow, nameOf(step), { invoke: failing(error, options, ownInvoke(workflow, nameOf(step))) }),
    watch: (workflow, step) => stubs.of(workflow, nameOf(step)),
    pauses: {
      approve: (run, node, ...[inputs, options]) => approve(run, node, inputs, options),
      override: (run, node, ...[inputs, options]) => override(run, node, inputs ?? {}, options),
      decline: (run, node, options) => decline(run, node, undefined, options),
      open: async ({ id }) => {
        await quiet.settle()
        return openPauses(id)
      },
    },
    report: (run, step, output, options = {}) => report(run, step, { ...options, outcome: 'completed', ...(output !== undefined && { output }) }),
    reportFailure: (run, step, error = 'It failed outside', options = {}) =>
      report(run, step, { ...options, outcome: 'failed', error: typeof error === 'string' ? { code: 'reported', message: error } : error }),
    async signal(run, name, payload) {
      await call('POST', '/v1/signals', { runId: run.id, name, ...(payload !== undefined && { payload }) })
    },
  }
}

/** A list from its first page to its last. */
async function whole<T>(call: CallServer, path: string): Promise<T[]> {
  const all: T[] = []
  for (let cursor = ''; ;) {
    const page = await call<{ items: T[]; nextCursor: string | null }>('GET', path + cursor)
    all.push(...page.items)
    if (page.nextCursor === null) return all
    cursor = `&cursor=${encodeURIComponent(page.nextCursor)}`
  }
}

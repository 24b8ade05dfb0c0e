import { createRequire } from 'node:module'
import type { Json } from '@sluice/schema'

/**
 * Medusa's own engine, as it is published, in this process. Its packages bring the orchestrator and the composer; what its server
 * adds to them (a store that keeps what has ended, timers, nested workflows that tell their parent) is what this file is.
 */

const required = createRequire(import.meta.url)
// Its declarations reach into half of Medusa: here it is called through the few words that are used.
// oxlint-disable-next-line typescript/no-explicit-any -- as it is published
type Foreign = any
const orchestration: Foreign = required('@medusajs/orchestration')
const beside = createRequire(required.resolve('@medusajs/orchestration'))
const { createMedusaContainer, Modules }: Foreign = beside('@medusajs/utils')
const { asValue }: Foreign = beside('@medusajs/deps/awilix')

export const sdk: Foreign = required('@medusajs/workflows-sdk')

/** What is stored of a transaction. */
export interface Checkpoint {
  flow: Foreign
  context: Foreign
  errors: Foreign[]
}

export interface Outcome {
  hasFinished: boolean
  hasFailed: boolean
  /** What its server would have answered with. */
  error: Error | null
}

export interface Happened {
  type: string
  step?: string
}

export interface Reported {
  step: string
  response?: Json
  /** What undoing is to get, if not the response. */
  leaves?: Json
  action?: 'invoke' | 'compensate'
}

export interface Engine {
  run(workflow: string, transaction: string, input?: unknown): Promise<Outcome>
  /** As its server does for a body of `steps/success`. */
  report(outcome: 'success' | 'failure', workflow: string, transaction: string, said: Reported): Promise<void>
  cancel(workflow: string, transaction: string): Promise<void>
  told(workflow: string, transaction: string): Checkpoint | undefined
  happened(workflow: string, transaction: string): Happened[]
}

const hasEnded = ({ flow }: Checkpoint): boolean => ['done', 'reverted', 'failed'].includes(flow.state)
const hasFailed = (state: string): boolean => state === 'reverted' || state === 'failed'
const over = new Set(['done', 'reverted', 'failed', 'skipped', 'skipped_failure', 'timeout'])

const copied = <T>(value: T): T => (value === undefined ? value : JSON.parse(JSON.stringify(value)))

/** With the rules of its in-memory module: what comes too late is refused, and what came at the same moment is merged. */
class Store {
  readonly #kept = new Map<string, Checkpoint>()
  readonly #saving = new Set<string>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  readonly #resume: (workflow: string, transaction: string, metadata: Foreign) => void

  constructor(resume: (workflow: string, transaction: string, metadata: Foreign) => void) {
    this.#resume = resume
  }

  read(workflow: string, transaction: string): Checkpoint | undefined {
    return this.#kept.get(`dtrx:${workflow}:${transaction}`)
  }

  async get(key: string, { idempotent, isCancelling }: { idempotent?: boolean; isCancelling?: boolean } = {}): Promise<Checkpoint | undefined> {
    const found = this.#kept.get(key)
    if (!found || (!idempotent && hasEnded(found) && (!isCancelling || hasFailed(found.flow.state)))) return undefined
    return new orchestration.TransactionCheckpoint(copied(found.flow), copied(found.context), [...found.errors])
  }

  async save(key: string, data: Checkpoint, _ttl: number, options: { stepId?: string } = {}): Promise<Checkpoint> {
    if (this.#saving.has(key)) throw new Error('Transaction storage is locked')
    this.#saving.add(key)
    try {
      // Others come meanwhile, as they do while a database writes.
      await new Promise(setImmediate)
      return await this.#save(key, data, options)
    } finally {
      this.#saving.delete(key)
    }
  }

  async #save(key: string, data: Checkpoint, { stepId }: { stepId?: string }): Promise<Checkpoint> {
    const { flow } = data
    const found = this.#kept.get(key)
    const live = found && !hasEnded(found) ? found : undefined
    const step = stepId === undefined ? undefined : live?.flow.steps[stepId]
    if (step && over.has((flow.state === 'compensating' ? step.compensate : step.invoke).state))
      throw new orchestration.SkipStepAlreadyFinishedError(`Step ${stepId} already finished by another execution`)
    if (flow.state === 'not_started' && live) throw new orchestration.SkipExecutionError(`Transaction already started for transactionId: ${flow.transactionId}`)
    if (flow.state !== 'not_started' && !live && !flow.cancelledAt && !flow.metadata?.parentStepIdempotencyKey)
      throw new orchestration.SkipExecutionError('Already finished by another execution')
    if (live?.flow.cancelledAt && !flow.cancelledAt) throw new orchestration.SkipCancelledExecutionError('Workflow execution has been cancelled during the execution')
    if (flow._v) orchestration.TransactionCheckpoint.mergeCheckpoints(data, await this.get(key))
    this.#kept.set(key, copied({ flow: data.flow, context: data.context, errors: data.errors }))
    return data
  }

  scheduleRetry = async (transaction: Foreign, step: Foreign, _now: number, seconds: number): Promise<void> => this.#after(`retry ${step.id}`, transaction, seconds)
  clearRetry = async (transaction: Foreign, step: Foreign): Promise<void> => this.#clear(`retry ${step.id}`, transaction)
  scheduleTransactionTimeout = async (transaction: Foreign, _now: number, seconds: number): Promise<void> => this.#after('timeout', transaction, seconds)
  clearTransactionTimeout = async (transaction: Foreign): Promise<void> => this.#clear('timeout', transaction)
  scheduleStepTimeout = async (transaction: Foreign, step: Foreign, _now: number, seconds: number): Promise<void> => this.#after(`timeout ${step.id}`, transaction, seconds)
  clearStepTimeout = async (transaction: Foreign, step: Foreign): Promise<void> => this.#clear(`timeout ${step.id}`, transaction)

  #after(what: string, transaction: Foreign, seconds: number): void {
    this.#clear(what, transaction)
    const { modelId, transactionId } = transaction
    // A timer that goes off in the very millisecond finds that its time is not up yet, and nothing comes of it.
    const timer = setTimeout(() => this.#resume(modelId, transactionId, transaction.getFlow().metadata ?? {}), seconds * 1000 + 5)
    timer.unref()
    this.#timers.set(`${what} ${modelId}:${transactionId}`, timer)
  }

  #clear(what: string, { modelId, transactionId }: Foreign): void {
    clearTimeout(this.#timers.get(`${what} ${modelId}:${transactionId}`))
  }
}

/** Workflows are made by its composer, and known by their names in the whole process. */
export function createEngine(): Engine {
  const log = new Map<string, Happened[]>()
  const store = new Store((workflow, transaction, metadata) => {
    // Overtaken by another: as its own timers, it says nothing.
    void run(workflow, { transactionId: transaction, context: metadata }).catch((error: unknown) => {
      if (!orchestration.SkipExecutionError.isSkipExecutionError(error)) throw error
    })
  })
  orchestration.DistributedTransaction.setStorage(store)
  const container = createMedusaContainer()

  const happened = (workflow: string, transaction: string): Happened[] => {
    const key = `${workflow}:${transaction}`
    const known = log.get(key) ?? []
    log.set(key, known)
    return known
  }

  const eventsOf = (workflow: string, transaction: string): Foreign => {
    const tell =
      (type: string) =>
      ({ step }: Foreign) =>
        void happened(workflow, transaction).push({ type, ...(step && { step: step.definition.action }) })
    const types = [
      'onTimeout',
      'onBegin',
      'onResume',
      'onCompensateBegin',
      'onStepBegin',
      'onStepSuccess',
      'onStepFailure',
      'onStepAwaiting',
      'onCompensateStepSuccess',
      'onCompensateStepFailure',
    ]
    return Object.fromEntries(types.map((type) => [type, tell(type)]))
  }

  /** As its server does after each call: the end is told, and a nested one tells its parent. */
  async function ended(ret: Foreign): Promise<Foreign> {
    const { transaction, result, errors } = ret
    const { modelId, transactionId, state, metadata } = transaction.getFlow()
    if (!transaction.hasFinished()) return ret
    happened(modelId, transactionId).push({ type: 'onFinish' })
    const key: string | undefined = metadata?.parentStepIdempotencyKey
    if (key === undefined || metadata?.cancelingFromParentStep) return ret
    await register(hasFailed(state) ? 'registerStepFailure' : 'registerStepSuccess', key, hasFailed(state) ? errors : result)
    return ret
  }

  async function register(verb: 'registerStepSuccess' | 'registerStepFailure', idempotencyKey: string, response: unknown): Promise<Foreign> {
    const [workflow = '', transaction = ''] = idempotencyKey.split(':')
    return ended(await sdk.MedusaWorkflow.getWorkflow(workflow)[verb]({ idempotencyKey, response, throwOnError: false, events: eventsOf(workflow, transaction), container }))
  }

  async function run(workflow: string, { transactionId, input, context = {} }: Foreign): Promise<Foreign> {
    const events = eventsOf(workflow, transactionId)
    return ended(await sdk.MedusaWorkflow.getWorkflow(workflow).run({ input, throwOnError: false, context: { ...context, transactionId }, events, container }))
  }

  async function cancel(workflow: string, { transactionId, context = {} }: Foreign): Promise<Foreign> {
    const exported = sdk.MedusaWorkflow.getWorkflow(workflow)
    const transaction = await exported().getRunningTransaction(transactionId, { ...context, transactionId, isCancelling: true })
    return ended(await exported.cancel({ transaction, throwOnError: false, context, events: eventsOf(workflow, transactionId), container }))
  }

  container.register(Modules.WORKFLOW_ENGINE, asValue({ run, cancel }))

  return {
    async run(workflow, transactionId, input) {
      const { transaction, thrownError, errors } = await run(workflow, { transactionId, input })
      const error: Error | null = thrownError ?? errors?.[0]?.error ?? null
      return { hasFinished: transaction.hasFinished(), hasFailed: hasFailed(transaction.getState()), error }
    },
    async report(outcome, workflow, transaction, { step, response, leaves, action = 'invoke' }) {
      const said = response === undefined ? undefined : new sdk.StepResponse(response, leaves)
      const { thrownError } = await register(outcome === 'success' ? 'registerStepSuccess' : 'registerStepFailure', [workflow, transaction, step, action].join(':'), said)
      if (outcome === 'success' && thrownError) throw thrownError
    },
    cancel: async (workflow, transactionId) => void (await cancel(workflow, { transactionId })),
    told: (workflow, transaction) => store.read(workflow, transaction),
    happened,
  }
}

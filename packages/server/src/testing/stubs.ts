import { PermanentFailure, type StepAt, type WrittenFunction, type WrittenWorkflow } from '../code/written.ts'

/** A call of a handler, by the step's own or by the one in its place. */
export interface Call<Input = unknown> {
  input: Input
  runId: string
  /** The step's, as it goes along as Idempotency-Key. */
  key: string
  /** 1 for the first try. */
  attempt: number
  at: Date
}

/** What a step is asked, and what stands in its place. */
export interface Stub<Input = unknown> {
  /** Calls of the step so far, in their order; also those before it was stubbed. */
  readonly calls: readonly Call<Input>[]
  /** Calls of its undoing. */
  readonly undoings: readonly Call[]
  /** The step's own handlers are called again. */
  restore(): void
}

type Handler = (input: never, at: StepAt) => unknown

/** What stands in the place of a step's own handlers; what is not given is the step's own. */
export interface Handlers {
  invoke?: Handler
  compensate?: Handler
}

interface Watched {
  calls: Call[]
  undoings: Call[]
  instead: Handlers
}

/** A handler that is at work. */
export interface AtWork {
  workflow: string
  step: string
  runId: string
}

export interface Stubs {
  /** The workflow, with handlers that are watched, and may be replaced. */
  watch(workflow: WrittenWorkflow): WrittenWorkflow
  /** Throws TypeError for what is no step of it, or has nothing to undo. */
  of(workflow: WrittenWorkflow, step: string, instead?: Handlers): Stub<never>
  readonly atWork: readonly AtWork[]
}

const callOf = (input: unknown, { runId, key, attempt, now }: StepAt): Call => ({ input, runId, key, attempt, at: now })

/** A step goes by its name, whatever its revision is. */
const nameIn = (key: string): string => key.replace(/@\d+$/, '')

export function createStubs(): Stubs {
  const all = new Map<string, Watched>()
  const atWork = new Set<AtWork>()

  function watched(workflow: string, step: string): Watched {
    const key = `${workflow}\n${step}`
    const found = all.get(key) ?? { calls: [], undoings: [], instead: {} }
    all.set(key, found)
    return found
  }

  async function noted(work: AtWork, handler: Handler, input: unknown, at: StepAt): Promise<unknown> {
    atWork.add(work)
    try {
      return await handler(input as never, at)
    } finally {
      atWork.delete(work)
    }
  }

  function watchStep(workflow: string, key: string, own: Extract<WrittenFunction, { is: 'step' }>): WrittenFunction {
    const step = nameIn(key)
    const seen = watched(workflow, step)
    const through =
      (calls: Call[], handler: Handler): Handler =>
      (input: unknown, at: StepAt) => {
        calls.push(callOf(input, at))
        return noted({ workflow, step, runId: at.runId }, handler, input, at)
      }
    // Asked each time: a stub may come and go, and a hook be taken up, while runs are under way.
    return {
      is: 'step',
      get invoke() {
        const handler = seen.instead.invoke ?? own.invoke
        return handler && through(seen.calls, handler)
      },
      get compensate() {
        const handler = (own.compensate && seen.instead.compensate) ?? own.compensate
        return handler && through(seen.undoings, handler)
      },
    }
  }

  return {
    watch: (workflow) => ({
      ...workflow,
      functions: new Map([...workflow.functions].map(([key, each]) => [key, each.is === 'step' ? watchStep(workflow.name, key, each) : each])),
    }),
    of(workflow, step, instead) {
      const own = ownOf(workflow, step)
      if (instead?.compensate && own.every((each) => each.compensate === null)) throw new TypeError(`Step ${step} of workflow ${workflow.name} has nothing that undoes it`)
      const seen = watched(workflow.name, step)
      if (instead) seen.instead = instead
      return {
        // Its inputs are what the step takes, as whoever stubs it knows.
        calls: seen.calls as Call<never>[],
        undoings: seen.undoings,
        restore() {
          if (seen.instead === instead) seen.instead = {}
        },
      }
    },
    get atWork() {
      return [...atWork]
    },
  }
}

/** The handlers of a step, of each revision. */
function ownOf({ name, functions }: WrittenWorkflow, step: string): Extract<WrittenFunction, { is: 'step' }>[] {
  const steps = [...functions].flatMap(([key, each]) => (each.is === 'step' ? [[nameIn(key), each] as const] : []))
  const own = steps.flatMap(([key, each]) => (key === step ? [each] : []))
  if (own.length > 0) return own
  const names = [...new Set(steps.map(([key]) => key))]
  throw new TypeError(`Workflow ${name} has no step ${JSON.stringify(step)}: ${names.length === 0 ? 'it has none that calls a function' : `its steps are ${names.join(', ')}`}`)
}

/** How a step fails that is made to. */
export interface FailOptions {
  /** The first so many calls from now on fail, and then the step's own handler is called; all unless set. */
  times?: number
  /** For good, whatever attempts are left. */
  permanent?: boolean
}

/** A handler that throws. */
export function failing(error: string | Error, { times = Infinity, permanent = false }: FailOptions, then: Handler | null): Handler {
  let left = times
  return (input, at) => {
    if (left-- <= 0) return then?.(input, at)
    if (permanent) throw new PermanentFailure(messageOf(error), undefined, { cause: error })
    throw error instanceof Error ? error : new Error(error)
  }
}

const messageOf = (error: string | Error): string => (error instanceof Error ? error.message : error)

/** The step's own handler. */
export const ownInvoke = (workflow: WrittenWorkflow, step: string): Handler | null => ownOf(workflow, step).at(0)!.invoke

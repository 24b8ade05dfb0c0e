import type { Json, JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import type { Registry } from '../../code/registry.ts'
import { appliedIn, valueOf } from '../../code/takes.ts'
import { type Done, isDone, isPermanent, type StepAt, stepKey, type WrittenFunction } from '../../code/written.ts'
import { type AnyNode, type Awaits, defineNode, type Readings, StepFailure, type StepResult, type WorkContext } from '../contract.ts'
import { AnyJson } from '../values.ts'

/** The nodes of workflows that are written in TypeScript. A definition names functions; this server has them, or the run waits for one that does. */
export const functions = (registry: Registry): AnyNode[] => [functionNode(registry), undo(registry), choice(registry), result(registry), child(registry)]

const Name = Schema.String.check(Schema.isMinLength(1)).check(Schema.isMaxLength(200))
const workflow = Name.annotate({ title: 'Workflow', description: 'The handle of the workflow whose function it is' })
const named = {
  workflow,
  name: Name.annotate({ title: 'Step' }),
  revision: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)).annotate({ title: 'Revision', description: '1 unless set' })),
}
const takes = Schema.optionalKey(
  AnyJson.annotate({ title: 'Takes', description: 'A tree of values, of references such as `$input/customer` and `$steps/charge/id`, and of transforms: what the function gets' }),
)
const isAsync = Schema.optionalKey(Schema.Boolean.annotate({ title: 'Async', description: 'Where the function gives nothing, a report says what came of it' }))
/** Nothing but what it takes is read. */
const plain: Readings = { workflow: 'raw', name: 'raw', of: 'raw', child: 'raw', output: 'raw', 'output.**': 'raw' }
const reads: Readings = { ...plain, takes: 'reference', 'takes.**': 'reference' }

interface Named {
  workflow: string
  name: string
  revision?: number
}

/** The first of the functions a config needs that no workspace here has, as `order/charge`. */
function lacking(registry: Registry, { workflow: of, name, revision, takes: tree, of: condition, hook }: JsonObject): string | null {
  if (typeof of !== 'string') return null
  const step = typeof name === 'string' && hook !== true ? [stepKey(name, typeof revision === 'number' ? revision : 1)] : []
  const needed = [...step, ...(typeof condition === 'string' ? [condition] : []), ...appliedIn(tree)]
  const missing = needed.find((key) => !registry.has(of, key))
  return missing === undefined ? null : `${of}/${missing}`
}

function found(registry: Registry, { workspaceId }: Pick<WorkContext, 'workspaceId'>, of: string, key: string): WrittenFunction {
  const known = registry.find(workspaceId, of, key)
  if (!known) throw new StepFailure('function_missing', `There is no function ${of}/${key} in this workspace`, { retry: false })
  return known
}

function stepFound(registry: Registry, context: Pick<WorkContext, 'workspaceId'>, { workflow: of, name, revision }: Named): Extract<WrittenFunction, { is: 'step' }> {
  const known = found(registry, context, of, stepKey(name, revision))
  if (known.is !== 'step') throw new StepFailure('function_missing', `${of}/${name} is no step`, { retry: false })
  return known
}

function compute(registry: Registry, context: Pick<WorkContext, 'workspaceId'>, of: string, key: string, values: unknown): unknown {
  const known = found(registry, context, of, key)
  if (known.is !== 'value') throw new StepFailure('function_missing', `${of}/${key} is no transform`, { retry: false })
  try {
    return known.of(values as never)
  } catch (error) {
    // Free of effects: it would throw again.
    throw failureOf(error, false)
  }
}

const takenBy = (registry: Registry, context: Pick<WorkContext, 'workspaceId'>, of: string, tree: unknown): unknown =>
  valueOf(tree, (key, values) => compute(registry, context, of, key, values))

const atOf = ({ abilities, workspaceId, workflowId, runId, key, attempt, now, signal, traceparent }: WorkContext): StepAt => ({
  ...{ workspaceId, workflowId, runId, key, attempt, now, signal, traceparent },
  stepKey: key.replace(/\/undo$/, ''),
  log: (level, message) => abilities.log(level, message),
  secret: (name) => abilities.secret(name),
})

function functionNode(registry: Registry): AnyNode {
  return defineNode({
    type: 'function',
    title: 'Function',
    description: 'Calls a step of a workflow that is written in TypeScript.',
    category: 'work',
    config: Schema.Struct({
      ...named,
      takes,
      async: isAsync,
      remind: Schema.optionalKey(
        Schema.Struct({ everyMs: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)), times: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))) }).annotate({
          title: 'Reminders',
          description: 'While no report has come, it is called again',
        }),
      ),
      hook: Schema.optionalKey(Schema.Boolean.annotate({ title: 'Hook', description: 'Gives null where nobody took it up' })),
      output: Schema.optionalKey(AnyJson.annotate({ title: 'Output', description: 'The JSON Schema of what it gives' })),
    }),
    readings: reads,
    takesInput: false,
    schemaFields: ['output'],
    lacks: (config) => lacking(registry, config),
    behaviour: {
      is: 'work',
      async run(config, context) {
        const known = config.hook && !registry.find(context.workspaceId, config.workflow, stepKey(config.name, config.revision)) ? null : stepFound(registry, context, config)
        if (!known?.invoke) return { output: null }
        const taken = takenBy(registry, context, config.workflow, config.takes)
        return came(await called(known.invoke, taken, context), config.async === true, config.remind)
      },
    },
  })
}

function undo(registry: Registry): AnyNode {
  return defineNode({
    type: 'function-undo',
    title: 'Undoing function',
    description: 'Calls what undoes a step of a workflow that is written in TypeScript, with what the step left for it.',
    category: 'work',
    config: Schema.Struct({ ...named, async: isAsync }),
    readings: plain,
    takesInput: false,
    lacks: (config) => lacking(registry, config),
    behaviour: {
      is: 'work',
      async run(config, context) {
        const { compensate } = stepFound(registry, context, config)
        if (!compensate) return { output: null }
        return came(await called(compensate, context.given ?? undefined, context), config.async === true)
      },
    },
  })
}

function choice(registry: Registry): AnyNode {
  return defineNode({
    type: 'function-choice',
    title: 'Condition',
    description: 'Asks a condition of a workflow that is written in TypeScript: leaves by `then` where it holds, else by `default`.',
    category: 'flow',
    config: Schema.Struct({ workflow, of: Name.annotate({ title: 'Condition' }), takes }),
    readings: reads,
    handles: { fixed: ['then'] },
    takesInput: false,
    lacks: (config) => lacking(registry, config),
    behaviour: {
      is: 'pure',
      run(config, context) {
        const holds = Boolean(compute(registry, context, config.workflow, config.of, takenBy(registry, context, config.workflow, config.takes)))
        return { output: holds, route: [holds ? 'then' : 'default'] }
      },
    },
  })
}

function result(registry: Registry): AnyNode {
  return defineNode({
    type: 'function-result',
    title: 'Result',
    description: 'What a workflow that is written in TypeScript returns.',
    category: 'flow',
    config: Schema.Struct({ workflow, takes }),
    readings: reads,
    returns: true,
    takesInput: false,
    lacks: (config) => lacking(registry, config),
    behaviour: { is: 'pure', run: (config, context) => ({ output: jsonOf(takenBy(registry, context, config.workflow, config.takes)) }) },
  })
}

function child(registry: Registry): AnyNode {
  return defineNode({
    type: 'function-child',
    title: 'Nested workflow',
    description: 'Runs another workflow as a child run, with what a workflow that is written in TypeScript hands to it, and gives its output.',
    category: 'structure',
    config: Schema.Struct({
      workflow,
      child: Name.annotate({ title: 'Child', description: 'Its id or handle' }),
      version: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)).annotate({ title: 'Version', description: 'The newest unless set' })),
      takes,
    }),
    readings: reads,
    takesInput: false,
    lacks: (config) => lacking(registry, config),
    behaviour: {
      is: 'child',
      child: (config, context) => ({ workflow: config.child, version: config.version ?? null, input: jsonOf(takenBy(registry, context, config.workflow, config.takes)) }),
    },
  })
}

// ── what functions take and give ───────────────────────────────────────────────────────────────────────────────────────

async function called(handler: (input: never, at: StepAt) => unknown, input: unknown, context: WorkContext): Promise<unknown> {
  try {
    return await handler(input as never, atOf(context))
  } catch (error) {
    throw failureOf(error, true)
  }
}

function came(value: unknown, mayWait: boolean, remind?: { everyMs: number; times?: number }): StepResult | Awaits {
  if (value === undefined && mayWait) return { awaits: 'report', ...(remind && { remind: { everyMs: remind.everyMs, times: remind.times ?? Infinity } }) }
  if (!isDone(value)) return { output: jsonOf(value) }
  const { output, compensateInput }: Done<unknown, unknown> = value
  return { output: jsonOf(output), compensateInput: jsonOf(compensateInput) }
}

/** As it will be read again: a date is a text from the start, and what JSON has no word for is not there. */
function jsonOf(value: unknown): Json {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' || typeof value === 'boolean') return value
  const text = textOf(value)
  // What nobody waited for is lost, as is what a Map holds: each stands as an empty object.
  if (text?.includes('{}')) textOf(value, refuseEmptied)
  return text === undefined ? null : (JSON.parse(text) as Json)
}

function textOf(value: unknown, replacer?: (key: string, each: unknown) => unknown): string | undefined {
  try {
    return JSON.stringify(value, replacer)
  } catch (error) {
    throw new StepFailure('output_invalid', `What the function gave is not JSON: ${saidBy(error)}`, { retry: false })
  }
}

function refuseEmptied(key: string, each: unknown): unknown {
  const place = key === '' ? '' : ` at ${key}`
  if (each instanceof Promise) throw new TypeError(`There is a promise${place}, to be awaited first`)
  if (each instanceof Map) throw new TypeError(`There is a Map${place}, to be given as an object or a list: Object.fromEntries(map), [...map]`)
  if (each instanceof Set) throw new TypeError(`There is a Set${place}, to be given as a list: [...set]`)
  return each
}

/** What was thrown, with the code and the kind that it has of its own. */
function failureOf(error: unknown, mayRetry: boolean): StepFailure {
  if (error instanceof StepFailure) return error
  if (!(error instanceof Error)) return new StepFailure('error', saidBy(error), { retry: mayRetry, details: ifJson(error) ?? null })
  const { code, type } = error as Error & { code?: unknown; type?: unknown }
  const details = { name: error.name, ...(typeof type === 'string' && { type }) }
  const left = isPermanent(error) && error.compensateInput !== undefined ? ifJson(error.compensateInput) : undefined
  const said = typeof code === 'string' && /^[\w.-]{1,100}$/.test(code) ? code : 'error'
  return new StepFailure(said, error.message, { retry: mayRetry && !isPermanent(error), details, cause: error, ...(left !== undefined && { compensateInput: left }) })
}

/** What goes with a failure and cannot be kept is left out: that the step failed, and why, is what counts. */
function ifJson(value: unknown): Json | undefined {
  try {
    return jsonOf(value)
  } catch {
    return undefined
  }
}

/** Anything may be thrown, also what is no text. */
function saidBy(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error)
  } catch {
    return 'Something was thrown that has no text'
  }
}

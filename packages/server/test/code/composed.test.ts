import fc from 'fast-check'
import { expect, test } from 'vitest'
import { defineWorkflow, type Flow, permanentFailure } from '../../src/code/index.ts'
import { createRegistry } from '../../src/code/registry.ts'
import type { WrittenWorkflow } from '../../src/code/written.ts'
import { evaluate } from '../../src/engine/attempt.ts'
import type { Happening } from '../../src/engine/happening.ts'
import type { Surround } from '../../src/engine/iterations.ts'
import type { Task } from '../../src/engine/turn.ts'
import { prepare } from '../../src/workflows/prepare.ts'
import { Play } from '../engine/play.ts'
import { catalogueOf, issuesOf } from './compiled.ts'

/** Any composition of the verbs, held against a plain reading of it. More cases by hand: SLUICE_CASES=3000. */

type Verb = 'step' | 'sleep' | 'when' | 'parallel'

/** A part of a sequence, before its names. */
interface Drawn {
  verb: Verb
  fails: 'never' | 'never once' | 'always'
  onFailure: 'stop' | 'continue' | 'skip' | number
  undoable: boolean
  holds: boolean
  branches: Drawn[][]
  /** How what a branch returns is made of what its last part gives. */
  returns: 'nothing' | 'last' | 'object' | 'transform'
}

interface Part extends Omit<Drawn, 'branches' | 'onFailure'> {
  name: string
  branches: Part[][]
  onFailure: 'stop' | 'continue' | 'skip' | { skipTo: string }
  /** The branches of parallel blocks that it is in: `p1.0`. */
  beside: string[]
}

/** What stands for a value, while the run is not there yet. */
type Sight =
  | { is: 'step'; name: string }
  | { is: 'when'; name: string; holds: Sight | undefined; otherwise: Sight | undefined }
  | { is: 'object'; of: Sight | undefined }
  | { is: 'made'; of: Sight | undefined }

/** Sequences with so many levels of blocks in them. */
const drawnParts = (depth: number): fc.Arbitrary<Drawn[]> => fc.array(drawnPart(depth), { maxLength: 4 })

const drawnPart = (depth: number): fc.Arbitrary<Drawn> =>
  fc.constantFrom<Verb[]>('step', 'step', 'sleep', ...(depth > 0 ? (['when', 'when', 'parallel', 'parallel'] as const) : [])).chain((verb) =>
    fc.record({
      verb: fc.constant(verb),
      fails: fc.constantFrom<Drawn['fails'][]>('never', 'never', 'never', 'never once', 'always'),
      onFailure: fc.constantFrom<Drawn['onFailure'][]>('stop', 'continue', 'continue', 'skip', 0, 1, 2, 3),
      undoable: fc.boolean(),
      holds: fc.boolean(),
      branches: verb === 'when' || verb === 'parallel' ? fc.array(drawnParts(depth - 1), { maxLength: verb === 'when' ? 2 : 3 }) : fc.constant([]),
      returns: fc.constantFrom<Drawn['returns'][]>('nothing', 'last', 'last', 'object', 'transform'),
    }),
  )

/** Gives every part its name, and failures that are skipped from a part to go on with. */
function named(drawn: readonly Drawn[]): Part[] {
  let names = 0
  const name = (parts: readonly Drawn[], beside: string[]): Part[] =>
    parts.map((part) => {
      const own = `${part.verb}${++names}`
      return {
        ...part,
        name: own,
        beside,
        onFailure: 'stop',
        branches: part.branches.map((each, at) => name(each, part.verb === 'parallel' ? [...beside, `${own}.${at}`] : beside)),
      }
    })
  const parts = name(drawn, [])
  /** `after`: what may be skipped to behind these, innermost first. */
  const lead = (own: readonly Part[], from: readonly Drawn[], after: readonly Part[]): void => {
    for (const [at, part] of own.entries()) {
      const { onFailure, verb } = from[at]!
      const later = [...own.slice(at + 1), ...after].filter((each) => each.verb !== 'parallel')
      if (typeof onFailure === 'number') part.onFailure = later[onFailure] ? { skipTo: later[onFailure].name } : 'continue'
      else part.onFailure = onFailure === 'skip' && part.beside.length > 0 ? 'continue' : onFailure
      for (const [each, branch] of part.branches.entries()) lead(branch, from[at]!.branches[each]!, verb === 'when' ? [...own.slice(at + 1), ...after] : [])
    }
  }
  lead(parts, drawn, [])
  return parts
}

// ── as it is composed ──────────────────────────────────────────────────────────────────────────────────────────────────

interface Call {
  name: string
  input: unknown
}

/** What a run of the composition does, and what its steps take. */
interface Composed {
  workflow: WrittenWorkflow<unknown>
  takes: Map<string, Sight[]>
  result: Sight | undefined
  calls: Call[]
  ends: string[]
  undone: { name: string; left: unknown }[]
}

/** Looks like something else than a value. */
const gives = (name: string) => ({ $of: name, $apply: '$input' })
const broken = (name: string) => `${name} is broken`
const objectOf = <T>(seen: readonly T[]): { [key: string]: T } => Object.fromEntries(seen.map((each, at) => [`r${at}`, each]))

/** A reference, and what it stands for. */
interface Seen {
  ref: unknown
  sight: Sight | undefined
}

function composed(parts: readonly Part[]): Composed {
  const takes = new Map<string, Sight[]>()
  const calls: Call[] = []
  const ends: string[] = []
  const undone: Composed['undone'] = []
  let result: Sight | undefined
  const stepOf = (w: Flow<null>, { name, fails, onFailure, undoable }: Part, seen: readonly Seen[]): unknown => {
    takes.set(
      name,
      seen.flatMap(({ sight }) => sight ?? []),
    )
    let tries = 0
    return w.step(name, {
      input: objectOf(seen.filter(({ sight }) => sight !== undefined).map(({ ref }) => ref)),
      retry: { attempts: 2, everyMs: 1 },
      onFailure,
      invoke: (input: unknown) => {
        calls.push({ name, input })
        if (fails === 'never once' && ++tries === 1) throw new Error(broken(name))
        ends.push(name)
        return fails === 'always' ? permanentFailure(broken(name)) : gives(name)
      },
      ...(undoable && { compensate: (left: unknown) => void undone.push({ name, left }) }),
    })
  }
  const sequence = (w: Flow<null>, own: readonly Part[], around: readonly Seen[], returns: Drawn['returns']): Seen => {
    const seen = [...around]
    for (const part of own) {
      const { name, branches, holds } = part
      if (part.verb === 'sleep') w.sleep(name, 10)
      if (part.verb === 'step') seen.push({ ref: stepOf(w, part, seen), sight: { is: 'step', name } })
      if (part.verb === 'parallel') {
        const came: Seen[] = []
        w.parallel(...branches.map((branch) => () => void came.push(sequence(w, branch, seen, part.returns))))
        seen.push(...came)
      }
      if (part.verb === 'when') {
        const came: (Seen | undefined)[] = []
        const inside = (branch: readonly Part[]) => () => {
          came.push(sequence(w, branch, seen, part.returns))
          return came.at(-1)!.ref
        }
        const [held, other] = branches
        const ref = w.when(name, {}, () => holds, inside(held ?? []), other && inside(other))
        seen.push({ ref, sight: { is: 'when', name, holds: came[0]!.sight, otherwise: came[1]?.sight } })
      }
    }
    const last = seen.length > around.length ? seen.at(-1)! : undefined
    if (!last || returns === 'nothing') return { ref: undefined, sight: undefined }
    if (returns === 'last') return last
    if (returns === 'object') return { ref: { of: last.ref }, sight: { is: 'object', of: last.sight } }
    return { ref: w.transform({ of: last.ref }, (values) => ({ made: values })), sight: { is: 'made', of: last.sight } }
  }
  const workflow = defineWorkflow('drawn', (w: Flow<null>) => {
    const came = sequence(w, parts, [], 'object')
    result = came.sight
    return came.ref
  })
  return { workflow, takes, result, calls, ends, undone }
}

// ── as it is meant ─────────────────────────────────────────────────────────────────────────────────────────────────────

interface Meant {
  /** In an order in which they may come. */
  called: Part[]
  completed: Map<string, object>
  conditions: Map<string, boolean>
  stops: string[]
}

/** Goes on at a part that comes later, or, null, at the end. */
class Skip extends Error {
  readonly to: string | null
  constructor(to: string | null) {
    super()
    this.to = to
  }
}
class Stop extends Error {}

function meant(parts: readonly Part[]): Meant {
  const found: Meant = { called: [], completed: new Map(), conditions: new Map(), stops: [] }
  const part = (own: Part): void => {
    const { name, verb, fails, onFailure, branches, holds } = own
    if (verb === 'when') {
      found.conditions.set(name, holds)
      return sequence(branches[holds ? 0 : 1] ?? [])
    }
    if (verb === 'parallel') return parallel(branches)
    if (verb === 'sleep') return
    found.called.push(own)
    if (fails !== 'always') return void found.completed.set(name, gives(name))
    if (onFailure === 'continue') return
    if (onFailure !== 'stop') throw new Skip(onFailure === 'skip' ? null : onFailure.skipTo)
    found.stops.push(name)
    throw new Stop()
  }
  const parallel = (branches: readonly Part[][]): void => {
    let stops = false
    for (const branch of branches) {
      try {
        sequence(branch)
      } catch (error) {
        if (!(error instanceof Stop)) throw error
        stops = true
      }
    }
    if (stops) throw new Stop()
  }
  const sequence = (own: readonly Part[]): void => {
    for (let at = 0; at < own.length; at++) {
      try {
        part(own[at]!)
      } catch (error) {
        const to = error instanceof Skip ? own.findIndex(({ name }) => name === error.to) : -1
        if (to < 0) throw error
        at = to - 1
      }
    }
  }
  try {
    sequence(parts)
  } catch (error) {
    if (!(error instanceof Stop) && !(error instanceof Skip && error.to === null)) throw error
  }
  return found
}

function valueOf(sight: Sight | undefined, { completed, conditions }: Meant): unknown {
  if (!sight) return undefined
  const of = (inner: Sight | undefined) => valueOf(inner, { completed, conditions } as Meant)
  switch (sight.is) {
    case 'step':
      return completed.get(sight.name)
    case 'when': {
      const held = conditions.get(sight.name)
      return held === undefined ? undefined : of(held ? sight.holds : sight.otherwise)
    }
    case 'object':
      return stored({ of: of(sight.of) })
    case 'made':
      return { made: stored({ of: of(sight.of) }) }
  }
}

const stored = (value: object): object => JSON.parse(JSON.stringify(value)) as object

/** Whether two parts are in branches beside each other. */
const isBeside = (one: Part, other: Part): boolean => one.beside.some((branch) => other.beside.some((its) => its !== branch && its.split('.')[0] === branch.split('.')[0]))

// ── as it runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

async function run({ workflow }: Composed, choices: readonly number[]): Promise<Play> {
  const code = createRegistry()
  code.add('workspace', workflow)
  const catalogue = catalogueOf(code)
  const play = new Play(workflow.definition)
  const plan = { graph: play.rows.graph, prepared: prepare(play.rows.graph, catalogue), missing: [] }
  let moves = 0
  const around = (): Surround => ({
    state: play.rows.load(),
    plan,
    items: new Map(),
    configs: new Map(),
    carried: new Map(),
    session: () => expect.unreachable('nobody asks for a session'),
    traceparent: () => null,
    now: () => play.now,
    read: () => expect.unreachable('every output is at hand'),
  })
  const carriedOut = async (task: Task): Promise<Happening> => {
    const evaluated = await evaluate(around(), task, new Date(play.now))
    if ('child' in evaluated) return expect.unreachable('there are no children')
    const none = () => expect.unreachable()
    const abilities = { log: () => {}, say: () => {}, secret: none, writeFile: none, tools: none, documents: none, callTool: none }
    return 'happened' in evaluated ? evaluated.happened : evaluated.work.run(new AbortController().signal, abilities)
  }
  for (; !play.rows.isTerminal(); moves++) {
    if (moves > 1_000) throw new Error(`not done after ${moves} moves: ${JSON.stringify(play.states())}`)
    const choice = choices[moves % choices.length]!
    if (play.tasks.length === 0) play.pass(20)
    else if (choice === 0 && moves % 7 === 0) play.crash()
    else play.holder(await carriedOut(play.tasks.splice(choice % play.tasks.length, 1)[0]!))
  }
  return play
}

test('any composition is a valid definition, and its run calls what a plain reading of it calls, in its order and with its values', async () => {
  await fc.assert(
    fc.asyncProperty(drawnParts(3), fc.array(fc.nat(9), { minLength: 5, maxLength: 20 }), async (drawn, choices) => {
      const parts = named(drawn)
      const composition = composed(parts)
      const { workflow, calls, ends, takes, undone, result } = composition
      expect(issuesOf(workflow)).toEqual([])
      const should = meant(parts)
      const play = await run(composition, choices)

      const called = new Set(calls.map(({ name }) => name))
      const stops = should.stops.filter((name) => called.has(name))
      expect(play.run.status === 'completed').toBe(should.stops.length === 0)
      if (stops.length === 0) expect([...called].sort()).toEqual(should.called.map(({ name }) => name).sort())
      else expect(should.called.map(({ name }) => name)).toEqual(expect.arrayContaining([...called]))
      for (const { name, input } of calls) expect(input).toEqual(stored(objectOf(takes.get(name)!.map((sight) => valueOf(sight, should)))))
      for (const [at, later] of should.called.entries()) {
        if (!called.has(later.name)) continue
        const before = should.called.slice(0, at).filter((each) => !isBeside(each, later))
        expect(
          calls
            .slice(
              0,
              calls.findIndex(({ name }) => name === later.name),
            )
            .map(({ name }) => name),
        ).toEqual(expect.arrayContaining(before.map(({ name }) => name)))
      }
      if (should.stops.length === 0) expect(play.run.output?.value ?? null).toEqual(valueOf(result, should) ?? null)
      const undoable = should.called.filter((part) => should.stops.length > 0 && part.undoable && called.has(part.name)).map(({ name }) => name)
      // What was cut off while it was tried again is undone too, somewhere in between.
      expect(undone.map(({ name }) => name).sort()).toEqual(undoable.sort())
      expect(undone.map(({ name }) => name).filter((name) => ends.includes(name))).toEqual(ends.filter((name) => undoable.includes(name)).reverse())
      for (const { name, left } of undone) expect(left).toEqual(ends.includes(name) ? should.completed.get(name) : undefined)
    }),
    { numRuns: Number(process.env['SLUICE_CASES'] ?? 200) },
  )
}, 300_000)

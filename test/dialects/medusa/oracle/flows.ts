import type { Flow } from '@sluice/server'
import { sdk } from './engine.ts'
import type { Act, Case, Comes, Steps, Told, Value } from './sides.ts'

/** The flows that both engines run. */

// ── what steps do ──────────────────────────────────────────────────────────────────────────────────────────────────────

const undone: readonly Comes[] = [{ gives: 'undone' }]
const fails = (message = 'broken'): readonly Comes[] => [{ fails: message }]
const broken = fails()

/** Does nothing but say who it was, and says so again when it is undone. */
const can: Act = { compensates: undone }
const bad: Act = { invokes: broken }
const reported: Act = { options: { async: true }, invokes: ['waits'] }

// ── how they are put together ──────────────────────────────────────────────────────────────────────────────────────────

type Composed = Pick<Case, 'theirs' | 'ours'>

/** One after another, each with what the one before gave. */
function chain(...names: string[]): Composed {
  const each = (steps: Steps, input: Value): Value => names.reduce((given, name) => steps[name]!(given), input)
  return { theirs: each, ours: each }
}

/** First `a`, then some beside each other, then, with what all of them gave, `z`. */
function fork(...names: string[]): Composed {
  return {
    theirs({ a, z, ...steps }, input) {
      const given = a!(input)
      return z!({ all: sdk.parallelize(...names.map((name) => steps[name]!(given))) })
    },
    ours({ a, z, ...steps }, input, w) {
      const given = a!(input)
      return z!({ all: w.parallel(...names.map((name) => () => steps[name]!(given))) })
    },
  }
}

type Holds = (values: { n: number }) => boolean

function branch(holds: Holds): Composed {
  return {
    theirs({ a, b, c, d }, input) {
      a!(input)
      const maybe = sdk.when('big', { n: input['n'] }, holds).then(() => {
        b!(input)
        return c!(input)
      })
      return d!({ maybe })
    },
    ours({ a, b, c, d }, input, w) {
      a!(input)
      const maybe = w.when(
        'big',
        { n: input['n'] },
        (values) => holds(values as unknown as { n: number }),
        () => {
          b!(input)
          return c!(input)
        },
      )
      return d!({ maybe })
    },
  }
}

function hook(): Composed {
  return {
    theirs({ a, z }, input, { hook: at }) {
      const made = a!(input)
      at('made', { by: made['by'] })
      return z!(made)
    },
    ours({ a, z }, input, w: Flow<unknown>) {
      const made = a!(input)
      const at = w.hook('made', { by: made['by'] })
      return w.result(z!(made), { hooks: [at] })
    },
  }
}

const around = (name: string): Composed => chain('a', `${name}-as-step`, 'z')

// ── how they are driven ────────────────────────────────────────────────────────────────────────────────────────────────

const paying: Case['drive'] = async (side) => {
  await side.run()
  await side.awaited('pay')
  await side.look('waiting')
}

// ── the flows ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export const cases: readonly Case[] = [
  { name: 'success', rules: 'E4, E7, E8', acts: { a: {}, b: can, c: {} }, ...chain('a', 'b', 'c') },
  { name: 'left-for-undoing', rules: 'E8, E21', acts: { a: { invokes: [{ gives: { a: 1 }, leaves: { undo: 1 } }], compensates: undone }, b: bad }, ...chain('a', 'b') },
  {
    name: 'values',
    rules: 'E8',
    acts: { a: { invokes: [{ gives: [1, null, 'x'] }] }, b: { invokes: [{ gives: null }] }, c: { invokes: [{ gives: 0 }] }, d: {} },
    ...chain('a', 'b', 'c', 'd'),
  },
  { name: 'parallel-two', rules: 'E7', acts: { a: {}, b: {}, c: {}, z: {} }, beside: ['b', 'c'], ...fork('b', 'c') },
  { name: 'parallel-three', rules: 'E7', acts: { a: can, b: can, c: can, d: can, z: can }, beside: ['b', 'c', 'd'], ...fork('b', 'c', 'd') },
  { name: 'parallel-then-failure', rules: 'E7, E13, E21', acts: { a: can, b: can, c: can, z: bad }, beside: ['b', 'c'], ...fork('b', 'c') },
  {
    name: 'parallel-failure',
    rules: 'E13, E21',
    acts: { a: can, b: { ...bad, compensates: undone }, c: { ...can, takes: 100 }, z: {} },
    beside: ['b', 'c'],
    ...fork('b', 'c'),
  },
  { name: 'when-true', rules: 'E15', acts: { a: {}, b: {}, c: {}, d: {} }, ...branch(({ n }) => n > 2) },
  { name: 'when-false', rules: 'E15', acts: { a: {}, b: {}, c: {}, d: {} }, ...branch(({ n }) => n > 5) },
  { name: 'when-false-failure', rules: 'E15, E20', acts: { a: can, b: can, c: can, d: bad }, ...branch(({ n }) => n > 5) },
  {
    name: 'transformed',
    rules: 'E16',
    acts: { a: {}, b: {} },
    theirs({ a, b }, input) {
      const sum = sdk.transform({ n: input['n'], by: a!(input)['by'] }, ({ n, by }: Told) => `${by}${n + 1}`)
      return b!({ sum })
    },
    ours({ a, b }, input, w) {
      const sum = w.transform({ n: input['n'], by: a!(input)['by'] }, (values) => {
        const { n, by } = values as unknown as { n: number; by: string }
        return `${by}${n + 1}`
      })
      return b!({ sum })
    },
  },
  { name: 'hook-free', rules: 'E17', acts: { a: {}, z: {} }, ...hook() },
  { name: 'hook-taken', rules: 'E17', acts: { a: {}, z: {} }, hooked: 'made', ...hook() },
  { name: 'hook-failure', rules: 'E17, E20', acts: { a: can, z: bad }, hooked: 'made', ...hook() },
  { name: 'retried', rules: 'E10', acts: { a: { options: { maxRetries: 2 }, invokes: [{ fails: 'one' }, { fails: 'two' }, { gives: 3 }] }, b: {} }, ...chain('a', 'b') },
  {
    name: 'retries-spent',
    rules: 'E10, E20',
    acts: { a: can, b: { options: { maxRetries: 2 }, invokes: [{ fails: 'one' }, { fails: 'two' }, { fails: 'three' }], compensates: undone } },
    ...chain('a', 'b'),
  },
  {
    name: 'retry-interval',
    rules: 'E4, E10',
    acts: { a: {}, b: { options: { maxRetries: 1, retryInterval: 1.5 }, invokes: [{ fails: 'one' }, { gives: 2 }] }, c: {} },
    ...chain('a', 'b', 'c'),
    async drive(side) {
      await side.run()
      await side.look('waiting')
      await side.over()
    },
  },
  {
    name: 'for-good',
    rules: 'E11',
    acts: { a: can, b: { options: { maxRetries: 3 }, invokes: [{ failsForGood: 'lost', leaves: { parcel: 7 } }], compensates: undone } },
    ...chain('a', 'b'),
  },
  { name: 'for-good-bare', rules: 'E11', acts: { a: can, b: { options: { maxRetries: 3 }, invokes: [{ failsForGood: 'lost' }], compensates: undone } }, ...chain('a', 'b') },
  { name: 'continued', rules: 'E14', acts: { a: can, b: { invokes: broken, options: { continueOnPermanentFailure: true } }, c: {} }, ...chain('a', 'b', 'c') },
  {
    name: 'continued-then-failure',
    rules: 'E14, E20',
    acts: { a: can, b: { invokes: broken, compensates: undone, options: { continueOnPermanentFailure: true } }, c: bad },
    ...chain('a', 'b', 'c'),
  },
  { name: 'skipped', rules: 'E14', acts: { a: can, b: { invokes: broken, options: { skipOnPermanentFailure: true } }, c: {}, d: {} }, ...chain('a', 'b', 'c', 'd') },
  { name: 'skipped-to', rules: 'E14', acts: { a: can, b: { invokes: broken, options: { skipOnPermanentFailure: 'd' } }, c: {}, d: {}, e: {} }, ...chain('a', 'b', 'c', 'd', 'e') },
  { name: 'failure-first', rules: 'E5, E13, E20', acts: { a: bad, b: can }, ...chain('a', 'b') },
  { name: 'failure-middle', rules: 'E5, E13, E20, E21', acts: { a: can, b: { ...bad, compensates: undone }, c: can }, ...chain('a', 'b', 'c') },
  { name: 'failure-last', rules: 'E5, E20, E21', acts: { a: can, b: can, c: bad }, ...chain('a', 'b', 'c') },
  { name: 'nothing-undoes', rules: 'E22', acts: { a: {}, b: can, c: {}, d: bad }, ...chain('a', 'b', 'c', 'd') },
  {
    name: 'undoing-retried',
    rules: 'E23',
    acts: { a: can, b: { options: { maxRetries: 1 }, compensates: [{ fails: 'not yet' }, { gives: 'undone' }] }, c: bad },
    ...chain('a', 'b', 'c'),
  },
  { name: 'undoing-failed', rules: 'E23', acts: { a: can, b: { options: { maxRetries: 1 }, compensates: fails('stuck') }, c: bad }, ...chain('a', 'b', 'c') },
  {
    name: 'reported',
    rules: 'E4, E9',
    acts: { a: can, pay: { ...reported, compensates: undone }, z: {} },
    ...chain('a', 'pay', 'z'),
    async drive(side) {
      await paying(side)
      await side.succeed('pay', { paid: 7 })
      await side.over()
      // Too late, and once more.
      await side.fail('pay', { paid: 8 })
      await side.succeed('pay', { paid: 7 })
    },
  },
  {
    name: 'report-repeated',
    rules: 'E9',
    acts: { pay: reported, ship: reported },
    ...chain('pay', 'ship'),
    async drive(side) {
      await paying(side)
      await side.succeed('ship', 1)
      await side.succeed('pay', { paid: 7 }, { action: 'compensate' })
      await side.succeed('pay', { paid: 7 })
      await side.awaited('ship')
      await side.succeed('pay', { paid: 7 })
      await side.succeed('pay', { paid: 8 })
      await side.fail('pay', { paid: 7 })
      await side.succeed('ship')
      await side.over()
    },
  },
  {
    name: 'report-of-failure',
    rules: 'E12, E20',
    acts: { a: can, pay: { ...reported, compensates: undone }, z: {} },
    ...chain('a', 'pay', 'z'),
    async drive(side) {
      await paying(side)
      await side.fail('pay', { message: 'no money', left: 2 })
      await side.over()
    },
  },
  {
    name: 'report-of-failure-retried',
    rules: 'E12',
    acts: { pay: { options: { async: true, maxRetries: 1 }, invokes: ['waits'] }, z: {} },
    ...chain('pay', 'z'),
    async drive(side) {
      await paying(side)
      await side.fail('pay', 'no money')
      await side.awaited('pay', 2)
      await side.look('again')
      await side.succeed('pay', { paid: 7 })
      await side.over()
    },
  },
  {
    name: 'reported-then-failure',
    rules: 'E9, E20',
    acts: { a: can, pay: { ...reported, compensates: undone }, z: bad },
    ...chain('a', 'pay', 'z'),
    async drive(side) {
      await paying(side)
      await side.succeed('pay', { paid: 7 }, { leaves: { refund: 7 } })
      await side.over()
    },
  },
  {
    name: 'reported-two',
    rules: 'E9, E32',
    acts: { a: {}, b: reported, c: reported, z: {} },
    beside: ['b', 'c'],
    ...fork('b', 'c'),
    async drive(side) {
      await side.run()
      await side.awaited('b')
      await side.awaited('c')
      await side.look('waiting')
      await side.succeed('c', { c: 1 })
      await side.look('one')
      await side.succeed('b', { b: 1 })
      await side.over()
    },
  },
  {
    name: 'reported-five',
    rules: 'E32',
    acts: { a: {}, b: reported, c: reported, d: reported, e: reported, f: reported, z: {} },
    beside: ['b', 'c', 'd', 'e', 'f'],
    ...fork('b', 'c', 'd', 'e', 'f'),
    async drive(side) {
      await side.run()
      for (const step of ['b', 'c', 'd', 'e', 'f']) await side.awaited(step)
      await Promise.all(['b', 'c', 'd', 'e', 'f'].map((step) => side.succeed(step, { step })))
      await side.over()
    },
  },
  {
    name: 'reported-beside-failure',
    rules: 'E13',
    acts: { a: can, b: { ...reported, compensates: undone }, c: { ...reported, compensates: undone }, z: {} },
    beside: ['b', 'c'],
    ...fork('b', 'c'),
    async drive(side) {
      await side.run()
      await side.awaited('b')
      await side.awaited('c')
      await side.fail('b', { message: 'no' })
      await side.look('failed')
      await side.succeed('c', { c: 1 })
      await side.over()
    },
  },
  {
    name: 'step-timeout',
    rules: 'E25',
    acts: { a: can, b: { options: { timeout: 0.1 }, takes: 300, compensates: undone }, c: {} },
    ...chain('a', 'b', 'c'),
    async drive(side) {
      await side.run()
      await side.over()
    },
  },
  {
    name: 'step-timeout-waiting',
    rules: 'E25',
    acts: { a: can, pay: { options: { async: true, timeout: 0.3 }, invokes: ['waits'], compensates: undone }, z: {} },
    ...chain('a', 'pay', 'z'),
    async drive(side) {
      await side.run()
      await side.over()
    },
  },
  {
    name: 'step-timeout-continued',
    rules: 'E14, E25',
    acts: { pay: { options: { async: true, timeout: 0.3, continueOnPermanentFailure: true }, invokes: ['waits'] }, z: {} },
    ...chain('pay', 'z'),
    async drive(side) {
      await side.run()
      await side.over()
    },
  },
  {
    name: 'timeout',
    rules: 'E26',
    options: { timeout: 1.5 },
    acts: { a: can, pay: { ...reported, compensates: undone }, z: {} },
    ...chain('a', 'pay', 'z'),
    async drive(side) {
      await side.run()
      await side.over()
    },
  },
  {
    name: 'background',
    rules: 'E9',
    acts: { a: {}, b: { options: { async: true }, takes: 100 }, c: {} },
    ...chain('a', 'b', 'c'),
    async drive(side) {
      await side.run()
      await side.over()
    },
  },
  {
    name: 'background-failure',
    rules: 'E9, E20',
    acts: { a: can, b: { options: { async: true }, invokes: broken, takes: 100, compensates: undone }, c: {} },
    ...chain('a', 'b', 'c'),
    async drive(side) {
      await side.run()
      await side.over()
    },
  },
  {
    name: 'undoing-reported',
    rules: 'E9, E21',
    acts: { a: can, b: { options: { compensateAsync: true }, compensates: ['waits'] }, c: bad },
    ...chain('a', 'b', 'c'),
    async drive(side) {
      await side.run()
      await side.undoing('b')
      await side.look('undoing')
      await side.succeed('b', { back: 1 }, { action: 'compensate' })
      await side.over()
    },
  },
  {
    name: 'retry-by-hand',
    rules: 'E10',
    acts: { a: {}, b: { options: { maxRetries: 3, autoRetry: false }, invokes: [{ fails: 'one' }, { fails: 'two' }, { gives: 3 }] }, c: {} },
    ...chain('a', 'b', 'c'),
    async drive(side) {
      await side.run()
      await side.look('waiting')
      await side.run()
      await side.run()
      await side.over()
    },
  },
  {
    name: 'reminded',
    rules: 'E10',
    acts: { pay: { options: { async: true, retryIntervalAwaiting: 0.2, maxAwaitingRetries: 3 }, invokes: ['waits'] }, z: {} },
    ...chain('pay', 'z'),
    async drive(side) {
      await side.run()
      await side.awaited('pay', 3)
      await new Promise((resolve) => setTimeout(resolve, 500))
      await side.succeed('pay', { paid: 7 })
      await side.over()
    },
  },
  {
    name: 'nested',
    rules: 'E18',
    acts: { a: {}, z: {} },
    nested: { name: 'nested-child', rules: 'E18', acts: { 'in-a': {}, 'in-b': {} }, ...chain('in-a', 'in-b') },
    ...around('nested-child'),
  },
  {
    name: 'nested-failing',
    rules: 'E18, E20',
    acts: { a: can, z: {} },
    nested: { name: 'nested-failing-child', rules: 'E18', acts: { 'in-a': can, 'in-b': bad }, ...chain('in-a', 'in-b') },
    ...around('nested-failing-child'),
  },
  {
    name: 'nested-retrying',
    rules: 'E18, E10',
    acts: { a: can, z: {} },
    nested: {
      name: 'nested-retrying-child',
      rules: 'E18',
      acts: { 'in-a': can, 'in-b': { options: { maxRetries: 1 }, invokes: [{ fails: 'one' }, { gives: 2 }] } },
      ...chain('in-a', 'in-b'),
    },
    ...around('nested-retrying-child'),
  },
  {
    name: 'nested-retries-spent',
    rules: 'E10, E18, E20',
    acts: { a: can, z: {} },
    nested: { name: 'nested-retries-spent-child', rules: 'E18', acts: { 'in-a': can, 'in-b': { options: { maxRetries: 1 }, invokes: broken } }, ...chain('in-a', 'in-b') },
    ...around('nested-retries-spent-child'),
  },
  {
    name: 'nested-then-failure',
    rules: 'E18, E21',
    acts: { a: can, z: bad },
    nested: { name: 'nested-then-failure-child', rules: 'E18', acts: { 'in-a': can }, ...chain('in-a') },
    ...around('nested-then-failure-child'),
  },
  {
    name: 'nested-waiting',
    rules: 'E18',
    acts: { a: {}, z: {} },
    nested: { name: 'nested-waiting-child', rules: 'E18', acts: { 'in-a': { options: { async: true }, takes: 50 }, 'in-b': {} }, ...chain('in-a', 'in-b') },
    ...around('nested-waiting-child'),
    async drive(side) {
      await side.run()
      await side.over()
    },
  },
  {
    name: 'nested-waiting-failing',
    rules: 'E18, E20',
    acts: { a: can, z: {} },
    nested: {
      name: 'nested-waiting-failing-child',
      rules: 'E18',
      acts: { 'in-a': { options: { async: true }, takes: 50, compensates: undone }, 'in-b': bad },
      ...chain('in-a', 'in-b'),
    },
    ...around('nested-waiting-failing-child'),
    async drive(side) {
      await side.run()
      await side.over()
    },
  },
  {
    name: 'run-while-waiting',
    rules: 'E2',
    acts: { a: {}, pay: reported, z: {} },
    ...chain('a', 'pay', 'z'),
    async drive(side) {
      await paying(side)
      await side.run()
      await side.succeed('pay', { paid: 7 })
      await side.over()
    },
  },
  {
    name: 'run-again',
    rules: 'E3',
    acts: { a: {}, b: {} },
    ...chain('a', 'b'),
    async drive(side) {
      await side.run({ n: 3 })
      await side.run({ n: 4 })
    },
  },
  {
    name: 'idempotent',
    rules: 'E3',
    options: { idempotent: true, retentionTime: 60 },
    acts: { a: {}, b: {} },
    ...chain('a', 'b'),
    async drive(side) {
      await side.run()
      await side.run()
    },
  },
  {
    name: 'cancelled',
    rules: 'E24',
    acts: { a: can, pay: { ...reported, compensates: undone }, z: {} },
    ...chain('a', 'pay', 'z'),
    async drive(side) {
      await paying(side)
      await side.cancel()
      await side.look('cancelled')
      await side.succeed('pay', { paid: 7 })
      await side.over()
    },
  },
]

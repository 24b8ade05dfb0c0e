import { defineWorkflow, type Flow } from '../../src/code/index.ts'
import { hashOf } from '../../src/workflows/canonical.ts'

/** Run by itself: prints what the version of a workflow is known by. */

const order = defineWorkflow('order', (w: Flow<{ id: string; total: number }>) => {
  const [twice, thrice] = [2, 3].map((by) => w.transform(w.input.total, (total) => total * by))
  w.parallel(
    () => w.step('charge', { input: { twice, thrice }, invoke: async () => 1, onFailure: 'continue' }),
    () =>
      w.when(
        'big',
        { total: w.input.total },
        ({ total }) => total > 100,
        () => w.step('check', { invoke: async () => 1 }),
      ),
  )
  const created = w.hook('created', { id: w.input.id })
  return w.result({ twice }, { hooks: [created] })
})
process.stdout.write(`${[hashOf(order.definition), ...order.functions.keys()].join(' ')}\n`)

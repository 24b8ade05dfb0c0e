import { expect, test } from 'vitest'
import { type Server, createRig, tell } from '../support/rig.ts'

test('a run that kills its worker every time ends with worker_lost at the fifth death; its neighbours finish', { timeout: 180_000 }, async () => {
  await using rig = await createRig()
  let server: Server = await rig.serve()
  const poison = await rig.chain(['poison'])
  const neighbour = await rig.chain(['a', 'b', 'c', 'd'])
  let deaths = 0
  let again = Promise.resolve()
  const { promise: over, resolve } = Promise.withResolvers<void>()
  rig.receiver.before = ({ step }) => {
    // A neighbour is in the middle of something at each death.
    if (step !== 'poison') return new Promise((done) => setTimeout(done, 2_000))
    deaths++
    again = again.then(async () => {
      await server.kill()
      server = await rig.serve()
    })
    return new Promise(() => {})
  }
  const begun = performance.now()
  const neighbours = await Promise.all(Array.from({ length: 8 }, () => server.start(neighbour)))
  const { body: run } = await server.start(poison)
  await rig.ended([run.id], 120_000)
  resolve()
  await over
  await again
  const [row] = await rig.database.query<{ status: string; reason: { code: string }; deaths: number }>('select status, reason, deaths from runs where id = $1', [run.id])
  tell(`five deaths took ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  expect([row!.status, row!.reason.code, deaths]).toEqual(['failed', 'worker_lost', 5])

  const ids = neighbours.map(({ body }) => body.id)
  await rig.ended(ids, 40_000)
  await rig.check(ids, ['a', 'b', 'c', 'd'])
  expect(rig.receiver.keys('poison')).toHaveLength(1)
})

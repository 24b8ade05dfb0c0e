import { expect, test } from 'vitest'
import { Fault } from '@sluice/schema'
import { getRun } from '../packages/server/src/store/views/runs.ts'
import { flow, values } from './support/flow.ts'
import { testServer } from './support/server.ts'

test('runs that many ask for at once are each told to who asked, as they stand, and those of others are missing', async () => {
  await using server = await testServer()
  const { database } = server.db
  const [workspace] = await database.query<{ id: string }>('select id from workspaces')
  const definition = (of: number) => flow({ in: 'input', [`only${of}`]: values({ of }) }, [`in > only${of}`])
  const made = []
  for (let of = 0; of < 20; of++) made.push(await server.run(definition(of), { input: { of }, until: 'finished' }))
  const alone = []
  for (const { id } of made) alone.push(await getRun(database, workspace!.id, id))
  expect(alone.map(({ input, output, nodes }) => [input, output, nodes[1]?.step])).toEqual(made.map((_, of) => [{ of }, { [`only${of}`]: { of } }, `only${of}`]))
  const asked = [...made, ...made].flatMap(({ id }) => [getRun(database, workspace!.id, id), getRun(database, 'elsewhere', id).catch((error: unknown) => error)])
  const told = await Promise.all(asked)
  expect(told.filter((_, at) => at % 2 === 0)).toEqual([...alone, ...alone])
  expect(told.filter((_, at) => at % 2 === 1).every((error) => error instanceof Fault && error.code === 'run_missing')).toBe(true)
})

import type { Definition, Workflow } from '@sluice/schema'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aWireDefinition, filled } from '../../../packages/server/test/dialects/pyspur/wire.ts'
import { aDefinition } from '../../../packages/server/test/workflows/definitions.ts'
import { sayable } from '../../../packages/server/src/dialects/pyspur/index.ts'
import { pyspurServer, type PySpur } from './server.ts'

let spur: PySpur
beforeAll(async () => {
  spur = await pyspurServer()
})
afterAll(() => spur[Symbol.asyncDispose]())

const overJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

test('a definition survives create, get, update and duplicate unchanged but for its defaults', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(aWireDefinition, async (sent) => {
      const wanted = overJson(filled(sent))
      const { status, body: made } = await spur.call('POST', '/wf/', { name: 'Any', definition: sent })
      expect([status, made.definition]).toEqual([200, wanted])
      expect((await spur.call('GET', `/wf/${made.id}/`)).body).toEqual(made)
      const { body: put } = await spur.api.call('PUT', `/wf/${made.id}/`, made)
      expect(put).toEqual({ ...made, updated_at: put.updated_at })
      const { body: copy } = await spur.call('POST', `/wf/${made.id}/duplicate/`)
      expect(copy.definition).toEqual(wanted)
    }),
    { numRuns: 40 },
  )
})

test('a workflow that was made natively loses no setting when a client of PySpur saves it as it was shown', { timeout: 120_000 }, async () => {
  let rounds = 0
  await fc.assert(
    fc.asyncProperty(aDefinition, async (native) => {
      const definition = overJson(native)
      fc.pre(sayable(definition) && !/"(__proto__|constructor|prototype)"/.test(JSON.stringify(definition)))
      rounds++
      const before = await spur.server.workflow(definition)
      const { body: shown } = await spur.call('GET', `/wf/${before.id}/`)
      expect((await spur.call('PUT', `/wf/${before.id}/`, shown)).body.definition).toEqual(shown.definition)
      const after = await spur.server.call<Workflow>('GET', `/v1/workflows/${before.id}`)
      expect(beyond(after.draft)).toEqual(beyond(before.draft))
      expect(after.draft.nodes.map(({ id, type, config = {} }) => [id, type, config])).toEqual(before.draft.nodes.map(({ id, type, config = {} }) => [id, type, config]))
    }),
    { numRuns: 60 },
  )
  expect(rounds).toBeGreaterThan(20)
})

/** What PySpur has no words for. */
const beyond = ({ settings, nodes }: Definition) => ({ settings, nodes: nodes.map(({ id, settings: own, extra }) => ({ id, settings: own, extra })) })

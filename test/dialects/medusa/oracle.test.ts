import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { agreed, isOf, table } from './oracle/agreed.ts'
import { differences } from './oracle/compare.ts'
import { createEngine } from './oracle/engine.ts'
import { cases } from './oracle/flows.ts'
import { composeOurs, createOurs } from './oracle/ours.ts'
import { createTheirs } from './oracle/theirs.ts'
import { medusaServer, type MedusaServer } from './server.ts'
import { watch } from './watch.ts'

/**
 * Medusa's own engine is the oracle: each flow is run by it and by ours, with the same handlers and the same hand that reports on
 * steps. What is answered, which handlers are called with what, what subscribers are told, and how the execution and its context
 * stand, in between and in the end, is alike, but where it is agreed that it is not.
 */

const engine = createEngine()
const composed = cases.map((flow) => {
  const calls: string[] = []
  return { flow, calls, workflows: composeOurs(flow, calls) }
})

let medusa: MedusaServer
beforeAll(async () => {
  medusa = await medusaServer(
    {},
    composed.flatMap(({ workflows }) => workflows),
  )
})
afterAll(() => medusa[Symbol.asyncDispose]())

const found = new Map<object, Set<string>>(agreed.flatMap(({ parts }) => parts.map((part) => [part, new Set()])))
const parts = [...found.keys()] as Parameters<typeof isOf>[0][]
const run = new Set<string>()

describe('both engines tell the same', () => {
  test.for(composed.map((each) => [each.flow.name, each.flow.rules, each] as const))('of %s (%s)', async ([, , { flow, calls }]) => {
    const { drive = (side) => side.run() } = flow
    const theirs = createTheirs(engine, flow)
    await drive(theirs.side)
    const watcher = await watch(medusa.server, flow.name, 'order-42')
    const ours = createOurs(medusa, watcher, flow, calls)
    await drive(ours.side)
    await watcher.over()
    const unknown = differences(theirs.account(), await ours.account()).filter((difference) => {
      const known = parts.filter((part) => isOf(part, flow.name, difference))
      for (const part of known) found.get(part)!.add(flow.name)
      return known.length === 0
    })
    expect(unknown).toEqual([])
    run.add(flow.name)
  })
})

describe('where they do not', () => {
  test('it is found, as it is agreed', ({ skip }) => {
    if (run.size < cases.length) skip('not all flows were run')
    const gone = parts.flatMap((part) => {
      const seen = found.get(part)!
      const missing = (part.flows ?? ['some flow']).filter((flow) => (part.flows ? !seen.has(flow) : seen.size === 0))
      return missing.length > 0 ? [{ ...part, missing }] : []
    })
    expect(gone).toEqual([])
  })

  test('the page on Medusa says so, and why', async () => {
    const page = await readFile(new URL('../../../docs/dialects/medusa.md', import.meta.url), 'utf8')
    const [, after = ''] = page.split("## Beside Medusa's engine\n")
    expect(/\|.*\|(?=\n\n)/s.exec(after)?.[0]).toBe(table())
  })
})

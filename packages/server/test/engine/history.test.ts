import type { Definition, Json, Node, StartRun } from '@sluice/schema'
import { limits } from '@sluice/schema'
import { Schema } from 'effect'
import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import { received, remembering } from '../../src/engine/history.ts'
import { createModels } from '../../src/models/models.ts'
import { createCatalogue } from '../../src/nodes/catalogue.ts'
import type { NodeAlias, ReceivedMessage } from '../../src/nodes/contract.ts'
import { createOutside } from '../../src/outside/outside.ts'
import { createSandbox } from '../../src/sandbox/sandbox.ts'
import type { Tx } from '../../src/store/database.ts'

const hears = (type: string, receives?: (message: ReceivedMessage) => Json): NodeAlias => ({
  dialect: 'pyspur',
  type,
  of: 'input',
  title: 'Toy',
  description: 'A toy',
  category: 'flow',
  config: Schema.Unknown,
  map: () => ({ config: {}, places: [] }),
  ...(receives && { receives }),
})

const outside = createOutside({ allow: [] })
const aliases = [hears('Ear', ({ text, history }) => ({ heard: text, before: history })), hears('Deaf')]
const catalogue = createCatalogue({ outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) }, [], aliases)

const history: ReceivedMessage['history'] = [
  { role: 'user', content: 'one' },
  { role: 'assistant', content: '1' },
]

/** A session with that history, which remembers how many bytes of it were asked for. */
function session(): Tx & { asked: unknown[] } {
  const asked: unknown[] = []
  return {
    asked,
    query: <R extends pg.QueryResultRow>(_statement: unknown, [, bytes]: readonly unknown[] = []) => {
      asked.push(bytes)
      // The rows are those of the one statement that is asked here.
      return Promise.resolve(history as readonly pg.QueryResultRow[] as R[])
    },
  }
}

const definition = (kind: Definition['kind'], ...types: string[]): Definition => ({ kind, nodes: types.map((type, at): Node => ({ id: `${type}${at}`, type })), links: [] })
const message = { text: 'two', metadata: { n: 2 }, files: ['f'], sessionId: 's', messageId: 'm' }

describe('a message', () => {
  test('is one value for all input nodes of native types, with what was said before for those of a chatbot', async () => {
    const tx = session()
    expect(await received(tx, definition('chatbot', 'input', 'input'), catalogue, message)).toEqual({ input: { ...message, history } })
    expect(await received(tx, definition('workflow', 'input'), catalogue, message)).toEqual({ input: message })
    expect(await received(tx, definition('agent', 'Deaf'), catalogue, message)).toEqual({ input: message })
    expect(tx.asked).toEqual([limits.historyBytes])
  })

  test('is what an alias makes of it for its own nodes, in a definition of any kind', async () => {
    const own = { heard: 'two', before: history }
    for (const [kind, plain] of [
      ['workflow', message],
      ['chatbot', { ...message, history }],
    ] as const) {
      const got = await received(session(), definition(kind, 'Ear', 'template', 'input'), catalogue, message)
      expect('byNode' in got && [...got.byNode]).toEqual([
        ['Ear0', own],
        ['input2', plain],
      ])
    }
  })

  test('brings as much history to many nodes as to one', async () => {
    const tx = session()
    await received(tx, definition('workflow', 'Ear', 'Ear', 'input'), catalogue, message)
    await received(tx, definition('chatbot', 'Ear', 'Ear', 'input'), catalogue, message)
    expect(tx.asked).toEqual([limits.historyBytes / 2, Math.floor(limits.historyBytes / 3)])
  })
})

describe('a start', () => {
  const start = (more: Partial<StartRun>): StartRun => ({ workflow: 'w', sessionId: 's', historyAs: 'past', ...more })

  test('asks for no history that nothing in it takes', async () => {
    const tx = session()
    const starts: Partial<StartRun>[] = [{ historyAs: undefined, input: {} }, { input: 'text' }, { input: { past: ['mine'] } }, { inputs: { a: null } }, {}]
    for (const more of starts) {
      const asked = start(more)
      expect(await remembering(tx, asked)).toEqual(asked)
    }
    expect(tx.asked).toEqual([])
  })

  test('keeps what it has under the name', async () => {
    const { inputs } = await remembering(session(), start({ inputs: { a: { past: 0 }, b: { past: false }, c: { past: '' }, d: { past: {} }, e: {} } }))
    expect(inputs).toEqual({ a: { past: 0 }, b: { past: false }, c: { past: '' }, d: { past: {} }, e: { past: history } })
  })
})

import type { Json } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { changeOf, writeChanges } from '../../src/engine/commit.ts'
import { payloadOf } from '../../src/engine/payload.ts'
import { contextWith, tellingOf } from '../../src/engine/telling.ts'
import type { Statement, Tx } from '../../src/store/database.ts'
import { graph, Play } from './play.ts'

const node = (id: string, more: object = {}) => ({ id, type: 'work', ...more })
const chain = (...ids: string[]) => ({
  kind: 'workflow' as const,
  nodes: ids.map((id) => node(id)),
  links: ids.slice(1).map((target, index) => ({ source: ids[index]!, target })),
})
const round = (definition: ConstructorParameters<typeof Play>[0], options: ConstructorParameters<typeof Play>[1] = {}) =>
  new Play(definition, { ...options, given: { ...options.given, sessionId: '000000session00' } })
const told = (play: Play) => tellingOf(play.turn)!
const logs = (play: Play) => told(play).said.flatMap((said) => (said.kind === 'log' ? [`${said.level}: ${said.message}`] : []))
const pause = (kind: 'approval' | 'question') => ({
  for: 'pause' as const,
  input: null,
  pause: { kind, message: 'Which?', form: null, assignee: null, expiresInMs: null, onExpiry: null, blocks: 'dependants' as const },
})
const gathered = (play: Play, output: Json) => play.holder({ is: 'gathered', output: payloadOf(output) })

/** A transaction that finds nothing, and remembers what it was asked. */
function remembering(): Tx & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    async query(statement: Statement | string) {
      const name = typeof statement === 'string' ? statement : statement.name
      asked.push(name)
      return (name.startsWith('commit ') ? [{ id: '' }] : []) as never
    },
  }
}

test('C5: a run that is no round pays nothing for sessions: its change is one statement, and tells nobody', async () => {
  const play = new Play(chain('a', 'b'))
  const change = changeOf(play.turn)
  expect(change.telling).toBeNull()
  const tx = remembering()
  await writeChanges(tx, [change])
  expect(tx.asked).toEqual([expect.stringMatching(/^commit /)])
})

test('C5: the run is written before its session is locked', async () => {
  const play = round(chain('a'))
  const change = changeOf(play.turn)
  const tx = remembering()
  await writeChanges(
    { ...tx, query: async (statement: Statement) => (await tx.query(statement), statement.name.startsWith('commit ') ? [{ id: change.run.id }] : []) } as unknown as Tx,
    [change],
  )
  expect(tx.asked).toEqual([expect.stringMatching(/^commit /), 'sessions-lock'])
})

describe('T1: what a session shows of its round follows from the round', () => {
  test('running while it moves, waiting whatever it waits for or while it is held, and ended as it ended', () => {
    const play = round(chain('a', 'b'))
    expect(told(play)).toMatchObject({ begins: true, status: 'running', currentStepId: 'a', progress: 0 })
    play.wait('a', { for: 'report' })
    expect(told(play).status).toBe('waiting')
    const asking = round(chain('a')).wait('a', pause('approval'))
    expect(told(asking)).toMatchObject({ status: 'waiting' })
    asking.outside({ is: 'held' })
    expect(told(asking).status).toBe('waiting')
    expect(told(round(chain('a')).outside({ is: 'held' })).status).toBe('waiting')
    expect(told(round(chain('a')).fail('a')).status).toBe('failed')
    const done = gathered(round(chain('a')).complete('a'), null)
    expect(told(done)).toMatchObject({ status: 'completed', progress: 100, ends: true })
  })

  test('the step that began last is the current one, and the last of all stays it', () => {
    const play = round({ kind: 'workflow', nodes: [node('a'), node('b'), node('c')], links: [{ source: 'a', target: 'c' }] })
    expect(told(play).currentStepId).toBe('b')
    play.complete('b')
    expect(told(play).currentStepId).toBe('a')
    play.complete('a').complete('c')
    expect(told(play).currentStepId).toBeNull()
    expect(told(play).steps!.map(({ id, status }) => `${id} ${status}`)).toEqual(['a completed', 'b completed', 'c completed'])
  })

  test('a question is put in the conversation, an approval is logged: who reads along knows what it waits for', () => {
    expect(told(round(chain('a')).wait('a', pause('question'))).said).toEqual([{ kind: 'message', role: 'assistant', text: 'Which?', metadata: { pauseId: 'p1' }, files: [] }])
    expect(told(round(chain('a')).wait('a', pause('approval'))).said).toEqual([{ kind: 'log', level: 'warn', message: 'Waits for approval p1: Which?', nodeId: 'a', step: 'a' }])
  })

  test('what becomes of an approval is logged with who decided, and why; an answer to a question is a message of its own', () => {
    const decided = (kind: 'approval' | 'question', action: 'approve' | 'decline' | 'override', comments: string | null = null, label: string | null = null) => {
      const play = round(chain('a', 'b')).wait('a', pause(kind))
      play.outside({ is: 'decided', pauseId: 'p1', action, by: { id: 'u1', label }, inputs: null, comments, key: null })
      return logs(play)
    }
    expect(decided('approval', 'approve')).toEqual(['info: Approval p1 was approved by u1'])
    expect(decided('approval', 'override', 'I know better', 'Ada')).toEqual(['info: Approval p1 was overridden by Ada: I know better'])
    expect(decided('approval', 'decline')[0]).toBe('info: Approval p1 was declined by u1')
    expect(decided('question', 'approve')).toEqual([])
    const late = round(chain('a')).pause('a', { expiresInMs: 100, onExpiry: { action: 'approve' } })
    late.now += 100
    late.outside({ is: 'due', nodeId: 'a', iteration: '', timer: 'wait' })
    expect(logs(late)).toEqual(['warn: Nobody decided on approval p1 in time'])
  })

  describe('of what stands in bodies', () => {
    const body = graph({ m: { type: 'map' }, a: { parentId: 'm' }, l: { type: 'map', parentId: 'm' }, think: { type: 'llm', parentId: 'l' } }, 'a -> l')
    const begun = () => round(body).fan('m', 2, { concurrency: 2 })

    test('those who take their time or act are told of when they begin, with the item that they are of; what only computes is not', () => {
      const play = begun()
      expect(logs(play)).toEqual([])
      play.complete('a', null, ['default'], '1')
      play.fan('l', 3, { iteration: '1', concurrency: 3 })
      expect(logs(play)).toEqual(['info: think (2.1) began', 'info: think (2.2) began', 'info: think (2.3) began'])
    })

    test('what fails, and what is tried again, is told of all', () => {
      const failing = begun().fail('a', { iteration: '1' })
      expect(logs(failing)[0]).toBe('error: a (2) failed: It broke')
      const again = { ...body, nodes: body.nodes.map((each) => (each.id === 'a' ? { ...each, settings: { retry: { maxAttempts: 2, backoffMs: 10 } } } : each)) }
      const play = round(again).fan('m', 1).fail('a', { iteration: '0' })
      expect(logs(play)).toEqual(['warn: a (1) failed and will be tried again: It broke'])
      play.pass(1_000)
      expect(logs(play)).toEqual(['info: a (1) began again (attempt 2)'])
    })

    test('the node at the top that they stand in is the current step, and progress counts it when it has ended', () => {
      const play = begun().complete('a', null, ['default'], '1')
      expect(told(play)).toMatchObject({ currentStepId: 'm', progress: 0 })
    })
  })

  test('what a model wants to call is told, however it is done, and no more of it than a line holds', () => {
    const calls = (output: Json) => logs(round(graph({ think: { type: 'llm' } })).complete('think', output)).filter((line) => line.includes('calls'))
    expect(calls({ text: '', toolCalls: [{ id: '1', name: 'query_table', arguments: { file: 'a.csv' } }] })).toEqual(['info: think calls query_table {"file":"a.csv"}'])
    expect(calls({ toolCalls: [{ name: 'f', arguments: { text: 'x'.repeat(10_000) } }] })[0]!.length).toBeLessThan(600)
    for (const output of [null, 'text', { toolCalls: [] }, { toolCalls: 'none' }, { toolCalls: [1, null] }] as Json[]) expect(calls(output)).toEqual([])
    expect(logs(round(graph({ other: {} })).complete('other', { toolCalls: [{ name: 'f' }] })).filter((line) => line.includes('calls'))).toEqual([])
  })

  test('what it says at its end is its output where that is text, or the text under its name', () => {
    const answer = (output: Json) => told(gathered(round(chain('a')).complete('a'), output)).said.flatMap((said) => (said.kind === 'message' ? [said.text] : []))
    expect(answer('plain')).toEqual(['plain'])
    expect(answer({ assistant_message: 'A', message: 'B' })).toEqual(['A'])
    expect(answer({ text: 'C', n: 1 })).toEqual(['C'])
    expect(answer({ reply: { text: 'D', usage: {} } })).toEqual(['D'])
    const others: Json[] = [null, 1, {}, { n: 1 }, ['E'], { a: { text: 'F' }, b: 1 }, '  ', { a: { b: { text: 'G' } } }]
    for (const output of others) expect(answer(output)).toEqual([])
  })
})

describe('T2: after a cancel', () => {
  test('its figures and one last line come in the turn of the cancel, and nothing after it', () => {
    const play = round(chain('a', 'b')).wait('a', { for: 'child', runId: 'child' })
    play.outside({ is: 'cancelled', undo: false })
    expect(play.run.status).toBe('cancelling')
    expect(told(play)).toMatchObject({ status: 'stopped', figures: { steps: 1 }, lastWord: { message: 'The round was stopped' } })
    play.holder({ is: 'childEnded', nodeId: 'a', iteration: '', runId: 'child', outcome: { failed: { code: 'child_cancelled', message: '' } } })
    expect(play.run.status).toBe('cancelled')
    expect(told(play)).toMatchObject({ ends: true, status: null, said: [], figures: null, lastWord: null, steps: null, context: null })
  })

  test('of a round that had not begun there is nothing to say', () => {
    const play = round(chain('a'), { start: false }).outside({ is: 'cancelled', undo: false })
    expect(told(play)).toMatchObject({ begun: false, ends: true, said: [], figures: null, lastWord: null })
  })

  test('a turn in which nothing happens to a round that has ended tells nothing', () => {
    const play = round(chain('a')).outside({ is: 'cancelled', undo: false })
    expect(told(play).ends).toBe(true)
    play.holder({ is: 'claimed' })
    expect(tellingOf(play.turn)).toBeNull()
  })
})

test('keys are set beside those that are there; what has no keys stays', () => {
  expect(contextWith({ a: 1, b: 1 }, { b: 2, c: 3 })).toEqual({ a: 1, b: 2, c: 3 })
  expect(contextWith(null, { a: 1 })).toEqual({ a: 1 })
  for (const context of [[1], 'text', 0, false]) expect(contextWith(context, { a: 1 })).toEqual(context)
})

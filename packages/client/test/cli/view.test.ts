import type { Definition, Pause, RunEvent } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { blankPicture, type Picture, tell } from '../../src/cli/picture.ts'
import { cut, fill, lasting, plain, shown, table, widthOf, within } from '../../src/cli/text.ts'
import { type Screen, view } from '../../src/cli/view.ts'

const start = Date.parse('2026-01-31T12:00:00.000Z')
const node = (id: string, more: object = {}) => ({ id, type: 'code', ...more })
const chain = (...ids: string[]) => ids.slice(1).map((target, at) => ({ source: ids[at]!, target }))
const definition: Definition = {
  kind: 'workflow',
  // Written in another order than they run.
  nodes: [node('out'), node('ask', { title: 'May we ship?' }), node('each', { type: 'map' }), node('pack', { parentId: 'each' }), node('stamp', { parentId: 'each' }), node('in')],
  links: [...chain('in', 'each', 'ask', 'out'), ...chain('pack', 'stamp')],
}

let seq = 0
type Told = { type: RunEvent['type']; at?: number } & Record<string, unknown>
function told(picture: Picture, ...events: Told[]): Picture {
  for (const { at = 0, ...event } of events)
    tell(picture, {
      subject: { kind: 'run', id: 'r' },
      seq: ++seq,
      cursor: `${seq}`,
      at: new Date(start + at).toISOString(),
      step: event['nodeId'],
      iteration: '',
      ...event,
    } as unknown as RunEvent)
  return picture
}

const picture = (): Picture => blankPicture({ id: 'run000000000001', title: 'Ship orders', status: 'queued' }, definition)
const screen = (more: Partial<Screen> = {}): Screen => ({ width: 80, height: 30, now: start + 10_000, paint: (_style, text) => text, program: 'sluice', ...more })
const pause = (more: Partial<Pause> = {}): Pause => ({
  id: 'pause0000000001',
  runId: 'run000000000001',
  workflowId: 'w',
  nodeId: 'ask',
  step: 'May we ship?',
  iteration: '',
  kind: 'approval',
  status: 'open',
  message: 'Ship it now?',
  form: { type: 'object', required: ['limit'] },
  input: null,
  assignee: 'ana',
  openedAt: '',
  dueAt: new Date(start + 25_000).toISOString(),
  decision: null,
  ...more,
})

describe('the picture of a run', () => {
  test('is its nodes in the order in which they run, each with how it stands', () => {
    const shown = told(
      picture(),
      { type: 'run.started' },
      { type: 'step.started', nodeId: 'in', attempt: 1 },
      { type: 'step.completed', nodeId: 'in', at: 840, route: [] },
      { type: 'step.started', nodeId: 'each', attempt: 1, at: 840 },
      { type: 'step.started', nodeId: 'pack', iteration: '0', attempt: 1, at: 840 },
      { type: 'step.completed', nodeId: 'pack', iteration: '0', at: 900, route: [] },
      { type: 'step.started', nodeId: 'stamp', iteration: '0', attempt: 1, at: 900 },
      { type: 'step.completed', nodeId: 'stamp', iteration: '0', at: 950, route: [] },
      {
        type: 'step.retrying',
        nodeId: 'pack',
        iteration: '1',
        attempt: 2,
        retryAt: new Date(start + 13_500).toISOString(),
        error: { code: 'http_503', message: 'busy\u001b[2J\nnow' },
      },
      { type: 'pause.opened', pause: pause() },
      { type: 'log', nodeId: 'stamp', level: 'info', message: 'stamped' },
    )
    expect(view(shown, screen())).toEqual([
      'Ship orders · run000000000001 running · 10.0 s',
      '',
      '  ✔ in            840 ms',
      '  ⠋ each          9.2 s  1 round done, 1 under way',
      '  ↻ ├ #2 pack     attempt 3 in 4 s  http_503: busy[2J now',
      '  · └    stamp',
      '  · May we ship?',
      '  · out',
      '',
      '  info stamp: stamped',
      '',
      '  May we ship? asks ana: Ship it now?, 15 s left',
      `  sluice pauses decide pause0000000001 approve --inputs '{"limit": …}'`,
      '',
      '  Ctrl-C leaves; the run goes on',
    ])
  })

  test('at its end says why, and asks nobody any more', () => {
    const shown = told(
      picture(),
      { type: 'run.started' },
      { type: 'pause.opened', pause: pause() },
      { type: 'run.failed', at: 200_000, reason: { code: 'timed_out', message: 'too long' } },
    )
    const lines = view(shown, screen())
    expect(lines[0]).toBe('Ship orders · run000000000001 failed · 3 m 20 s')
    expect(lines.at(-1)).toBe('  timed_out: too long')
    expect(lines.join('\n')).not.toMatch(/asks|Ctrl-C/)
  })

  test('shows steps of nodes that its definition does not have, and bears events it does not know', () => {
    const shown = told(
      blankPicture({ id: 'r', title: 't', status: 'queued' }, null),
      { type: 'step.skipped', nodeId: 'newer' },
      { type: 'step.teleported' as never, nodeId: 'newer' },
      { type: 'x' as never },
    )
    expect(view(shown, screen())).toContain('  – newer  skipped')
  })

  test('bears a graph that goes in circles', () => {
    const circle: Definition = { kind: 'workflow', nodes: [node('a'), node('b')], links: chain('a', 'b', 'a') }
    expect(view(blankPicture({ id: 'r', title: 't', status: 'queued' }, circle), screen()).slice(2, 4)).toEqual(['  · a', '  · b'])
  })

  for (const [width, height] of [
    [80, 24],
    [40, 10],
    [25, 8],
    [120, 6],
  ] as const)
    test(`of 300 steps fits on ${width} × ${height}, and shows those that are under way`, () => {
      const ids = Array.from({ length: 300 }, (_, index) => `a step with a long name ${index}`)
      const shown = blankPicture({ id: 'run000000000001', title: 'Long', status: 'queued' }, { kind: 'workflow', nodes: ids.map((id) => node(id)), links: chain(...ids) })
      told(shown, { type: 'run.started' }, ...ids.slice(0, 150).map((nodeId): Told => ({ type: 'step.completed', nodeId, route: [] })), {
        type: 'step.started',
        nodeId: ids[150]!,
        attempt: 1,
      })
      const lines = view(shown, screen({ width, height }))
      expect(lines.length).toBeLessThan(height)
      expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(width)
      expect(lines.some((line) => line.startsWith('  ⠋ a step'))).toBe(true)
      expect(lines.join('\n')).toMatch(/⋯ \d+ completed/)
      expect(lines.join('\n')).toMatch(/⋯ \d+ to come/)
    })

  test('paints marks, and texts only as they are', () => {
    const shown = told(picture(), { type: 'step.failed', nodeId: 'in', attempt: 1, error: { code: 'x', message: 'y' } })
    expect(view(shown, screen({ paint: (style, text) => `<${style}>${text}</>` }))[2]).toMatch(/^ {2}<red>✖<\/> in {10} {2}<red>x: y<\/>$/)
  })
})

describe('texts of other people', () => {
  test('stand on one line and command no terminal', () => {
    expect(plain('a\r\nb\u001b]0;title\u0007\tc\u202ed')).toBe('a b]0;title cd')
  })
  test('are as wide as a terminal shows them', () => {
    expect([widthOf('größe'), widthOf('日本'), widthOf('e\u0301'), widthOf('🚀')]).toEqual([5, 4, 1, 2])
    expect([cut('日本語', 5), cut('abc', 3), cut('abcd', 3), cut('a', 0), fill('日', 4)]).toEqual(['日本…', 'abc', 'ab…', '', '日  '])
  })
  test('tell times in the units that matter', () => {
    expect([-5, 0, 999, 1_000, 59_949, 59_990, 200_000, 7_500_000, 273_600_000].map(lasting)).toEqual([
      '0 ms',
      '0 ms',
      '999 ms',
      '1.0 s',
      '59.9 s',
      '1 m 0 s',
      '3 m 20 s',
      '2 h 5 m',
      '3 d 4 h',
    ])
    expect([3_001, 0, -1, 61_000].map(within)).toEqual(['4 s', '0 s', '0 s', '1 m 1 s'])
  })
})

describe('what a server says cannot command a terminal', () => {
  const evil = 'a\u001b[2J\u009b31m\u202eb\u0007\u007f\nc'
  // The line breaks are ours.
  const commands = /[^\P{C}\n]/u

  test('in a table, which stays one line a row', () => {
    const lines = table(['HANDLE', 'NAME'], [[evil, evil]]).split('\n')
    expect(lines).toHaveLength(2)
    expect(lines.join('')).not.toMatch(commands)
  })

  test('in JSON, which stays the same value', () => {
    const value = { [evil]: [evil, 1, null, { deep: '\u{e0001}é✔' }] }
    expect(shown(value)).not.toMatch(commands)
    expect(JSON.parse(shown(value))).toEqual(value)
    expect(shown({ a: 'é✔ 漢' })).toBe('{\n  "a": "é✔ 漢"\n}')
  })

  test('in the picture of a run, ids and states too', () => {
    const shownRun = blankPicture({ id: evil, title: evil, status: evil as Picture['status'] }, null)
    told(shownRun, { type: 'pause.opened', pause: pause({ id: evil, step: evil, message: evil }) })
    expect(view(shownRun, screen()).join('\n')).not.toMatch(commands)
  })
})

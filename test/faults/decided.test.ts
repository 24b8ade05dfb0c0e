import type { Json, Pause } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { cases } from '../support/effort.ts'
import { approval, flow } from '../support/flow.ts'
import { createRig, pauseOf } from '../support/rig.ts'

const racers = 8
const rounds = cases(8, 100)

describe.concurrent('a decision', () => {
  test('out of 8 different ones on one pause, over two servers, is the only one; all others are told the same winner', { timeout: cases(90_000, 900_000) }, async () => {
    await using rig = await createRig()
    const servers = await Promise.all([rig.serve(), rig.serve()])
    const workflow = await rig.workflow(flow({ ask: approval() }))
    for (let round = 0; round < rounds; round++) {
      const run = await servers[round % 2]!.begin(workflow)
      const pause = await pauseOf(rig, servers[0], run)
      // Another one is sent first each time. Who wins is not asked: on a quiet machine it may be the first, every time.
      const order = Array.from({ length: racers }, (_, at) => (at + round * 3) % racers)
      const replies = await Promise.all(
        order.map((index) =>
          servers[index % 2]!.call<Pause>('POST', `/v1/pauses/${pause.id}/decide`, {
            action: index < 6 ? 'override' : 'decline',
            ...(index < 6 && { inputs: { by: index } }),
            comments: `racer ${index}`,
            label: `racer ${index}`,
          }),
        ),
      )
      const won = replies.filter((reply) => reply.status === 200)
      // Two declines without inputs are one decision, and both are told so.
      const comments = new Set(won.map((reply) => reply.body.decision!.comments))
      expect(comments.size).toBe(1)
      const winner = Number([...comments][0]!.split(' ')[1])
      expect(won.length).toBeLessThanOrEqual(winner < 6 ? 1 : 2)
      for (const reply of replies.filter((each) => each.status !== 200)) {
        expect([reply.status, reply.body.error?.code]).toEqual([409, 'pause_decided'])
        expect((reply.body.error!.details['decision'] as { comments: Json }).comments).toBe(`racer ${winner}`)
      }
      await rig.ended([run], 20_000)
      const told = await rig.database.query<{ data: { pause: Pause } }>(`select data from events where subject_id = $1 and type = 'pause.decided'`, [run])
      expect(told.map(({ data }) => data.pause.decision!.comments)).toEqual([`racer ${winner}`])
      const [row] = await rig.database.query<{ status: string; output: Json }>('select status, output from runs where id = $1', [run])
      if (winner < 6) expect(row).toEqual({ status: 'completed', output: { ask: { by: winner } } })
      else expect(row!.status).toBe('cancelled')
    }
  })

  test('answered with 200 survives kill -9 right after', { timeout: 90_000 }, async () => {
    await using rig = await createRig()
    const killed = await rig.serve()
    const workflow = await rig.workflow(flow({ ask: approval() }))
    const runs = await Promise.all(Array.from({ length: 8 }, () => killed.begin(workflow)))
    const pauses = await Promise.all(runs.map((id) => pauseOf(rig, killed, id)))
    const decided = new Set<string>()
    const replies = pauses.map(async (pause, index) => {
      const { status } = await killed.call('POST', `/v1/pauses/${pause.id}/decide`, { action: 'override', inputs: { index } })
      // The first answer is the last thing that the server does.
      if (status === 200) decided.add(pause.id)
      if (decided.size === 1) killed.program.kill('SIGKILL')
    })
    await Promise.all(replies)
    await killed.kill()
    expect(decided.size).toBeGreaterThan(0)

    const next = await rig.serve()
    for (const [index, pause] of pauses.entries()) {
      const { status, body } = await next.call<Pause>('POST', `/v1/pauses/${pause.id}/decide`, { action: 'override', inputs: { index: -1 } })
      if (!decided.has(pause.id) && status === 200) continue
      expect([status, (body.error!.details['decision'] as { inputs: Json }).inputs]).toEqual([409, { index }])
    }
    await rig.ended(runs, 40_000)
    const ends = await rig.database.query<{ id: string; status: string }>('select id, status from runs')
    expect(ends.every((each) => each.status === 'completed')).toBe(true)
  })
})

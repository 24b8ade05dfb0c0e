import type { Run } from '@sluice/schema'
import { expect, test } from 'vitest'
import { approval, delay, flow } from '../support/flow.ts'
import { createRig, pauseOf, tell } from '../support/rig.ts'

const hour = 3_600_000
const preload = new URL('../support/jumping-clock.ts', import.meta.url).href

test(
  'a clock that is set an hour back, then an hour ahead: what waits goes on in its time, no claim is lost, logins count, and numbers have no gaps',
  { timeout: 120_000 },
  async () => {
    await using rig = await createRig()
    const jumping = await rig.serve({ node: ['--import', preload], env: { SLUICE_TEST_JUMPS: [-hour, hour].join() } })
    const jump = async (to: number) => {
      jumping.program.kill('SIGUSR2')
      await jumping.program.says(new RegExp(`^The clock is off by ${to} ms$`, 'm'))
    }
    const steps = ['a', 'b', 'c']
    const chain = await rig.chain(steps)
    const later = await rig.workflow(flow({ later: delay(3_000) }))
    const ask = await rig.workflow(flow({ ask: approval() }))

    // As long as it says, whatever the clock says of when it is over.
    const lasts = async () => {
      const since = performance.now()
      const run = await jumping.begin(later)
      await rig.ended([run], 20_000)
      expect(performance.now() - since).toBeGreaterThan(1_500)
    }

    // Back: there is no other server, whose clock would do it instead.
    const delayed = await Promise.all(Array.from({ length: 5 }, () => jumping.begin(later)))
    const asking = await jumping.begin(ask)
    const pause = await pauseOf(rig, jumping, asking)
    const waiting = jumping.call<Run>('GET', `/v1/runs/${asking}/wait?until=finished&ms=3000`)
    const early = await Promise.all(Array.from({ length: 20 }, () => jumping.begin(chain)))
    const since = performance.now()
    await jump(-hour)
    await rig.ended(delayed, 20_000)
    const took = performance.now() - since
    const waited = await waiting
    expect([waited.status, waited.body.status]).toEqual([200, 'waiting'])
    expect(waited.ms).toBeLessThan(15_000)
    await rig.ended(early, 20_000)
    await lasts()
    expect((await jumping.call('POST', `/v1/pauses/${pause.id}/decide`, { action: 'approve' })).status).toBe(200)
    await rig.ended([asking], 20_000)

    // Ahead, for longer than a claim lasts, beside a server of the true time: whose the runs are, PostgreSQL's clock says.
    let release = () => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    rig.receiver.before = ({ step }) => (step === 'b' ? held : null)
    const late = await Promise.all(Array.from({ length: 20 }, () => jumping.begin(chain)))
    await rig.until('all are in the middle of a step', () => late.every((id) => rig.receiver.calls.some(({ key }) => key === `${id}/b/-`)), 20_000, late)
    const right = await rig.serve()
    await jump(hour)
    await new Promise((resolve) => setTimeout(resolve, 15_000))
    await lasts()
    release()
    await rig.ended(late, 20_000)
    await rig.check([...early, ...late], steps)
    for (const id of late) for (const step of steps) expect(rig.receiver.calls.filter(({ key }) => key === `${id}/${step}/-`)).toHaveLength(1)
    expect(await rig.database.query('select id from runs where deaths > 0')).toEqual([])
    // What one server has signed counts at the other, whichever of them is ahead.
    for (const server of [jumping, right]) expect((await server.call('GET', `/v1/runs/${asking}`)).status).toBe(200)
    expect(jumping.program.stdout()).not.toMatch(/"level":"(error|fatal)"/)
    tell(`a clock set back by an hour: steps of 3 s had ended ${(took / 1_000).toFixed(1)} s after`)
  },
)

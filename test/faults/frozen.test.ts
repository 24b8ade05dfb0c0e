import { expect, test } from 'vitest'
import { createRig, tell } from '../support/rig.ts'

test('a worker frozen past its claim, then thawed: another one finishes its run, nothing it writes counts, and it works again', { timeout: 120_000 }, async () => {
  await using rig = await createRig()
  const frozen = await rig.serve()
  const flow = await rig.chain(['first', 'second', 'third'])
  let release = () => {}
  rig.receiver.before = ({ step }) => (step === 'second' && rig.receiver.calls.length === 2 ? new Promise<void>((resolve) => (release = resolve)) : null)
  const run = await frozen.begin(flow)
  await rig.receiver.called('second')
  const other = await rig.serve()
  frozen.freeze()
  const frozenAt = performance.now()
  // The answer that the frozen one has waited for is there when it wakes up.
  release()
  await rig.ended([run], 40_000)
  const took = performance.now() - frozenAt
  tell(`the run of a frozen worker had ended elsewhere ${(took / 1000).toFixed(1)} s after`)
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, 15_000 - took)))
  const state = () =>
    rig.database.query(
      `select (select to_json(r) from (select status, epoch, revision, seq, output, ended_at from runs where id = $1) r) as run,
         (select json_agg(s order by node_id) from steps s where run_id = $1) as steps, (select json_agg(e order by seq) from events e where subject_id = $1) as events`,
      [run],
    )
  const before = await state()
  await rig.check([run], ['first', 'second', 'third'])

  frozen.thaw()
  await rig.until('the thawed server answers', async () => (await frozen.call('GET', `/v1/runs/${run}`)).status === 200, 10_000)
  await new Promise((resolve) => setTimeout(resolve, 5_000))
  expect(await state()).toEqual(before)
  expect(rig.receiver.calls.map((call) => call.step)).toEqual(['first', 'second', 'second', 'third'])

  // It takes part again: alone, it does all the work.
  await other.kill()
  rig.receiver.before = () => {}
  const more = await Promise.all(Array.from({ length: 5 }, () => frozen.begin(flow)))
  await rig.ended(more, 40_000)
  await rig.check(more, ['first', 'second', 'third'])
  expect(frozen.program.stdout()).not.toMatch(/"level":"(error|fatal)"/)
})

import type { JsonObject } from '@sluice/schema'
import { describe, expect, test } from 'vitest'
import { createRig, type Rig, type Server } from '../../support/rig.ts'
import { asks, begins, definitionOf, drawn, ends, link } from './editor.ts'

/** Two people are asked at once, and the server is killed between their answers. Everything is said in the words of PySpur. */

const definition = definitionOf({
  nodes: [
    begins({ text: 'string' }),
    asks('legal', 'Is it allowed?'),
    asks('style', 'Is it beautiful?'),
    drawn('both', 'MergeNode'),
    ends({ legal: 'both.legal.verdict', style: 'both.style.verdict', text: 'both.style.input_node.text' }),
  ],
  links: [link('input_node', 'legal'), link('input_node', 'style'), link('legal', 'both'), link('style', 'both'), link('both', 'OutputNode_1')],
})

interface Pause {
  id: string
  node_id: string
  pause_message: string
  resume_action: string | null
  resume_user_id: string | null
  comments: string | null
}
interface Run {
  id: string
  status: string
  outputs: JsonObject
  tasks: { node_id: string; status: string }[]
}

const asked = (rig: Rig, server: Server, run: string): Promise<Pause[]> =>
  new Promise((resolve, reject) => {
    let found: Pause[] = []
    const both = async (): Promise<boolean> => (found = (await server.call<Pause[]>('GET', `/api/wf/pause_history/${run}/`)).body).length === 2
    rig.until('two people are asked', both, 20_000, [run]).then(() => resolve(found), reject)
  })

describe.concurrent('of two people asked at once', () => {
  test.each([
    ['legal', 'style'],
    ['style', 'legal'],
  ] as const)('%s decides first, then the server is killed: nothing is lost and nothing is asked or done twice', { timeout: 120_000 }, async (first, second) => {
    await using rig = await createRig()
    const killed = await rig.serve()
    const { body: workflow } = await killed.call<{ id: string }>('POST', '/api/wf/', { name: 'Two people', definition })
    const { body: run } = await killed.call<Run>('POST', `/api/wf/${workflow.id}/start_run/?run_type=interactive`, { initial_inputs: { input_node: { text: 'Hello' } } })
    const pauses = await asked(rig, killed, run.id)
    const pauseAt = (node: string): string => pauses.find(({ node_id }) => node_id === node)!.id
    const decision = (node: string) => ({ inputs: { verdict: `${node}: yes` }, user_id: `from ${node}`, action: 'APPROVE', comments: `said by ${node}` })
    const decide = (server: Server, node: string, more = {}) =>
      server.call<Run & { detail: string }>('POST', `/api/wf/process_pause_action/${pauseAt(node)}/`, { ...decision(node), ...more })

    const answered = await decide(killed, first)
    expect([answered.status, answered.body.id]).toEqual([200, run.id])
    await killed.kill()

    const server = await rig.serve()
    // Who decided before hears the same; who would have it otherwise hears who decided.
    const again = await decide(server, first)
    expect([again.status, again.body.id]).toEqual([200, run.id])
    expect(await decide(server, first, { action: 'DECLINE' })).toMatchObject({ status: 409, body: { detail: expect.stringContaining(`from ${first}`) } })
    const [open] = (await server.call<{ current_pause: Pause }[]>('GET', '/api/wf/paused_workflows/')).body
    expect(open!.current_pause).toMatchObject({ id: pauseAt(second), node_id: second })
    expect((await decide(server, second)).status).toBe(200)

    await rig.ended([run.id], 40_000)
    expect((await decide(server, second)).status).toBe(200)
    const { body: ended } = await server.call<Run>('GET', `/api/run/${run.id}/status/`)
    expect(ended).toMatchObject({ status: 'COMPLETED', outputs: { OutputNode_1: { legal: 'legal: yes', style: 'style: yes', text: 'Hello' } } })
    expect(ended.tasks.map(({ status }) => status)).toEqual(ended.tasks.map(() => 'COMPLETED'))
    const history = (await server.call<Pause[]>('GET', `/api/wf/pause_history/${run.id}/`)).body
    expect(
      history.map(({ node_id, pause_message, resume_action, resume_user_id, comments }) => [node_id, pause_message, resume_action, resume_user_id, comments]).toSorted(),
    ).toEqual([
      ['legal', 'Is it allowed?', 'APPROVE', 'from legal', 'said by legal'],
      ['style', 'Is it beautiful?', 'APPROVE', 'from style', 'said by style'],
    ])
    await rig.check([run.id], ['input_node', 'legal', 'style', 'both', 'OutputNode_1'], [])
  })

  test('each is answered by a server of its own when both say yes in the same moment', { timeout: 120_000 }, async () => {
    await using rig = await createRig()
    const servers = [await rig.serve(), await rig.serve()] as const
    const { body: workflow } = await servers[0].call<{ id: string }>('POST', '/api/wf/', { name: 'Two people', definition })
    for (let round = 0; round < 4; round++) {
      const { body: run } = await servers[0].call<Run>('POST', `/api/wf/${workflow.id}/start_run/`, { initial_inputs: { input_node: { text: 'Hello' } } })
      const pauses = await asked(rig, servers[1], run.id)
      const answers = await Promise.all(
        pauses.map(({ id, node_id }, at) =>
          servers[at]!.call('POST', `/api/wf/process_pause_action/${id}/`, { inputs: { verdict: node_id }, user_id: node_id, action: 'APPROVE' }),
        ),
      )
      expect(answers.map(({ status }) => status)).toEqual([200, 200])
      await rig.ended([run.id], 40_000)
      expect((await servers[1].call<Run>('GET', `/api/run/${run.id}/`)).body.outputs['OutputNode_1']).toEqual({ legal: 'legal', style: 'style', text: 'Hello' })
    }
  })
})

import type { JsonObject } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asks, begins, definitionOf, type Drawn, drawn, ends, link } from './editor.ts'
import { type Client, clientOf, type PySpur, pyspurServer } from './server.ts'

/**
 * What a user of PySpur's front end does, as its public source has the browser do it: the same requests in the same order
 * below `/api`, and of the answers what its pages read, by the rules they read it by. Those rules are written down anew here.
 */

/** A browser sends no credential: the operator has let everybody in. */
const open = { SLUICE_ANONYMOUS_ROLE: 'editor' }
const browserAt = ({ server }: PySpur): Client => clientOf(server.url, '', '/api')

let spur: PySpur
let closed: PySpur
let browser: Client
beforeAll(async () => {
  ;[spur, closed] = await Promise.all([pyspurServer(open), pyspurServer()])
  browser = browserAt(spur)
})
afterAll(async () => {
  await spur?.[Symbol.asyncDispose]()
  await closed?.[Symbol.asyncDispose]()
})

/** What is answered, as the pages have it: anything but success is an error to them. */
async function ask<T = Page>(method: string, path: string, body?: unknown, through = browser): Promise<T> {
  const answer = await through.call(method, path, body)
  if (answer.status < 200 || answer.status > 299) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body as T
}

// oxlint-disable-next-line typescript/no-explicit-any -- pages look where they expect something to be
type Page = any

interface Task {
  node_id: string
  status: string
  outputs: JsonObject | null
  error: string | null
  subworkflow_output: { [node: string]: JsonObject[] } | null
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** As a header shows it: the zone is put behind by the page. */
function instant(naive: string): number {
  const at = Date.parse(`${naive}Z`)
  if (Number.isNaN(at)) throw new Error(`${naive} with a Z is no date`)
  return at
}
const isRecent = (at: number): boolean => Math.abs(Date.now() - at) < 60_000

/** A new one as the dashboard begins it: named by hand, of a kind, with no nodes. */
const begin = (name: string, spur_type = 'workflow'): Promise<Page> => ask('POST', '/wf/', { name, description: '', definition: { nodes: [], links: [], spur_type } })

/** Saved as the editor saves, whatever was changed. */
const save = (id: string, name: string, given: Drawn): Promise<Page> => ask('PUT', `/wf/${id}/`, { name, description: '', definition: definitionOf(given) })

async function built(name: string, given: Drawn): Promise<string> {
  const { id } = await begin(name, given.spur_type)
  await save(id, name, given)
  return id
}

const start = (id: string, inputs: JsonObject): Promise<Page> => ask('POST', `/wf/${id}/start_run/?run_type=interactive`, { initial_inputs: inputs, parent_run_id: null })
const given = { input_node: { text: 'Hello' } }
const text = begins({ text: 'string' })

// ── the rules of the page that shows a run ─────────────────────────────────────────────────────────────────────────────

interface Watched {
  announced: 'paused' | 'completed' | 'some failed' | 'failed' | null
  /** Each look at it. */
  looks: { status: string; tasks: { [node: string]: string }; percent: number }[]
  /** What is shown at the nodes. */
  shown: { [node: string]: { status: string; outputs: unknown; error: string | null } }
}

/** Looks once a second, and stops by these rules: nothing runs and nothing is to come, or somebody is asked. */
async function watch(runId: string, everyMs = 1_000): Promise<Watched> {
  const seen: Watched = { announced: null, looks: [], shown: {} }
  for (let looks = 0; looks < 30; looks++) {
    await pause(everyMs)
    const { status, tasks, percentage_complete } = await ask<{ status: string; tasks: Task[]; percentage_complete: number }>('GET', `/run/${runId}/status/`)
    seen.looks.push({ status, tasks: Object.fromEntries(tasks.map((task) => [task.node_id, task.status])), percent: percentage_complete })
    for (const task of tasks) {
      for (const [node, outputs] of Object.entries(task.subworkflow_output ?? {})) seen.shown[node] = { status: 'COMPLETED', outputs, error: null }
      seen.shown[task.node_id] = { status: task.status, outputs: { ...task.outputs }, error: task.error }
    }
    const some = (wanted: string): boolean => tasks.some((task) => task.status === wanted)
    const isPaused = some('PAUSED')
    if (isPaused && !some('RUNNING')) seen.announced = 'paused'
    else if (!isPaused && status !== 'RUNNING') seen.announced = some('FAILED') ? (some('COMPLETED') ? 'some failed' : 'failed') : 'completed'
    if (seen.announced !== null || (!some('RUNNING') && (!some('PENDING') || isPaused))) return seen
  }
  throw new Error(`the page never stopped looking: ${JSON.stringify(seen.looks.at(-1))}`)
}

// ── the pages ──────────────────────────────────────────────────────────────────────────────────────────────────────────

describe('the dashboard', () => {
  test('begins one of each kind, with what its kind begins with', async () => {
    for (const [kind, ids] of [
      ['workflow', ['input_node']],
      ['chatbot', ['input_node', 'output_node']],
      ['agent', ['input_node']],
    ] as const) {
      const made = await begin(`A ${kind}`, kind)
      expect([made.definition.spur_type, made.definition.nodes.map((node: Page) => node.id)]).toEqual([kind, ids])
      // The canvas puts nodes where it is told to, and has no place for one that is nowhere.
      for (const { coordinates } of made.definition.nodes) expect(coordinates).toEqual({ x: expect.any(Number), y: 100 })
      expect((await ask('POST', '/wf/', { name: `Without a definition, after a ${kind}`, description: '' })).definition.nodes).toHaveLength(1)
    }
  })

  test('pages by tens, and knows the end by a page that is not full', async () => {
    await using server = await pyspurServer(open)
    const fresh = browserAt(server)
    const listed = async (): Promise<string[]> => {
      const names: string[] = []
      for (let page = 1, more = true; more; page++) {
        const items = await ask<Page[]>('GET', `/wf/?page=${page}&page_size=10`, undefined, fresh)
        names.push(...items.map(({ name }) => name))
        // Each line shows when it was changed last, and the newest runs of its workflow.
        for (const { id, updated_at } of items) {
          expect(isRecent(instant(updated_at))).toBe(true)
          expect((await ask<Page[]>('GET', `/wf/${id}/runs/?page=1&page_size=10`, undefined, fresh)).slice(0, 5)).toEqual([])
        }
        more = items.length === 10
      }
      return names
    }
    const names: string[] = []
    expect(await listed()).toEqual([])
    for (let number = 1; number <= 11; number++) {
      names.unshift(`New ${number}`)
      await ask('POST', '/wf/', { name: names[0], description: '', definition: { nodes: [], links: [], spur_type: 'workflow' } }, fresh)
      if (number >= 9) expect(await listed()).toEqual(names)
    }
  })

  test('renames, duplicates and deletes', async () => {
    const id = await built('Before', { nodes: [text], links: [] })
    const found = await ask('GET', `/wf/${id}/`)
    const renamed = await save(id, 'After', found.definition)
    expect(renamed).toEqual({ ...found, name: 'After', updated_at: renamed.updated_at })
    const copy = await ask('POST', `/wf/${id}/duplicate/`)
    expect(copy).toMatchObject({ name: 'After (Copy)', definition: found.definition })
    expect(copy.id).not.toBe(id)
    for (const each of [copy.id, id]) expect((await browser.call('DELETE', `/wf/${each}/`)).status).toBe(204)
    expect((await browser.call('GET', `/wf/${id}/`)).body).toEqual({ detail: 'Workflow not found' })
    const names = (await ask<Page[]>('GET', '/wf/?page=1&page_size=10')).map((workflow) => workflow.id)
    expect(names).not.toContain(id)
    expect(names).not.toContain(copy.id)
  })

  test('takes a file in that it gave out', async () => {
    const id = await built('Given out', { nodes: [text, ends({ said: 'input_node.text' })], links: [link('input_node', 'OutputNode_1')] })
    const { name, definition, description } = await ask('GET', `/wf/${id}/`)
    const file: Page = JSON.parse(JSON.stringify({ name, definition, description }, null, 2))
    const taken = await ask('POST', '/wf/', { name: `Imported Spur ${new Date().toLocaleString()}`, description: file.description, definition: file.definition })
    expect(taken.definition).toEqual(definition)
  })
})

describe('the editor', () => {
  test('is told of the node types first: a mark, and a config that a new node can begin with', async () => {
    const types = await ask<{ [category: string]: Page[] }>('GET', '/node/supported_types/')
    const all = Object.entries(types).flatMap(([category, of]) => of.map((type) => ({ ...type, in: category })))
    const names = all.map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining([
        'InputNode',
        'OutputNode',
        'SingleLLMCallNode',
        'RouterNode',
        'HumanInterventionNode',
        'MergeNode',
        'CoalesceNode',
        'StaticValueNode',
        'ForLoopNode',
      ]),
    )
    expect(new Set(names).size).toBe(names.length)

    const nodes: JsonObject[] = [text]
    for (const { name, visual_tag, config, input, output, ...type } of all) {
      expect([name, visual_tag.acronym]).toEqual([name, expect.stringMatching(/^[A-Z]{1,6}$/)])
      expect(visual_tag.color).toMatch(/^#[\dA-Fa-f]{6}$/)
      expect(type.category).toBe(type.in)
      for (const schema of [config, input, output]) expect([name, schema.type, typeof schema.properties]).toEqual([name, 'object', 'object'])
      // A new node: what the schema has a default for. The run dialog refuses to start as long as a field that says `required` of itself is empty.
      const fields = Object.entries<Page>(config.properties)
      const begun = Object.fromEntries(fields.flatMap(([key, schema]) => (schema.default === undefined ? [] : [[key, schema.default]])))
      const missing = fields.filter(([key, schema]) => !key.toLowerCase().includes('schema') && key !== 'llm_info' && schema.required && !begun[key])
      expect([name, missing.map(([key]) => key)]).toEqual([name, []])
      if (name !== 'InputNode') nodes.push(drawn(`${name}_1`, name, begun))
    }
    expect((await save((await begin('One of each')).id, 'One of each', { nodes, links: [] })).definition.nodes).toEqual(nodes)
  })

  test('saves after each change, and is answered with what it sent', async () => {
    const { id } = await begin('Saved')
    const loop = drawn('ForLoopNode_1', 'ForLoopNode', { num_iterations: 2, input_map: { text: 'input_node.text' } }, { dimensions: { width: 900, height: 420 } })
    const inside = { parent_id: 'ForLoopNode_1' }
    const nodes = [
      text,
      drawn('RouterNode_1', 'RouterNode', {
        route_map: { route1: { conditions: [{ logicalOperator: 'AND', operator: 'is_not_empty', value: '', variable: 'input_node.text' }] } },
      }),
      drawn('SingleLLMCallNode_1', 'SingleLLMCallNode', {
        llm_info: { model: 'openai/offline', max_tokens: 4096, temperature: 0.7, top_p: 0.9 },
        system_message: '',
        user_message: 'output: {{ RouterNode_1.input_node.text }}',
        few_shot_examples: null,
        url_variables: null,
      }),
      loop,
      drawn('in_loop', 'InputNode', {}, inside),
      drawn('out_loop', 'OutputNode', { output_map: { text: 'in_loop.text' } }, inside),
      // What the canvas knows of a node beside is not part of a definition.
      { ...asks('HumanInterventionNode_1', 'Good?'), selected: true, measured: { width: 1, height: 1 } },
    ]
    const links = [
      link('input_node', 'RouterNode_1'),
      link('RouterNode_1', 'SingleLLMCallNode_1', 'route1'),
      link('input_node', 'ForLoopNode_1'),
      { ...link('SingleLLMCallNode_1', 'HumanInterventionNode_1'), source_handle: 'SingleLLMCallNode_1', target_handle: 'SingleLLMCallNode_1', selected: false, id: 'e1' },
      link('in_loop', 'out_loop'),
    ]
    const test_inputs = [{ id: 1_733_466_671_014, text: '<p>Hello</p>' }]
    const saved = await save(id, 'Saved', { nodes, links, test_inputs })
    const { selected: _selected, measured: _measured, ...person } = nodes.at(-1) as JsonObject
    const plain = links.map(({ selected: _, id: __, ...rest }: JsonObject) => rest)
    expect(saved.definition).toEqual({ nodes: [...nodes.slice(0, -1), person], links: plain, test_inputs, spur_type: 'workflow' })
    expect(await ask('GET', `/wf/${id}/`)).toEqual(saved)

    // The next change: a node is dragged, another goes with its links, a title is typed.
    const dragged = saved.definition.nodes.filter((node: Page) => node.id !== 'HumanInterventionNode_1').map((node: Page) => ({ ...node, coordinates: { x: -3.25, y: 1e3 } }))
    dragged[2] = { ...dragged[2], title: 'Summary', config: { ...dragged[2].config, title: 'Summary' } }
    const again = await save(id, 'Saved', { ...saved.definition, nodes: dragged, links: plain.filter((each) => each['target_id'] !== 'HumanInterventionNode_1') })
    expect(again.definition.nodes).toEqual(dragged)
    expect(again.definition.links).toHaveLength(4)
    expect(instant(again.updated_at)).toBeGreaterThanOrEqual(instant(saved.updated_at))
    expect(again.created_at).toBe(saved.created_at)
  })

  test('begins a definition anew and keeps the rest', async () => {
    const { id, definition } = await begin('Anew')
    await save(id, 'Anew', { nodes: [text, ends({})], links: [link('input_node', 'OutputNode_1')], test_inputs: [{ id: 1, text: 'x' }] })
    expect(await ask('PUT', `/wf/${id}/reset/`)).toMatchObject({ id, name: 'Anew', definition })
  })

  test('runs one node with what the others gave', async () => {
    const id = await built('In parts', {
      nodes: [text, drawn('fixed', 'StaticValueNode', { values: { n: 1 } }), ends({ n: 'fixed.n' })],
      links: [link('input_node', 'fixed'), link('fixed', 'OutputNode_1')],
    })
    const body = { node_id: 'OutputNode_1', initial_inputs: given, partial_outputs: { fixed: { n: 7 }, gone: { n: 8 } }, rerun_predecessors: false }
    expect(await ask('POST', `/wf/${id}/run_partial/`, body)).toMatchObject({ fixed: { n: 7 }, OutputNode_1: { n: 7 } })
  })

  test('has a file stored and shows it at the path it was answered with', async () => {
    const { id } = await begin('With a picture')
    const bytes = new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10, 0, 255])
    const form = new FormData()
    form.append('workflow_id', id)
    form.append('node_id', 'input_node')
    form.append('files', new Blob([bytes], { type: 'image/png' }), 'A picture.PNG')
    form.append('files', new Blob(['plain'], { type: 'text/plain' }), '../../etc/notes.txt')
    const paths = (await ask('POST', '/wf/upload_test_files/', form))['input_node'] as string[]
    expect(paths).toHaveLength(2)
    for (const path of paths) expect(path).toMatch(new RegExp(`^test_files/${id}/[\\w.]+$`))
    // Which preview it gets, the page knows by the end of the path.
    expect(paths.map((path) => path.split('.').pop())).toEqual(['png', 'txt'])
    const shown = await browser.call('GET', `/files/${paths[0]}`)
    expect([shown.status, [...(shown.body as Buffer)], shown.headers.get('content-type')]).toEqual([200, [...bytes], 'image/png'])
    expect(String((await browser.call('GET', `/files/${paths[1]}`)).body)).toBe('plain')
  })
})

describe.concurrent('a run on its page', () => {
  // A type of the library, drawn by other means: its config knows none of what the editor puts into one.
  const slow = (ms: number): JsonObject => ({ ...drawn('slow', 'delay'), config: { ms } })

  test('runs, with a row for each node, well within the second after which the page looks', async () => {
    const id = await built('At once', {
      nodes: [text, slow(8_000), ends({ said: 'input_node.text' })],
      links: [link('input_node', 'slow'), link('slow', 'OutputNode_1'), link('input_node', 'OutputNode_1')],
    })
    const took: number[] = []
    for (let round = 0; round < 3; round++) {
      const started = await start(id, given)
      expect(['PENDING', 'RUNNING']).toContain(started.status)
      const since = performance.now()
      for (let rows: Task[] = []; rows.length < 3;) {
        const { status, tasks } = await ask('GET', `/run/${started.id}/status/`)
        if (status === 'RUNNING') rows = tasks
        if (performance.now() - since > 10_000) throw new Error(`${status} with ${tasks.length} tasks after ten seconds`)
      }
      took.push(performance.now() - since)
      await ask('POST', `/wf/cancel_workflow/${started.id}/`)
    }
    expect(took.toSorted((one, another) => one - another)[1]).toBeLessThan(1_000)
  })

  test('is looked at until it has ended, and not one look less', async () => {
    const id = await built('Watched', {
      nodes: [text, slow(3_500), ends({ said: 'input_node.text' })],
      links: [link('input_node', 'slow'), link('slow', 'OutputNode_1'), link('input_node', 'OutputNode_1')],
    })
    const { looks, announced, shown } = await watch((await start(id, given)).id)
    expect(announced).toBe('completed')
    expect(looks.length).toBeGreaterThanOrEqual(3)
    expect(looks.slice(0, -1)).toEqual(
      looks.slice(0, -1).map(() => ({ status: 'RUNNING', tasks: { input_node: 'COMPLETED', slow: 'RUNNING', OutputNode_1: 'PENDING' }, percent: expect.closeTo(33.3, 0) })),
    )
    expect(looks.at(-1)).toMatchObject({ status: 'COMPLETED', percent: 100 })
    expect(shown['OutputNode_1']).toEqual({ status: 'COMPLETED', outputs: { said: 'Hello' }, error: null })
  })

  test('is not given up while a way beside the one that failed goes on', async () => {
    const nodes = [
      text,
      drawn('asked', 'SingleLLMCallNode', { llm_info: { model: 'nobody/nothing' }, user_message: 'x' }),
      drawn('after', 'MergeNode'),
      slow(3_500),
      ends({ said: 'input_node.text' }),
    ]
    const links = [link('input_node', 'asked'), link('asked', 'after'), link('input_node', 'slow'), link('slow', 'OutputNode_1'), link('input_node', 'OutputNode_1')]
    const { looks, announced, shown } = await watch((await start(await built('Half', { nodes, links }), given)).id)
    expect(looks.slice(0, -1).map(({ status }) => status)).toEqual(looks.slice(0, -1).map(() => 'RUNNING'))
    expect(looks.length).toBeGreaterThanOrEqual(3)
    expect([announced, looks.at(-1)!.status]).toEqual(['some failed', 'FAILED'])
    expect(shown).toMatchObject({
      asked: { status: 'FAILED', error: expect.stringContaining('cannot find: output') },
      after: { status: 'CANCELED', error: 'Upstream failure' },
      OutputNode_1: { status: 'COMPLETED' },
    })
  })

  test('that asks a person is left alone once nothing else runs', async () => {
    const nodes = [text, asks('HumanInterventionNode_1', 'Good?'), ends({ said: 'HumanInterventionNode_1.input_node.text' }), slow(3_500), drawn('beside', 'MergeNode')]
    const links = [link('input_node', 'HumanInterventionNode_1'), link('HumanInterventionNode_1', 'OutputNode_1'), link('input_node', 'slow'), link('slow', 'beside')]
    const { id } = await start(await built('Asking', { nodes, links }), given)
    const { looks, announced, shown } = await watch(id)
    expect(announced).toBe('paused')
    expect(looks.length).toBeGreaterThanOrEqual(3)
    for (const look of looks.slice(0, -1)) expect(look).toMatchObject({ status: 'PAUSED', tasks: { HumanInterventionNode_1: 'PAUSED', slow: 'RUNNING' } })
    expect(looks.at(-1)).toMatchObject({ status: 'PAUSED', tasks: { HumanInterventionNode_1: 'PAUSED', OutputNode_1: 'PENDING', beside: 'COMPLETED' } })
    expect(shown['HumanInterventionNode_1']!.outputs).toEqual({ input_node: { text: 'Hello' } })

    await ask('POST', `/wf/process_pause_action/${id}/`, { inputs: {}, user_id: 'current-user', action: 'APPROVE', comments: 'Quick approve from dashboard' })
    expect(await watch(id)).toMatchObject({ announced: 'completed', shown: { OutputNode_1: { outputs: { said: 'Hello' } } } })
  })

  test('shows what each pass of a loop gave, at the nodes in it', async () => {
    const inside = { parent_id: 'ForLoopNode_1' }
    const nodes = [
      text,
      drawn('ForLoopNode_1', 'ForLoopNode', { num_iterations: 3, input_map: { text: 'input_node.text' } }),
      drawn('in_loop', 'InputNode', {}, inside),
      drawn('out_loop', 'OutputNode', { output_map: { text: 'in_loop.text' } }, inside),
      ends({ said: 'ForLoopNode_1.text' }),
    ]
    const { announced, shown } = await watch(
      (await start(await built('Loop', { nodes, links: [link('input_node', 'ForLoopNode_1'), link('ForLoopNode_1', 'OutputNode_1'), link('in_loop', 'out_loop')] }), given)).id,
    )
    expect(announced).toBe('completed')
    expect(shown['out_loop']!.outputs).toEqual([{ text: 'Hello' }, { text: 'Hello' }, { text: 'Hello' }])
    expect(shown['OutputNode_1']!.outputs).toEqual({ said: 'Hello' })
  })
})

describe('what asks for a person', () => {
  const flow: Drawn = {
    nodes: [
      text,
      asks('HumanInterventionNode_1', 'Is this good?', { input_schema: { remark: 'string' } }),
      ends({ said: 'HumanInterventionNode_1.input_node.text', remark: 'HumanInterventionNode_1.remark' }),
    ],
    links: [link('input_node', 'HumanInterventionNode_1'), link('HumanInterventionNode_1', 'OutputNode_1')],
  }

  /** The panel as it is drawn, by the id of the run. */
  async function panel(): Promise<Map<string, { message: string; asked: JsonObject; since: number; fields: string[] }>> {
    const lines = await ask<Page[]>('GET', '/wf/paused_workflows/?page=1&page_size=10')
    return new Map(
      lines.map(({ run, current_pause, workflow }) => {
        const since = new Date(current_pause.pause_time).getTime()
        const node = workflow.nodes.find((each: Page) => each.id === current_pause.node_id)
        return [run.id, { message: current_pause.pause_message, asked: current_pause.input_data, since, fields: Object.keys(node.config.input_schema) }]
      }),
    )
  }
  const asked = async (): Promise<string> => {
    const { id } = await start(await built('Asking', flow), given)
    expect((await watch(id, 200)).announced).toBe('paused')
    return id
  }
  const decide = (id: string, body: JsonObject): Promise<Page> => ask('POST', `/wf/process_pause_action/${id}/`, { user_id: 'current-user', ...body })

  test('is in the panel with its question, approved with one click, and gone from it', async () => {
    const id = await asked()
    const line = (await panel()).get(id)!
    expect(line).toMatchObject({ message: 'Is this good?', asked: { input_node: { text: 'Hello' } }, fields: ['remark'] })
    expect(isRecent(line.since)).toBe(true)
    const quick = { action: 'APPROVE', inputs: {}, comments: 'Quick approve from dashboard' }
    expect((await decide(id, quick)).status).not.toBe('PAUSED')
    expect((await panel()).has(id)).toBe(false)
    // Who clicks twice is told the same.
    expect((await decide(id, quick)).id).toBe(id)
    expect(await watch(id, 200)).toMatchObject({ announced: 'completed', shown: { OutputNode_1: { outputs: { said: 'Hello' } } } })
    const [decided] = await ask<Page[]>('GET', `/wf/pause_history/${id}/`)
    expect(decided).toMatchObject({ resume_action: 'APPROVE', resume_user_id: 'current-user', comments: quick.comments })
    expect(new Date(decided.resume_time).getTime()).toBeGreaterThanOrEqual(line.since)
  })

  test('is answered in the dialog, which sends what it was shown with what was typed in', async () => {
    const id = await asked()
    const { asked: shown } = (await panel()).get(id)!
    await decide(id, { action: 'APPROVE', inputs: { ...shown, remark: 'Very' }, comments: '' })
    expect(await watch(id, 200)).toMatchObject({ announced: 'completed', shown: { OutputNode_1: { outputs: { said: 'Hello', remark: 'Very' } } } })

    const another = await asked()
    await decide(another, { action: 'OVERRIDE', inputs: { input_node: { text: 'Mine' }, remark: 'Own' }, comments: 'better' })
    expect(await watch(another, 200)).toMatchObject({ announced: 'completed', shown: { OutputNode_1: { outputs: { said: 'Mine', remark: 'Own' } } } })
  })

  test('is declined, from the panel or in the dialog', async () => {
    for (const inputs of [{}, { input_node: { text: 'Hello' } }] as JsonObject[]) {
      const id = await asked()
      await decide(id, { action: 'DECLINE', inputs, comments: 'Quick decline from dashboard' })
      const ended = await watch(id, 200)
      expect(ended.looks.at(-1)).toMatchObject({ status: 'CANCELED', tasks: { OutputNode_1: 'CANCELED' } })
      expect((await panel()).has(id)).toBe(false)
    }
  })

  test('is canceled from the panel', async () => {
    const id = await asked()
    expect(await ask('POST', `/wf/cancel_workflow/${id}/`)).toMatchObject({ id, status: 'CANCELED', message: 'Workflow has been canceled successfully.' })
    expect((await panel()).has(id)).toBe(false)
  })
})

describe('what has been', () => {
  test('is in the menus of versions and runs, with times that the page can read', async () => {
    const id = await built('Versions', { nodes: [text, ends({ said: 'input_node.text' })], links: [link('input_node', 'OutputNode_1')] })
    expect(await ask('GET', `/wf/${id}/versions/?page=1&page_size=10`)).toEqual([])
    const first = await start(id, given)
    await watch(first.id, 200)
    await save(id, 'Versions', { nodes: [text, ends({ said: 'input_node.text', more: 'input_node.more' })], links: [link('input_node', 'OutputNode_1')] })
    await watch((await start(id, given)).id, 200)
    const versions = await ask<Page[]>('GET', `/wf/${id}/versions/?page=1&page_size=10`)
    expect(versions.map(({ version }) => version)).toEqual([2, 1])
    for (const { created_at, updated_at } of versions) expect([isRecent(instant(created_at)), isRecent(instant(updated_at))]).toEqual([true, true])
    expect(versions[0].definition_hash).not.toBe(versions[1].definition_hash)
    // A version is put back by saving what it holds; a run of it makes no new one.
    await save(id, 'Versions', versions[1].definition)
    const third = await start(id, given)
    expect([third.workflow_version_id, third.workflow_version.definition_hash]).toEqual([first.workflow_version_id, versions[1].definition_hash])

    for (const run of await ask<Page[]>('GET', `/wf/${id}/runs/?page=1&page_size=10`)) {
      expect(isRecent(instant(run.start_time))).toBe(true)
      if (run.end_time) expect(instant(run.end_time)).toBeGreaterThanOrEqual(instant(run.start_time))
    }
  })

  test('is in the table of traces, by status and by date, and on a page of its own', async () => {
    const id = await built('Traces', { nodes: [text, ends({ said: 'input_node.text' })], links: [link('input_node', 'OutputNode_1')] })
    const runs: string[] = []
    for (let number = 0; number < 12; number++) runs.unshift((await start(id, given)).id)
    for (const run of runs) await watch(run, 100)
    const table = async (query: string): Promise<string[]> => (await ask<Page[]>('GET', `/wf/${id}/runs/?${query}`)).map((run) => run.id)
    expect(await table('page=1&page_size=10')).toEqual(runs.slice(0, 10))
    expect(await table('page=2&page_size=10')).toEqual(runs.slice(10))
    const day = 86_400_000
    const between = (from: number, to: number): string => `page=1&page_size=20&start_date=${new Date(from).toISOString()}&end_date=${new Date(to).toISOString()}`
    expect(await table(`${between(Date.now() - day, Date.now() + day)}&status=COMPLETED`)).toEqual(runs)
    expect(await table(`${between(Date.now() - day, Date.now() + day)}&status=FAILED`)).toEqual([])
    expect(await table(between(Date.now() + day, Date.now() + 2 * day))).toEqual([])

    const trace = await ask('GET', `/run/${runs[0]}/status/`)
    expect(Object.keys(trace)).toEqual(expect.arrayContaining(['id', 'workflow_id', 'status', 'start_time', 'end_time', 'initial_inputs', 'outputs', 'tasks']))
    // It is drawn from the version that ran, and each task found at its node.
    const places = trace.workflow_version.definition.nodes.map((node: Page) => [node.id, typeof node.coordinates.x])
    expect(places).toEqual(trace.tasks.map((task: Task) => [task.node_id, 'number']))
  })
})

describe('the chat', () => {
  const says = { assistant_message: 'string' }
  const asked = drawn('SingleLLMCallNode_1', 'SingleLLMCallNode', { llm_info: { model: 'offline' }, user_message: 'Heard: {{ input_node.user_message }}' }, { fields: says })

  /** The answer that the page shows, found as the page finds it. */
  async function say(id: string, session_id: string, user_message: string): Promise<{ message: string; runId: string }> {
    const { id: runId } = await start(id, { input_node: { user_message, session_id, message_history: [] } })
    for (let looks = 0; looks < 100; looks++) {
      await pause(150)
      const run = await ask('GET', `/run/${runId}/status/`)
      if (run.status !== 'COMPLETED' && run.status !== 'FAILED') continue
      const outputNode = run.workflow_version.definition.nodes.find((node: Page) => node.node_type === 'OutputNode')
      const task = (run.tasks as Task[]).find((each) => each.status === 'COMPLETED' && each.node_id === outputNode.id && each.outputs)
      const failed = (run.tasks as Task[]).find((each) => each.status === 'FAILED')
      return { message: task ? (task.outputs!['assistant_message'] as string) : `Error: ${failed?.error}`, runId }
    }
    throw new Error('the page waits for ever')
  }

  async function chatbot(more: JsonObject[] = []): Promise<string> {
    const { id, definition } = await begin('Bot', 'chatbot')
    const [first, last] = definition.nodes
    const output = { ...last, config: { ...last.config, output_map: { assistant_message: 'SingleLLMCallNode_1.assistant_message' } } }
    await save(id, 'Bot', {
      nodes: [first, asked, ...more, output],
      links: [link('input_node', 'SingleLLMCallNode_1'), link('SingleLLMCallNode_1', 'output_node')],
      spur_type: 'chatbot',
    })
    return id
  }

  test('is held in a session that is there for trying, and read again with all that was said', async () => {
    const id = await chatbot()
    const session = await ask('POST', `/session/test/?workflow_id=${id}`)
    expect(session).toMatchObject({ workflow_id: id, messages: [] })
    // The page is opened twice before anything was said.
    expect((await ask('POST', `/session/test/?workflow_id=${id}`)).id).toBe(session.id)
    const first = await say(id, session.id, 'Hello')
    const second = await say(id, session.id, 'Once more')
    expect([first.message, second.message]).toEqual(['Heard: Hello', 'Heard: Once more'])
    const { messages } = await ask('GET', `/session/${session.id}/`)
    expect(messages.map(({ content, run_id }: Page) => [content.role, content.content, run_id])).toEqual([
      ['user', 'Hello', first.runId],
      ['assistant', 'Heard: Hello', first.runId],
      ['user', 'Once more', second.runId],
      ['assistant', 'Heard: Once more', second.runId],
    ])
    // The page sends an empty history each time: what was said before is filled in.
    const { tasks } = await ask<{ tasks: Task[] }>('GET', `/run/${second.runId}/`)
    expect(tasks.find(({ node_id }) => node_id === 'input_node')!.outputs).toMatchObject({
      user_message: 'Once more',
      message_history: [
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: 'Heard: Hello' },
      ],
    })
    // Cleared, it is a new one.
    expect((await ask('POST', `/session/test/?workflow_id=${id}`)).id).not.toBe(session.id)
  })

  test('goes on without a session, under an id that the page makes up', async () => {
    expect((await say(await chatbot(), 'chat_session_1733466671014_k3j9x2a', 'Hello')).message).toBe('Heard: Hello')
  })
})

describe('the requests that the Deploy dialog shows', () => {
  const flow: Drawn = { nodes: [{ ...text, title: 'The question' }, ends({ said: 'The question.text' })], links: [link('input_node', 'OutputNode_1')] }
  const body = { initial_inputs: { 'The question': { text: 'example_value' } } }

  test('run as they are copied, with no credential, where the operator lets anyone in', async () => {
    const made = await browser.call('POST', '/wf/', { name: 'Deployed', definition: definitionOf(flow) })
    const blocking = await browser.call('POST', `/wf/${made.body.id}/run/?run_type=blocking`, body)
    expect([blocking.status, blocking.body]).toEqual([200, { input_node: { text: 'example_value' }, OutputNode_1: { said: 'example_value' } }])

    const started = await browser.call('POST', `/wf/${made.body.id}/start_run/?run_type=non_blocking`, body)
    expect([started.status, started.body.run_type]).toEqual([200, 'non_blocking'])
    // The address of the status is spelled otherwise there than anywhere else.
    for (let looks = 0, status = ''; status !== 'COMPLETED'; looks++) {
      if (looks === 200) throw new Error(`still ${status}`)
      const looked = await browser.call('GET', `/runs/${started.body.id}/status/`)
      expect(looked.status).toBe(200)
      status = looked.body.status
      await pause(50)
    }
    for (const type of ['blocking', 'non_blocking']) expect((await browser.call('GET', `/run/?run_type=${type}&page=1&page_size=10`)).body).toHaveLength(1)
  })

  test('are refused without a credential, in words that a client of PySpur can show', async () => {
    const { id } = (await closed.api.call('POST', '/wf/', { name: 'Kept', definition: definitionOf(flow) })).body as { id: string }
    const { secret } = await closed.server.call<{ secret: string }>('POST', '/v1/keys', { name: 'deployed' })
    for (const [method, path, sent] of [
      ['POST', `/wf/${id}/run/?run_type=blocking`, body],
      ['POST', `/wf/${id}/start_run/?run_type=non_blocking`, body],
      ['GET', `/runs/01k2v9n0b4xwt7c/status/`, undefined],
    ] as const) {
      const refused = await browserAt(closed).call(method, path, sent)
      expect([refused.status, refused.body]).toEqual([401, { detail: expect.any(String) }])
      const let_in = await closed.api.call(method, path, sent, { as: '', headers: { 'x-api-key': secret } })
      expect(let_in.status).toBe(method === 'GET' ? 404 : 200)
    }
  })
})

import type { Json, JsonObject } from '@sluice/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { begins, definitionOf, drawn, ends, link } from './editor.ts'
import { type PySpur, pyspurServer } from './server.ts'

/**
 * What PySpur's own templates do, in definitions of their shape: models by the names they have there, ways that part and come
 * together, types of services. The words in them are ours.
 */

let spur: PySpur
beforeAll(async () => {
  spur = await pyspurServer()
})
afterAll(() => spur?.[Symbol.asyncDispose]())

const asked = (id: string, model: string, user_message: string, fields: JsonObject = { output: 'string' }): JsonObject =>
  drawn(
    id,
    'SingleLLMCallNode',
    {
      llm_info: { model, max_tokens: 16_384, temperature: 0.7, top_p: 0.9 },
      system_message: 'You are brief.',
      user_message,
      few_shot_examples: null,
      url_variables: null,
    },
    { fields },
  )

const joke = definitionOf({
  nodes: [
    begins({ topic: 'string', audience: 'string' }),
    asked('JokeDrafter', 'gpt-4o', 'A joke about {{ input_node.topic }} for {{ input_node.audience }}', { text: 'string' }),
    asked('JokeRefiner', 'openai/gpt-4o-mini', 'Better: {{ JokeDrafter.text }}', { text: 'string' }),
  ],
  links: [link('input_node', 'JokeDrafter'), link('JokeDrafter', 'JokeRefiner')],
  test_inputs: [
    { id: 1_733_466_671_014, topic: 'sluices', audience: 'engineers' },
    { id: 1_733_466_671_015, topic: '<p>locks</p>', audience: 'sailors' },
  ],
})

const models = ['ollama/llama3.3', 'ollama/deepseek-r1:1.5b', 'claude-3-5-sonnet-latest']
const comparison = definitionOf({
  nodes: [
    begins({ question: 'string' }),
    ...models.map((model, at) => asked(`model_${at}`, model, '{{ input_node.question }}')),
    ends(Object.fromEntries(models.map((_, at) => [`answer_${at}`, `model_${at}.output`]))),
  ],
  links: models.flatMap((_, at) => [link('input_node', `model_${at}`), link(`model_${at}`, 'OutputNode_1')]),
  test_inputs: [{ id: 1, question: 'What is a sluice?' }],
})

const condition = (variable: string): JsonObject => ({ conditions: [{ logicalOperator: 'AND', variable, operator: 'is_not_empty', value: '' }] })
const summary = definitionOf({
  nodes: [
    begins({ url: 'string', file: 'string' }),
    drawn('Which', 'RouterNode', { route_map: { web: condition('input_node.url'), paper: condition('input_node.file') } }),
    drawn('Scrape', 'FirecrawlScrapeNode', { url_template: '{{ Which.input_node.url }}' }),
    asked('Paper', 'gemini/gemini-2.0-flash', 'In short: {{ Which.input_node.file }}'),
    asked('Web', 'openai/chatgpt-4o-latest', 'In short: {{ Scrape.markdown }}'),
    drawn('Either', 'CoalesceNode', { preferences: ['Web', 'Paper'] }),
    drawn('Tell', 'SlackNotifyNode', { channel: 'learning', mode: 'bot', message: '{{ Either.output }}' }),
  ],
  links: [
    link('input_node', 'Which'),
    link('Which', 'Scrape', 'web'),
    link('Which', 'Paper', 'paper'),
    link('Scrape', 'Web'),
    link('Web', 'Either'),
    link('Paper', 'Either'),
    link('Either', 'Tell'),
  ],
})

/** As somebody writes it who knows what has to be there and leaves the rest out. */
const nodes: { id: string; [key: string]: Json }[] = [
  { id: 'input_node', title: '', node_type: 'InputNode', config: { output_schema: { question: 'string' } }, coordinates: { x: 281.25, y: 128.75 } },
  { id: 'best', title: ' ', node_type: 'BestOfNNode', config: { samples: 3, llm_info: { model: 'gpt-4o', max_tokens: 100 }, system_message: '', user_message: '' } },
]
const bare: JsonObject = { nodes, links: [{ source_id: 'input_node', target_id: 'best' }] }
const filled: JsonObject = {
  nodes: nodes.map((node) => ({ parent_id: null, coordinates: null, dimensions: null, subworkflow: null, ...node, title: node.id })),
  links: [link('input_node', 'best')],
  test_inputs: [],
  spur_type: 'workflow',
}

const all: [name: string, sent: JsonObject, kept: JsonObject][] = [
  ['a chain of models', joke, joke],
  ['a comparison of models', comparison, comparison],
  ['ways to a service', summary, summary],
  ['one with the least there can be', bare, filled],
]

async function made(name: string, definition: JsonObject): Promise<string> {
  const { status, body } = await spur.api.call('POST', '/wf/', { name, description: 'A template', definition })
  expect(status).toBe(200)
  return body.id as string
}

test.each(all)('%s is created, read, saved and duplicated unchanged, but for its defaults', async (name, sent, kept) => {
  const id = await made(name, sent)
  const { body: found } = await spur.api.call('GET', `/wf/${id}/`)
  expect(found.definition).toEqual(kept)
  for (const definition of [sent, found.definition]) expect((await spur.api.call('PUT', `/wf/${id}/`, { name, definition })).body.definition).toEqual(kept)
  const { body: copy } = await spur.api.call('POST', `/wf/${id}/duplicate/`)
  expect([copy.name, copy.definition]).toEqual([`${name} (Copy)`, kept])
  const listed = (await spur.api.call('GET', '/wf/?page_size=100')).body.filter((workflow: { id: string }) => workflow.id === id || workflow.id === copy.id)
  expect(listed.map((workflow: { definition: unknown }) => workflow.definition)).toEqual([kept, kept])
})

describe('runs, asking the model of this server whatever model is named', () => {
  test('a chain of models', async () => {
    const id = await made('A chain', joke)
    const { status, body } = await spur.api.call('POST', `/wf/${id}/run/?run_type=blocking`, { initial_inputs: { input_node: { topic: 'sluices', audience: 'engineers' } } })
    expect([status, body.JokeRefiner]).toEqual([200, { text: 'Better: A joke about sluices for engineers' }])
    expect((await spur.api.call('GET', `/wf/${id}/versions/`)).body[0].definition).toEqual(joke)
  })

  test('a comparison of models, side by side', async () => {
    const { status, body } = await spur.api.call('POST', `/wf/${await made('Side by side', comparison)}/runv2/`, { initial_inputs: { input_node: { question: 'output: water' } } })
    expect([status, body.status]).toEqual([200, 'COMPLETED'])
    expect(body.outputs.OutputNode_1).toEqual({ answer_0: 'water', answer_1: 'water', answer_2: 'water' })
    expect(body.tasks).toHaveLength(5)
  })
})

describe('is refused at its start, and told why', () => {
  const issuesOf = async (name: string, definition: JsonObject): Promise<[node: unknown, message: string][]> => {
    const id = await made(name, definition)
    const { status, body } = await spur.api.call('POST', `/wf/${id}/start_run/`, { initial_inputs: { input_node: {} } })
    expect(status).toBe(422)
    // It has neither run nor become a version.
    expect((await spur.api.call('GET', `/wf/${id}/runs/`)).body).toEqual([])
    return body.detail.map(({ loc, msg }: { loc: unknown[]; msg: string }) => [loc[3], msg])
  }

  test('a way to services that are not here', async () => {
    expect(await issuesOf('Services', summary)).toEqual([
      ['Scrape', expect.stringContaining('FirecrawlScrapeNode')],
      ['Tell', expect.stringContaining('SlackNotifyNode')],
    ])
  })

  test('a choice of several answers', async () => {
    expect(await issuesOf('Best of', bare)).toEqual([['best', expect.stringContaining('BestOfNNode')]])
  })

  test('Python', async () => {
    const python = definitionOf({ nodes: [begins({ text: 'string' }), drawn('Twice', 'PythonFuncNode', { code: 'return {"output": 2}' })], links: [link('input_node', 'Twice')] })
    expect(await issuesOf('Python', python)).toEqual([['Twice', expect.stringContaining('Python')]])
  })
})

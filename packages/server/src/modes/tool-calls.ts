import type { Link, Node } from '@sluice/schema'

/** A model that thinks, and the functions that it calls: the body of a loop. */
export interface Thinking {
  nodes: Node[]
  links: Link[]
}

/** A model that is busy, or out of reach for a moment, is asked again. */
export const patient = { retry: { maxAttempts: 4, backoffMs: 1_000, factor: 2 } }

const offered = (what: string): string => `nodes.tools.tools.exists(t, t.name == item.name && ${what})`
const ofTool = (key: string, filters = ''): string => `{{ nodes.tools.tools | where: "name", item.name | map: "${key}" | first${filters} }}`
/** A person is asked of what wanted that when it was offered. */
const approved = ofTool('approval', ' | default: false')

/**
 * `think → act → turn`: what the model says, each function that it calls, and both put behind the conversation. A call that
 * wants a person's approval waits for it, one that fails or is declined is told to the model, and none is made twice: each is a
 * step of its own. The top-level step `tools` says what is offered.
 */
export function thinking(loop: string, think: NonNullable<Node['config']>): Thinking {
  const inAct = (id: string, node: Omit<Node, 'id'>): Node => ({ id, parentId: 'act', ...node })
  const link = (source: string, target: string, sourceHandle?: string): Link => ({ source, target, ...(sourceHandle !== undefined && { sourceHandle }) })
  return {
    nodes: [
      { id: 'think', type: 'llm', parentId: loop, settings: patient, config: { ...think, tools: '{{ nodes.tools.tools }}', messages: '{{ last.messages }}' } },
      { id: 'act', type: 'map', parentId: loop, config: { items: 'think.toolCalls', concurrency: 4 } },
      {
        id: 'turn',
        type: 'turn',
        parentId: loop,
        config: { messages: '{{ last.messages }}', text: '{{ last.text }}', answer: '{{ think }}', results: '{{ act.results }}' },
      },
      { id: 'next', type: 'output', parentId: loop },
      inAct('ask', { type: 'router', config: { routes: [{ name: 'approval', when: offered('t.approval') }] } }),
      inAct('approve', { type: 'human', config: { kind: 'approval', message: 'The model wants to call {{ item.name }} with {{ item.arguments | json }}', passes: 'value' } }),
      inAct('declined', { type: 'template', config: { text: 'A person declined this call.' } }),
      inAct('kind', {
        type: 'router',
        config: {
          routes: [
            { name: 'workflow', when: offered('t.kind == "workflow"') },
            { name: 'client', when: offered('t.kind == "client"') },
          ],
        },
      }),
      inAct('call', { type: 'tool', settings: patient, config: { name: '{{ item.name }}', arguments: '{{ item.arguments }}', approved } }),
      inAct('run', { type: 'subworkflow', config: { workflow: ofTool('workflow'), input: '{{ item.arguments }}' } }),
      inAct('wait', { type: 'signal', config: { name: 'call:{{ item.id }}' } }),
      inAct('result', { type: 'output' }),
    ],
    links: [
      link('think', 'act'),
      link('act', 'turn'),
      link('think', 'turn'),
      link('turn', 'next'),
      link('ask', 'approve', 'approval'),
      link('ask', 'kind'),
      link('approve', 'kind'),
      link('approve', 'declined', 'declined'),
      link('declined', 'result'),
      link('kind', 'run', 'workflow'),
      link('kind', 'wait', 'client'),
      link('kind', 'call'),
      ...['call', 'run', 'wait'].flatMap((name) => [link(name, 'result'), link(name, 'result', 'failed')]),
    ],
  }
}

/** What such a loop begins with, and how it ends: the model calls nothing more, or has thought often enough. */
export const thinkingLoop = (most: number, start: Record<string, string> = {}): NonNullable<Node['config']> => ({
  while: `count < ${most} && (count == 0 || !last.done)`,
  max: most,
  start: { messages: [], text: '', done: false, ...start },
  carry: 'merge',
  gives: 'last',
})

/** The files of the conversation, as the model is told of them. */
export const files = '{% if nodes.tools.files.size > 0 %}\n\nFiles:\n```json\n{{ nodes.tools.files | json }}\n```{% endif %}'

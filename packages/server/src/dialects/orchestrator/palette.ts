import type { NodeMeta } from './contract.ts'
import { type OrchestratorNode, nodes } from './nodes.ts'

/** How the Orchestrator tells of its node types: by class, kind, ports and place in its folders. Data. */

type Kind = 'ProducerNode' | 'BlockingNode' | 'NonBlockingNode' | 'ConditionalNode' | 'LoopNode'

interface Place {
  /** The class, and the folder of its file. */
  name: string
  folder?: string
  kind: Kind
  /** Of folders, the outermost first. */
  category: string
}

const places: Readonly<Record<string, Place>> = {
  counter: { name: 'CounterNode', kind: 'ProducerNode', category: 'Counter' },
  'string-iterator-producer': { name: 'StringIterator', kind: 'ProducerNode', category: 'Data' },
  'webhook-producer': { name: 'WebhookProducer', kind: 'ProducerNode', category: 'System' },
  'queue-reader-dummy': { name: 'QueueReader', kind: 'ProducerNode', category: 'System' },
  'queue-reader': { name: 'QueueReader', kind: 'ProducerNode', category: 'System' },
  'queue-node-writer': { name: 'QueueWriter', kind: 'NonBlockingNode', category: 'System' },
  'if-condition': { name: 'IfCondition', kind: 'ConditionalNode', category: 'Logical' },
  'static-delay-node': { name: 'StaticDelayNode', folder: 'StaticDelay', kind: 'BlockingNode', category: 'Delay' },
  'dynamic-delay-node': { name: 'DynamicDelayNode', folder: 'DynamicDelay', kind: 'BlockingNode', category: 'Delay' },
  'http-request': { name: 'HttpRequestNode', folder: 'HttpRequest', kind: 'BlockingNode', category: 'Http' },
  'data-transformer': { name: 'DataTransformer', kind: 'BlockingNode', category: 'Data' },
  'for-each': { name: 'ForEachNode', folder: 'ForEach', kind: 'LoopNode', category: 'Loop' },
  'http-response': { name: 'HttpResponseNode', folder: 'HttpResponse', kind: 'BlockingNode', category: 'System' },
  'file-writer': { name: 'FileWriter', kind: 'BlockingNode', category: 'Store' },
  'playwright-web-page-loader': { name: 'WebPageLoader', kind: 'BlockingNode', category: 'Browser' },
  'linkedin-profile-parser': { name: 'LinkedinProfileParser', kind: 'BlockingNode', category: 'WebPageParsers' },
  'linkedin-send-connection-request': { name: 'SendConnectionRequest', kind: 'BlockingNode', category: 'Browser' },
  'google-sheets-get-row': { name: 'GoogleSheetsGetRow', kind: 'BlockingNode', category: 'GoogleSheets' },
  'google-sheets-update-row': { name: 'GoogleSheetsUpdateRow', kind: 'BlockingNode', category: 'GoogleSheets' },
  'google-sheets-get-record-by-query': { name: 'GoogleSheetsGetRecordByQuery', kind: 'BlockingNode', category: 'GoogleSheets' },
  'google-sheets-get-record-by-query-provider': { name: 'GoogleSheetsGetRecordByQueryProvider', kind: 'ProducerNode', category: 'GoogleSheets' },
}

type Port = NodeMeta['output_ports'][number]
const inwards: readonly Port[] = [{ id: 'default', label: 'In' }]
const outwards: readonly Port[] = [{ id: 'default', label: 'Out' }]

const ports: Readonly<Record<Kind, { in: readonly Port[]; out: readonly Port[] }>> = {
  ProducerNode: { in: [], out: outwards },
  BlockingNode: { in: inwards, out: outwards },
  NonBlockingNode: { in: inwards, out: outwards },
  ConditionalNode: {
    in: inwards,
    out: [
      { id: 'yes', label: 'Yes' },
      { id: 'no', label: 'No' },
    ],
  },
  LoopNode: { in: inwards, out: [...outwards, { id: 'subdag', label: 'Sub-DAG' }] },
}

function metaOf({ identifier, form, alias }: OrchestratorNode): NodeMeta {
  const place = places[identifier]
  if (!place) throw new Error(`${identifier} has no place in the palette`)
  const { name, folder = name, kind, category } = place
  return {
    name,
    identifier,
    type: kind,
    has_form: form !== null,
    form_class: form === null ? null : `${folder}Form`,
    label: alias.title,
    description: alias.description,
    input_ports: [...ports[kind].in],
    output_ports: [...ports[kind].out],
    file: 'node.py',
    file_path: `${category}/${folder}/node.py`,
    icon: null,
    category,
  }
}

/** What there is to know of each node type, in the order in which they are shown. */
export const palette: readonly NodeMeta[] = nodes.map(metaOf)

const byIdentifier = new Map(palette.map((meta) => [meta.identifier, meta]))

export const metaNamed = (identifier: string): NodeMeta | undefined => byIdentifier.get(identifier)

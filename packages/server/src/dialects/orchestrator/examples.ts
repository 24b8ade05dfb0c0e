/** What the document shows. */

const times = { created_at: '2026-01-31T12:00:00.120000Z', updated_at: '2026-01-31T12:00:00.120000Z' }

export const one = { workflow_id: '0mfq3k7x9tdv2ab' }

export const newWorkflow = { name: 'My Workflow', description: 'Workflow description' }

export const oneTask = { task_id: '0mfq3kc2p8xr5ty' }

export const workflow = {
  id: one.workflow_id,
  ...times,
  name: newWorkflow.name,
  description: newWorkflow.description,
  category: null,
  status: 'inactive' as const,
  last_run: null,
  next_run: null,
  runs_count: 0,
  tags: [],
  created_by: null,
  task_id: null,
}

export const addedNode = { nodeTemplate: 'http-request', position: { x: 100, y: 200 }, form_values: { method: 'GET', url: 'https://api.example.com' } }

export const oneNode = { ...one, node_id: '0mfq3k8d4pz6hce' }

export const inputData = { key: 'value' }
export const outputData = { http_request: { status: 200, headers: { 'content-type': 'application/json' }, body: { ok: true }, duration_ms: 12.5, error: null } }

export const node = {
  id: oneNode.node_id,
  ...times,
  node_type: 'http-request',
  x: 100,
  y: 200,
  form_values: addedNode.form_values,
  config: {},
  input_data: {},
  output_data: {},
}

/** With the values that its form begins with. */
export const newNode = { ...node, form_values: { method: 'GET', url: '', timeout_seconds: 30, auth_type: '' } }

export const placedNode = { ...node, position: addedNode.position }

const port = (id: string, label: string) => ({ id, label })

const counter = {
  ...placedNode,
  id: '0mfq3k8a1rw5jgy',
  node_type: {
    identifier: 'counter',
    name: 'CounterNode',
    type: 'ProducerNode',
    description: 'Counts from one number to another.',
    has_form: true,
    category: 'Producers',
    icon: null,
    input_ports: [],
    output_ports: [port('default', 'Out')],
  },
  x: 100,
  y: 100,
  position: { x: 100, y: 100 },
  form_values: { min_value: 0, max_value: 10, direction: 'increment', step: 1 },
}

export const oneConnection = { ...one, connection_id: '0mfq3k9b7nc3edw' }

export const connection = { id: oneConnection.connection_id, source_node: counter.id, target_node: node.id, source_handle: 'default' }

export const canvas = {
  id: workflow.id,
  nodes: [
    counter,
    {
      ...placedNode,
      node_type: {
        identifier: 'http-request',
        name: 'HttpRequestNode',
        type: 'BlockingNode',
        description: 'Makes an HTTP request.',
        has_form: true,
        category: 'Http',
        icon: null,
        input_ports: [port('default', 'In')],
        output_ports: [port('default', 'Out')],
      },
    },
  ],
  edges: [{ ...connection, created_at: times.created_at }],
  workflow: { id: workflow.id, name: workflow.name, description: workflow.description, status: workflow.status, runs_count: 0, last_run: null },
}

export const rawConfig = { ...workflow, nodes: [node], connections: [] }

export const startedTask = { ...oneTask, status: 'PENDING' as const }
export const stoppedTask = { ...oneTask, status: 'REVOKED' as const }
export const endedTask = { ...oneTask, status: 'SUCCESS' as const }
export const celeryTask = { state: 'SUCCESS' as const, ...oneTask, result: { [node.id]: outputData } }

const session = 'editing-1'

export const executed = { node_id: node.id, form_values: { url: 'https://api.example.com' }, input_data: inputData, session_id: session }

export const output = { id: '0mfq3kd5w1mb9zk', data: outputData, metadata: { duration_ms: 14 } }

export const executedNode = {
  success: true,
  node_id: node.id,
  node_type: node.node_type,
  input_data: inputData,
  form_values: executed.form_values,
  output,
  error: null,
  error_type: null,
  message: 'Node executed successfully',
  form: null,
  session_id: session,
}

export const oneNodeFile = { ...oneNode, file_id: '0mfq3kf8v6sd2qa' }

export const nodeFile = {
  id: oneNodeFile.file_id,
  node: node.id,
  key: 'template',
  file: 'http://127.0.0.1:7878/v1/files/0mfq3kf8u4rb7ne/content',
  ...times,
}

export const user = { id: '0mfq3k5a2cn8vhx', username: 'ada@example.com', email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace' }

export const tokens = { access: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwbWZxM2s1YTJjbjh2aHgifQ.c2lnbmF0dXJl', refresh: 'rt_1xk8w2c0' }

export const oneNodeType = { identifier: 'http-request' }

export const nodeMeta = {
  name: 'HttpRequestNode',
  identifier: oneNodeType.identifier,
  type: 'BlockingNode',
  has_form: true,
  form_class: 'HttpRequestForm',
  label: 'HTTP Request',
  description: 'Makes an HTTP request.',
  input_ports: [port('default', 'In')],
  output_ports: [port('default', 'Out')],
  file: 'http-request.ts',
  file_path: 'Http/http-request.ts',
  icon: null,
  category: 'Http',
}

export const nodeTree = { Http: { nodes: [nodeMeta], subfolders: {} } }

export const nodeForm = {
  node: nodeMeta,
  form: {
    fields: [{ tag: 'input' as const, label: 'URL', errors: [], type: 'text', name: 'url', required: true, id: 'id_url', maxlength: 2048, value: 'https://api.example.com' }],
  },
}

export const executedType = { input_data: inputData, form_data: addedNode.form_values, session_id: session, timeout: 30 }

export const executedNodeType = {
  success: true as const,
  node: { name: nodeMeta.name, identifier: nodeMeta.identifier },
  input: inputData,
  form_data: executedType.form_data,
  session_id: session,
  output,
}

export const fieldOptions = {
  field: 'auth_type',
  options: [
    { value: '', text: 'None' },
    { value: 'basic', text: 'Basic' },
    { value: 'bearer', text: 'Bearer token' },
  ],
}

export const oneWebhook = { webhook_id: 'orders' }

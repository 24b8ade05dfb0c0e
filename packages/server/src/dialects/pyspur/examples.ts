/** What the document shows. A run's own is in the rows of runs. */

const config = {
  output_schema: { input_1: 'string' },
  output_json_schema: '{"type": "object", "properties": {"input_1": {"type": "string"} } }',
  has_fixed_output: false,
  enforce_schema: false,
}

const node = { parent_id: null, dimensions: null, subworkflow: null }

export const definition = {
  nodes: [
    { ...node, id: 'input_node', title: 'input_node', node_type: 'InputNode', config, coordinates: { x: 100, y: 100 } },
    { ...node, id: 'approval', title: 'Approval', node_type: 'HumanInterventionNode', config: { message: 'Is this fine?' }, coordinates: { x: 300, y: 100 } },
  ],
  links: [{ source_id: 'input_node', target_id: 'approval', source_handle: null, target_handle: null }],
  test_inputs: [{ input_1: 'Hello' }],
  spur_type: 'workflow' as const,
}

export const one = { workflow_id: '01k2v9m3h5rj6tx' }

export const newWorkflow = { name: 'Approve a text', description: '', definition }

export const workflow = {
  id: one.workflow_id,
  name: 'Approve a text',
  description: '',
  definition,
  created_at: '2026-01-31T12:00:00.120000',
  updated_at: '2026-01-31T12:00:00.120000',
}

/** What is left of it when it is reset. */
export const emptied = { ...workflow, definition: { ...definition, nodes: definition.nodes.slice(0, 1), links: [], test_inputs: [] } }

export const version = {
  version: 1,
  name: workflow.name,
  description: '',
  definition,
  definition_hash: '79494118b5a0931413f9d8287da0f73401f493cf6db4631e84b07aee9e4739ce',
  created_at: '2026-01-31T12:00:05.250000',
  updated_at: '2026-01-31T12:00:05.250000',
}

export const filePath = `test_files/${one.workflow_id}/20260131_120000_01k2v9m5c2dn4fs.pdf`

export const oneRun = { run_id: '01k2v9n0b4xwt7c' }

const given = { input_1: 'Hello' }

export const started = { initial_inputs: { input_node: given } }

export const outputs = { input_node: given, approval: { input_node: given } }

const task = { run_id: oneRun.run_id, parent_task_id: null, error: null, subworkflow: null, subworkflow_output: null }
const taskOf = (node_id: string, start_time: string) => ({ ...task, id: `T_${oneRun.run_id}_${node_id}`, node_id, start_time })

const approval = { ...taskOf('approval', '2026-01-31T12:00:05.300000'), inputs: { input_node: given }, outputs: { input_node: given } }
const tasks = [
  { ...taskOf('input_node', '2026-01-31T12:00:05.290000'), status: 'COMPLETED' as const, inputs: {}, outputs: given, end_time: '2026-01-31T12:00:05.290000' },
  { ...approval, status: 'COMPLETED' as const, end_time: '2026-01-31T12:04:05.300000' },
]

export const run = {
  id: oneRun.run_id,
  workflow_id: one.workflow_id,
  workflow_version_id: `SV_${one.workflow_id}_1`,
  workflow_version: version,
  status: 'COMPLETED' as const,
  start_time: '2026-01-31T12:00:05.250000',
  end_time: '2026-01-31T12:04:05.310000',
  initial_inputs: started.initial_inputs,
  outputs: { input_node: given, Approval: { input_node: given } },
  tasks,
  parent_run_id: null,
  run_type: 'interactive',
  output_file_id: null,
  input_dataset_id: null,
  message: null,
  duration: 240.06,
  percentage_complete: 100,
}

const going = { ...run, end_time: null, percentage_complete: 0 }

export const pendingRun = { ...going, status: 'PENDING' as const, outputs: null, tasks: [], duration: 0.004 }

export const pausedRun = {
  ...going,
  status: 'PAUSED' as const,
  tasks: [tasks[0]!, { ...approval, status: 'PAUSED' as const, end_time: null }],
  duration: 60.5,
  percentage_complete: 50,
}

export const canceledRun = {
  ...run,
  status: 'CANCELED' as const,
  outputs: { input_node: given },
  tasks: [tasks[0]!, { ...approval, status: 'CANCELED' as const, outputs: null, end_time: '2026-01-31T12:04:05.300000' }],
}

const pause = {
  id: 'PH_01k2v9n0b6dq2ms',
  run_id: oneRun.run_id,
  node_id: 'approval',
  pause_message: 'Is this fine?',
  pause_time: '2026-01-31T12:00:05.300000Z',
  input_data: { input_node: given },
}

export const openPause = { ...pause, resume_time: null, resume_user_id: null, resume_action: null, comments: null }

export const decision = { inputs: {}, user_id: 'reviewer', action: 'APPROVE' as const, comments: 'Looks good' }

export const decidedPause = { ...pause, resume_time: '2026-01-31T12:04:05.300000Z', resume_user_id: decision.user_id, resume_action: decision.action, comments: decision.comments }

export const oneSession = { session_id: '01k2v9p7f0gh5yw' }

const times = { created_at: '2026-01-31T12:10:00.250000', updated_at: '2026-01-31T12:10:00.250000' }

export const session = {
  id: oneSession.session_id,
  user_id: 'customer 7',
  workflow_id: one.workflow_id,
  external_id: null,
  ...times,
  messages: [
    { ...times, id: '01k2v9p8a2bc6de', session_id: oneSession.session_id, run_id: oneRun.run_id, content: { role: 'user' as const, content: 'Hello' } },
    {
      ...times,
      id: '01k2v9p8k4fg8hj',
      session_id: oneSession.session_id,
      run_id: oneRun.run_id,
      content: { role: 'assistant' as const, content: 'Hello! What can I do for you?' },
    },
  ],
}

export const newSession = { ...session, messages: [] }

const open = { type: 'object', properties: {} }

export const nodeTypes = {
  Logic: [
    {
      name: 'MergeNode',
      input: open,
      output: open,
      config: { type: 'object', title: 'Merge', properties: { has_fixed_output: { type: 'boolean', default: true } } },
      visual_tag: { acronym: 'MN', color: '#3C4BB8' },
      has_fixed_output: true,
      category: 'Logic',
    },
  ],
}

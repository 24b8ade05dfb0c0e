import { type Json, type JsonObject, limits } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import type { AnyAlias, Mapped, NodeAlias, Place } from '../../nodes/contract.ts'

/**
 * PySpur's node types, as names of the library's: what their configs say, and what that means. PURE data and functions; the
 * catalogue makes node types of it. Configs are stored as they came, with whatever else stands in them.
 */

const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
// The schema's own type has lists that cannot be written to; what is decoded has come as JSON.
const AnyJson = Schema.Json as unknown as Schema.Codec<Json>
const Text = Schema.String
const Flag = Schema.Boolean
const Paths = Schema.Record(Text, Text)

/** What every config may have. */
const common = {
  output_schema: optional(Schema.Record(Text, AnyJson)).annotate({ title: 'Output schema', description: 'The fields of what it gives, with the names of their types' }),
  output_json_schema: optional(Text).annotate({ title: 'Output JSON schema', description: 'The same as the text of a JSON Schema' }),
  has_fixed_output: optional(Flag).annotate({ title: 'Fixed output', description: 'Kept for editors' }),
}

interface Common {
  readonly output_schema?: { readonly [field: string]: Json } | null
  readonly output_json_schema?: string | null
}

type Facts<C> = Pick<AnyAlias, 'type' | 'of' | 'title' | 'description' | 'category'> & Pick<NodeAlias<C>, 'config' | 'reads' | 'check' | 'readings' | 'receives' | 'leaves'>

const shared = { dialect: 'pyspur', outputFields: ({ output_schema }: Common) => Object.keys(output_schema ?? {}) } as const

const alias = <C extends Common>(given: Facts<C> & { map: NonNullable<NodeAlias<C>['map']> }): NodeAlias<C> => ({ ...shared, ...given })

/** What is set of these. */
const present = (fields: { [key: string]: Json | undefined }): JsonObject =>
  Object.fromEntries(Object.entries(fields).flatMap(([key, value]) => (value === undefined || value === null ? [] : [[key, value] as const])))

/** Text that says something; null otherwise. */
const said = (text: string | null | undefined): string | null => (text?.trim() ? text : null)

const refused = <C extends Common>(given: Facts<C> & { refused: string }): NodeAlias<C> => ({ ...shared, ...given })

// ── schemas ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const kinds: { [name: string]: string } = {
  ...{ string: 'string', str: 'string', integer: 'integer', int: 'integer', number: 'number', float: 'number' },
  ...{ boolean: 'boolean', bool: 'boolean', list: 'array', array: 'array', dict: 'object', object: 'object' },
}

/** Of `List[Dict[str, str]]` it is said that it is a list; of a type that is not known, nothing. */
function schemaOfType(type: Json): JsonObject {
  const name = typeof type === 'string' ? (/^\s*(\w+)/.exec(type)?.[1]?.toLowerCase() ?? '') : ''
  return Object.hasOwn(kinds, name) ? { type: kinds[name]! } : {}
}

function parsed(text: string): JsonObject | null {
  try {
    const value = JSON.parse(text) as Json
    return typeof value === 'object' && value !== null && !Array.isArray(value) && !isTooDeep(value) ? value : null
  } catch {
    return null
  }
}

/** Nobody has looked into a text before: a megabyte of brackets ends whoever goes down it by calls. */
function isTooDeep(value: Json): boolean {
  let layer: Json[] = [value]
  for (let depth = 0; layer.length > 0; depth++) {
    if (depth > limits.jsonDepth) return true
    layer = layer.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
  }
  return false
}

const schemaText = ({ output_json_schema }: Common): string | null => said(output_json_schema)

/** The schema of what a node gives, and where its config says so: the text counts before the names of types. */
function declared(config: Common): { schema: JsonObject; at: string } {
  const text = schemaText(config)
  if (text !== null) return { schema: parsed(text) ?? {}, at: 'output_json_schema' }
  const fields = Object.entries(config.output_schema ?? { output: 'string' })
  const properties = Object.fromEntries(fields.map(([name, type]) => [name, schemaOfType(type)]))
  return { schema: { type: 'object', properties, required: fields.map(([name]) => name) }, at: 'output_schema' }
}

const unreadable = (config: Common): { path: string[]; message: string }[] => {
  const text = schemaText(config)
  return text !== null && parsed(text) === null
    ? [{ path: ['output_json_schema'], message: `This is not the text of a JSON Schema: JSON of an object is expected, at most ${limits.jsonDepth} levels deep` }]
    : []
}

// ── in and out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const InputNode = alias({
  type: 'InputNode',
  of: 'input',
  title: 'Input',
  description: 'Where a run begins: gives the value the run was started with. In a loop: what the loop hands to the iteration.',
  category: 'flow',
  config: Schema.Struct({
    ...common,
    enforce_schema: optional(Flag).annotate({ title: 'Enforce schema', description: 'Whether a value that does not fit the output schema is refused' }),
  }),
  check: (config) => (config.enforce_schema === true ? unreadable(config) : []),
  map(config): Mapped {
    if (config.enforce_schema !== true) return { config: {}, places: [] }
    const { schema, at } = declared(config)
    return { config: { schema }, places: [[['schema'], [at]]] }
  },
  receives: ({ text, history, sessionId, files }) => ({ user_message: text, session_id: sessionId, message_history: history, ...(files.length > 0 && { files }) }),
  leaves: 'default',
})

const OutputNode = alias({
  type: 'OutputNode',
  of: 'output',
  title: 'Output',
  description: 'What the run, or the loop it stands in, returns: the values of its map, or what comes in.',
  category: 'flow',
  config: Schema.Struct({
    ...common,
    output_map: optional(Paths).annotate({ title: 'Output map', description: 'By the name of a field of the output, where its value stands: `title.field`' }),
  }),
  reads: { 'output_map.*': 'path' },
  readings: { 'map.*': 'path' },
  map({ output_map }): Mapped {
    const isEmpty = Object.keys(output_map ?? {}).length === 0
    return isEmpty ? { config: {}, places: [] } : { config: { map: { ...output_map } }, places: [[['map'], ['output_map']]] }
  },
  leaves: 'default',
})

const StaticValueNode = alias({
  type: 'StaticValueNode',
  of: 'static-value',
  title: 'Static value',
  description: 'Gives constants.',
  category: 'data',
  config: Schema.Struct({ ...common, values: optional(Schema.Record(Text, AnyJson)).annotate({ title: 'Values', description: 'The constants, by name' }) }),
  readings: { 'values.**': 'raw' },
  map: ({ values }): Mapped => ({ config: { values: { ...values } }, places: [[['values'], ['values']]] }),
  leaves: 'default',
})

// ── ways ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const operators = ['contains', 'equals', 'greater_than', 'less_than', 'starts_with', 'not_starts_with', 'is_empty', 'is_not_empty', 'number_equals'] as const

const Condition = Schema.Struct({
  variable: optional(Text).annotate({ title: 'Variable', description: 'Where the value stands that is looked at: `title.field`. Without one the condition does not match' }),
  operator: optional(Schema.Literals(operators)).annotate({ title: 'Operator', description: '`contains` unless set' }),
  value: Schema.optionalKey(AnyJson).annotate({ title: 'Value', description: 'What it is compared with' }),
  logicalOperator: optional(Schema.Literals(['AND', 'OR'])).annotate({ title: 'Logical operator', description: 'Joins the condition to those before it; `AND` unless set' }),
})
type Condition = typeof Condition.Type

const RouterNode = alias({
  type: 'RouterNode',
  of: 'router',
  title: 'Router',
  description: 'Takes the first route whose conditions match, from left to right without precedence; one without conditions matches. The names of the routes are its handles.',
  category: 'flow',
  config: Schema.Struct({
    ...common,
    route_map: Schema.Record(Text, Schema.Struct({ conditions: optional(Schema.Array(Condition)).annotate({ title: 'Conditions' }) })).annotate({
      title: 'Route map',
      description: 'By the name of a route, when it is taken',
    }),
  }),
  reads: { 'route_map.*.conditions.*.variable': 'path' },
  readings: { '**': 'raw', 'routes.*.rules.*.value': 'path' },
  map({ route_map }): Mapped {
    const routes = Object.entries(route_map)
    return {
      config: { routes: routes.map(([name, { conditions }]) => ({ name, rules: (conditions ?? []).map(ruleOf) })), mode: 'first', passes: 'steps' },
      places: [[['routes'], ['route_map']], ...routes.flatMap(([name, { conditions }], at) => placesOfRoute(name, at, conditions?.length ?? 0))],
    }
  },
})

function ruleOf({ variable, operator, value, logicalOperator }: Condition, at: number): JsonObject {
  const or = at > 0 && logicalOperator === 'OR' ? true : null
  // Nothing matches null but is_empty: where no variable is named, even that does not.
  const path = said(variable)
  if (path === null) return { value: null, operator: 'is_not_empty', ...present({ or }) }
  return { value: path, operator: operator ?? 'contains', ...(value === undefined ? {} : { operand: value }), ...present({ or }) }
}

function placesOfRoute(name: string, at: number, conditions: number): (readonly [Place, Place])[] {
  const rules = Array.from({ length: conditions }, (_, each): (readonly [Place, Place])[] => {
    const library = ['routes', at, 'rules', each]
    const own = ['route_map', name, 'conditions', each]
    return [
      [library, own],
      [
        [...library, 'value'],
        [...own, 'variable'],
      ],
      [
        [...library, 'operand'],
        [...own, 'value'],
      ],
    ]
  })
  const route: (readonly [Place, Place])[] = [
    [
      ['routes', at],
      ['route_map', name],
    ],
    [
      ['routes', at, 'name'],
      ['route_map', name],
    ],
    [
      ['routes', at, 'rules'],
      ['route_map', name, 'conditions'],
    ],
  ]
  return [...route, ...rules.flat()]
}

const CoalesceNode = alias({
  type: 'CoalesceNode',
  of: 'coalesce',
  title: 'Coalesce',
  description: 'Gives the first of what comes in that is there, by preference.',
  category: 'flow',
  config: Schema.Struct({
    ...common,
    preferences: optional(Schema.Array(Text)).annotate({ title: 'Preferences', description: 'Titles of the steps before it, the preferred first; the others follow' }),
  }),
  map: ({ preferences }): Mapped => ({ config: { order: [...(preferences ?? [])] }, places: [[['order'], ['preferences']]] }),
  leaves: 'default',
})

const MergeNode = alias({
  type: 'MergeNode',
  of: 'merge',
  title: 'Merge',
  description: 'Gives all that comes in, each by the title of its step.',
  category: 'flow',
  config: Schema.Struct(common),
  map: (): Mapped => ({ config: { by: 'step' }, places: [] }),
  leaves: 'default',
})

const HumanInterventionNode = alias({
  type: 'HumanInterventionNode',
  of: 'human',
  title: 'Human intervention',
  description: 'Waits for a person. Approved, it lets through what came in, with the inputs of the decision laid over it. Links from `declined` and `expired` take these ends.',
  category: 'people',
  config: Schema.Struct({
    ...common,
    message: optional(Text).annotate({ title: 'Message', description: 'What the person is told' }),
    block_only_dependent_nodes: optional(Flag).annotate({ title: 'Block only dependent nodes', description: 'False: nothing else is started either, until it is decided' }),
  }),
  readings: { '**': 'raw' },
  map: ({ message, block_only_dependent_nodes }): Mapped => ({
    config: {
      kind: 'approval',
      message: said(message) ?? 'Human intervention required',
      blocks: block_only_dependent_nodes === false ? 'run' : 'dependants',
      passes: 'steps',
    },
    places: [
      [['message'], ['message']],
      [['blocks'], ['block_only_dependent_nodes']],
    ],
  }),
  leaves: 'default',
})

const ForLoopNode = alias({
  type: 'ForLoopNode',
  of: 'loop',
  title: 'For loop',
  description:
    'Runs the nodes inside it a number of times, each with what the iterations before gave laid over what came in, and with `loop_history`: by the id of a node in it, what it gave before. Gives what the last one gave.',
  category: 'structure',
  config: Schema.Struct({
    ...common,
    num_iterations: optional(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))).annotate({ title: 'Number of iterations', description: '1 unless set' }),
    input_map: optional(Paths).annotate({
      title: 'Input map',
      description: 'By the name of a field of what the first iteration is handed, where its value stands: `title.field`; all that comes in, by title, unless set',
    }),
  }),
  reads: { 'input_map.*': 'path' },
  readings: { '**': 'raw', 'start.*': 'path' },
  map({ num_iterations, input_map }, { names }): Mapped {
    const isMapped = Object.keys(input_map ?? {}).length > 0
    return {
      config: {
        times: num_iterations ?? 1,
        start: isMapped ? { ...input_map } : Object.fromEntries(names.map((name) => [name, name])),
        carry: 'merge',
        historyAs: 'loop_history',
        gives: 'iteration',
      },
      places: [
        [['times'], ['num_iterations']],
        [['start'], ['input_map']],
      ],
    }
  },
  leaves: 'default',
})

// ── work ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const Model = Schema.Struct({
  model: Text.check(Schema.isMinLength(1)).annotate({
    title: 'Model',
    description: 'A model of the configured endpoint, `openai/` before its name or not; `offline` is the built-in one',
  }),
  max_tokens: optional(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_536 }))).annotate({ title: 'Most tokens' }),
  temperature: optional(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))).annotate({ title: 'Temperature' }),
  top_p: optional(Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))).annotate({ title: 'Top p' }),
})

const Example = Schema.Struct({
  input: Text.annotate({ title: 'Input', description: 'What is asked' }),
  output: Text.annotate({ title: 'Output', description: 'What is to be answered' }),
})

const LlmConfig = Schema.Struct({
  ...common,
  llm_info: Model.annotate({ title: 'Model' }),
  system_message: optional(Text).annotate({ title: 'System message', description: 'How it is to answer; a Jinja template' }),
  user_message: optional(Text).annotate({ title: 'User message', description: 'What it is asked; a Jinja template. Empty: all that comes in, as JSON' }),
  few_shot_examples: optional(Schema.Array(Example)).annotate({ title: 'Examples' }),
  url_variables: optional(Schema.Record(Text, Schema.NullOr(Text))).annotate({ title: 'URL variables', description: 'Not supported: models are told text' }),
  enable_message_history: optional(Flag).annotate({ title: 'Enable message history' }),
  message_history_variable: optional(Text).annotate({ title: 'Message history variable', description: 'Where the messages before stand: `title.field`' }),
})

const SingleLLMCallNode = alias({
  type: 'SingleLLMCallNode',
  of: 'llm',
  title: 'Single LLM call',
  description: 'Asks a language model for an object that fits the output schema.',
  category: 'work',
  config: LlmConfig,
  reads: { system_message: 'jinja', user_message: 'jinja', message_history_variable: 'path' },
  readings: { '**': 'raw', prompt: 'jinja', system: 'jinja', history: 'path' },
  check: (config) => [...unreadable(config), ...urlIssues(config)],
  map: callOf,
  leaves: 'default',
})

function callOf(config: typeof LlmConfig.Type, { names }: { names: readonly string[] }): Mapped {
  const { llm_info, system_message, user_message, few_shot_examples, enable_message_history, message_history_variable } = config
  const { model, max_tokens, temperature, top_p } = llm_info
  const { schema, at } = declared(config)
  const asked = said(user_message)
  const examples = (few_shot_examples ?? []).map(({ input, output }) => ({ user: input, assistant: output }))
  return {
    config: present({
      model: model.replace(/^openai\//, ''),
      maxTokens: max_tokens,
      temperature,
      topP: top_p,
      system: said(system_message),
      examples,
      history: enable_message_history ? said(message_history_variable) : null,
      prompt: asked ?? wholeInput(names),
      outputSchema: schema,
      gives: 'structured',
    }),
    places: [
      [['model'], ['llm_info', 'model']],
      [['maxTokens'], ['llm_info', 'max_tokens']],
      [['temperature'], ['llm_info', 'temperature']],
      [['topP'], ['llm_info', 'top_p']],
      [['system'], ['system_message']],
      [['prompt'], ['user_message']],
      [['examples'], ['few_shot_examples']],
      [['history'], ['message_history_variable']],
      [['outputSchema'], [at]],
    ],
    readings: asked === null ? { prompt: 'template' } : {},
  }
}

/** A Liquid template of the node's input as JSON: a title may have in it what no name in Jinja has. */
function wholeInput(names: readonly string[]): string {
  const quoted = (name: string): string => JSON.stringify(name).replaceAll('{', '\\u007b').replaceAll('}', '\\u007d')
  return `{${names.map((name) => `${quoted(name)}: {{ nodes[${quoted(name)}] | json }}`).join(', ')}}`
}

/** A model that answers about a file it was never given would not say so. */
const urlIssues = ({ url_variables }: typeof LlmConfig.Type) =>
  Object.entries(url_variables ?? {}).flatMap(([name, variable]) =>
    said(variable) ? [{ path: ['url_variables', name], message: 'Files are not handed to models here: leave it empty' }] : [],
  )

const PythonFuncNode = refused({
  type: 'PythonFuncNode',
  of: 'code',
  title: 'Python function',
  description: 'Not run here: Python functions are kept as they are, and no definition with one is published.',
  category: 'work',
  config: Schema.Struct({ ...common, code: optional(Text).annotate({ title: 'Code' }) }),
  refused: 'Python does not run here: use a node of the type code, which runs JavaScript',
})

/** In the order in which they are shown. */
export const pyspurNodes: readonly AnyAlias[] = [
  InputNode,
  OutputNode,
  SingleLLMCallNode,
  PythonFuncNode,
  RouterNode,
  HumanInterventionNode,
  CoalesceNode,
  MergeNode,
  StaticValueNode,
  ForLoopNode,
]

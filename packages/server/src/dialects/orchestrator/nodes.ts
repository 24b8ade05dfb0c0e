import { type Json, type JsonObject, limits } from '@sluice/schema'
import type { AnyAlias, Mapped, NodeAlias, Reading, Readings, StepResult } from '../../nodes/contract.ts'
import {
  type Fields,
  type Form,
  type Issue,
  type Values,
  choice,
  configOf,
  flag,
  integer,
  isBlank,
  isChecked,
  isTemplate,
  issuesOf,
  json,
  lines,
  number,
  numberOf,
  text,
  textOf,
} from './fields.ts'

/**
 * The Orchestrator's node types, as names of the library's: their forms, and what a filled-in one means. PURE data and functions; the
 * catalogue makes node types of it. Configs are form values, stored as they came.
 */

export interface OrchestratorNode {
  /** As it is on the wire. */
  identifier: string
  /** Null: it has none. */
  form: Form | null
  alias: AnyAlias
}

/** Names that node types of the library have, too: definitions have these under names of their own. */
const taken: ReadonlySet<string> = new Set(['http-request', 'counter', 'queue-reader'])
const prefix = 'orchestrator:'
/** Before the names of the library's own, where the wire means another type by them: who sends back what they were shown changes no type. */
const librarys = 'sluice:'

const behind = (start: string, name: string): string | null => (name.startsWith(start) && taken.has(name.slice(start.length)) ? name.slice(start.length) : null)

/** The type under which a definition has what the wire calls so; any name that is not known stands for itself. */
export const typeFor = (identifier: string): string => (taken.has(identifier) ? prefix + identifier : (behind(librarys, identifier) ?? identifier))

/** What the wire calls a type. */
export const identifierOf = (type: string): string => (taken.has(type) ? librarys + type : (behind(prefix, type) ?? type))

type Facts = Pick<AnyAlias, 'of' | 'title' | 'description' | 'category' | 'draws' | 'ends' | 'leaves'> & {
  identifier: string
  form: Form
  /** It shows no form, although its config may say something. */
  formless?: true
  /** The keys of what it gives. */
  outputs?: readonly string[]
  gives?(result: StepResult, config: Values): StepResult
  hands?: NodeAlias<Values>['hands']
}

type Read = Pick<NodeAlias<Values>, 'reads' | 'readings' | 'settles'>

function nodeOf(
  { identifier, form, formless, outputs, ...facts }: Facts,
  meaning: Read & ({ map: NonNullable<NodeAlias<Values>['map']> } | { refused: string }),
): OrchestratorNode {
  const alias: NodeAlias<Values> = {
    dialect: 'orchestrator',
    type: typeFor(identifier),
    config: configOf(form),
    check: (values) => issuesOf(form, values),
    options: (field) => form.fields[field]?.choices?.map(([value, said]) => ({ value, text: said })) ?? null,
    ...(outputs && { outputFields: () => [...outputs] }),
    ...facts,
    ...meaning,
  }
  return { identifier, form: formless ? null : form, alias }
}

const refusal = 'Form validation failed after rendering'

/** Rendered with the data of the step, checked again, and then taken as it stands. */
function rendered(facts: Facts, { opens = (config: JsonObject) => config, map }: { opens?(config: JsonObject): JsonObject; map(values: Values): Mapped }): OrchestratorNode {
  return nodeOf(facts, { reads: templatesIn(facts.form.fields), settles: { opens, refusal }, map })
}

/** All that is text is a template; of what is JSON the whole may be a value, and what stands in it is text. */
const templatesIn = (fields: Fields): Readings =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([name, { kind }]): [string, Reading][] =>
      kind === 'json'
        ? [
            [name, 'jinja-data-value'],
            [`${name}.**`, 'jinja-data'],
          ]
        : [[name, kind === 'text' || kind === 'choice' ? 'jinja-data' : 'jinja-data-value']],
    ),
  )

/** A number as it was meant, else the text that is to give one. */
const counted = (value: Json | undefined): Json => numberOf(value) ?? textOf(value) ?? null
const written = (value: Json | undefined): string => (textOf(value) ?? '').trim()

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The value that a text is the JSON of; undefined when it is none. */
function parsed(value: string): Json | undefined {
  try {
    return JSON.parse(value) as Json
  } catch {
    return undefined
  }
}

/** With the texts of these fields that hold an object, or with `any` whatever JSON, as values. */
const opening =
  (names: readonly string[], fits: (value: Json) => boolean) =>
  (config: JsonObject): JsonObject => {
    const opened = names.flatMap((name): [string, Json][] => {
      const value = config[name]
      const found = typeof value === 'string' ? parsed(value) : undefined
      return found !== undefined && fits(found) ? [[name, found]] : []
    })
    return opened.length === 0 ? config : { ...config, ...Object.fromEntries(opened) }
  }

const isStructure = (value: Json): boolean => typeof value === 'object' && value !== null

const complaintOfJson = (value: Json, said: (why: string) => string): string | null => {
  if (typeof value !== 'string') return null
  try {
    JSON.parse(value)
    return null
  } catch (error) {
    return said((error as Error).message)
  }
}

/** Puts what an item, or a step, came to under the dialect's key; what is no such thing stays as it is. */
const giving =
  (shape: (output: JsonObject, config: Values) => JsonObject) =>
  (result: StepResult, config: Values): StepResult =>
    isObject(result.output) ? { ...result, output: shape(result.output, config) } : result

// ── producers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const counterForm: Form = {
  fields: {
    min_value: integer({ help: 'Where counting up begins, and counting down ends.', required: true, initial: 0 }),
    max_value: integer({ help: 'Where counting up ends, and counting down begins.', required: true, initial: 10 }),
    direction: choice(
      [
        ['increment', 'Increment'],
        ['decrement', 'Decrement'],
      ],
      { help: 'Up or down.', required: true, initial: 'increment' },
    ),
    step: integer({ help: 'How far each number is from the one before.', required: true, initial: 1, min: 1 }),
  },
  cleans({ min_value, max_value }) {
    const [min, max] = [numberOf(min_value), numberOf(max_value)]
    return min !== null && max !== null && min >= max ? [{ path: [], message: 'min_value must be less than max_value' }] : []
  },
}

const Counter = rendered(
  {
    identifier: 'counter',
    form: counterForm,
    of: 'counter',
    title: 'Counter',
    description: 'Gives the numbers between two, both included, one for each iteration.',
    category: 'structure',
    outputs: ['counter'],
    gives: giving((item) =>
      'index' in item
        ? {
            counter: {
              current: item['value'] ?? null,
              min: (item['direction'] === 'down' ? item['to'] : item['from']) ?? null,
              max: (item['direction'] === 'down' ? item['from'] : item['to']) ?? null,
              step: item['step'] ?? null,
              direction: item['direction'] === 'down' ? 'decrement' : 'increment',
              iteration: Number(item['index']) + 1,
            },
          }
        : item,
    ),
  },
  {
    map({ min_value, max_value, direction, step }) {
      const isDown = direction === 'decrement'
      const [from, to] = isDown ? [max_value, min_value] : [min_value, max_value]
      return {
        config: { from: counted(from), to: counted(to), step: counted(step), direction: isDown ? 'down' : 'up' },
        places: [
          [['from'], [isDown ? 'max_value' : 'min_value']],
          [['to'], [isDown ? 'min_value' : 'max_value']],
          [['step'], ['step']],
        ],
      }
    },
  },
)

const separators: { [type: string]: string } = { newline: '\n', comma: ',' }

const StringIterator = nodeOf(
  {
    identifier: 'string-iterator-producer',
    form: {
      fields: {
        data_content: lines({ help: 'The text to go through.', required: true }),
        separator_type: choice(
          [
            ['newline', 'New Line (\\n)'],
            ['comma', 'Comma (,)'],
            ['custom', 'Custom'],
          ],
          { help: 'What stands between the parts of the text.', required: true, initial: 'newline' },
        ),
        custom_separator: text({ help: 'A separator of your own, with the separator type Custom; without one it is the end of a line.' }),
      },
    },
    of: 'iterator',
    title: 'String Iterator',
    description: 'Gives the parts of a text, one for each iteration: trimmed, blank ones left out.',
    category: 'structure',
    outputs: ['string_iterator'],
    gives: giving((item) => ('index' in item ? { string_iterator: { value: item['value'] ?? null, iteration_index: Number(item['index']) + 1 } } : item)),
  },
  {
    // Not read: the text is taken as it was filled in.
    readings: { '**': 'raw' },
    map({ data_content, separator_type, custom_separator }) {
      const own = textOf(custom_separator) ?? ''
      const separator = separator_type === 'custom' ? own : separators[written(separator_type)]
      return {
        config: { items: textOf(data_content) ?? '', separator: separator || '\n' },
        places: [
          [['items'], ['data_content']],
          [['separator'], ['custom_separator']],
        ],
      }
    },
  },
)

const webhookName = (value: Json): string | null => (/^[\w-]+$/.test(written(value)) ? null : 'Webhook ID can only contain letters, numbers, hyphens, and underscores')

const WebhookProducer = rendered(
  {
    identifier: 'webhook-producer',
    form: {
      fields: {
        webhook_id: text({
          label: 'Webhook ID',
          help: 'The name under which deliveries come in, at /api/webhooks/{webhook_id}/.',
          required: true,
          maxLength: 255,
          attributes: { placeholder: 'my-webhook-id' },
          cleans: webhookName,
        }),
      },
    },
    of: 'webhook',
    title: 'Webhook Producer',
    description: 'Gives what is sent to a webhook, one delivery for each iteration.',
    category: 'structure',
    outputs: ['webhook'],
    gives: giving((delivery, { webhook_id }) =>
      'receivedAt' in delivery
        ? {
            webhook: {
              webhook_id: written(webhook_id),
              data: { body: delivery['body'] ?? {}, headers: delivery['headers'] ?? {}, method: delivery['method'] ?? null, query_params: delivery['query'] ?? {} },
              timestamp: delivery['receivedAt'] ?? null,
            },
          }
        : delivery,
    ),
  },
  { map: ({ webhook_id }) => ({ config: { name: written(webhook_id) }, places: [[['name'], ['webhook_id']]] }) },
)

const queueForm: Form = {
  fields: {
    queue_name: text({
      help: 'The queue; without one, or with default, it is what the connections say.',
      maxLength: 100,
      cleans: (value) => (/^[\w.-]+$/.test(written(value)) ? null : 'The name of a queue has letters, digits, dots, hyphens and underscores.'),
    }),
  },
}

/** Undefined: what its connections say. */
const queueIn = ({ queue_name }: Values): string | undefined => (isBlank(queue_name) || written(queue_name) === 'default' ? undefined : written(queue_name))

const queueReader = (identifier: string): OrchestratorNode =>
  rendered(
    {
      identifier,
      form: queueForm,
      formless: true,
      of: 'queue-reader',
      title: 'Queue Reader',
      description: 'Gives what is written into a queue, one item for each iteration, until nobody can write any more.',
      category: 'structure',
    },
    {
      map(values) {
        const queue = queueIn(values)
        return { config: { ...(queue !== undefined && { queue }) }, places: [[['queue'], ['queue_name']]] }
      },
    },
  )

// ── ways ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const literalsAndTemplates = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\{\{(.*?)\}\}/gs
const quotedTemplate = /^(['"])\s*\{\{((?:(?!\{\{|\}\}).)*)\}\}\s*\1$/s

/** A template in a condition stands for its value, a quoted one for that as text: nothing that comes in is read as Python. */
const pythonOf = (condition: Json | undefined): string =>
  written(condition).replaceAll(literalsAndTemplates, (found, template: string | undefined) =>
    template === undefined ? found.replace(quotedTemplate, 'str($2)') : `(${template})`,
  )

const IfCondition = nodeOf(
  {
    identifier: 'if-condition',
    form: {
      fields: {
        condition_expression: lines({ help: "A Python expression over `data` that is true or false, as data.get('followers', 0) > 500.", required: true, attributes: { rows: 3 } }),
      },
      cleans: ({ condition_expression }) =>
        pythonOf(condition_expression).includes('{{') ? [{ path: ['condition_expression'], message: 'A template cannot be a part of a text here: write an expression.' }] : [],
    },
    of: 'router',
    title: 'If Condition',
    description: 'Goes on by yes or by no.',
    category: 'flow',
    outputs: ['if_condition'],
    gives(result, { condition_expression }) {
      const route = result.route?.[0] ?? 'no'
      return { ...result, output: { if_condition: { route, expression: written(condition_expression), result: route === 'yes' } } }
    },
  },
  {
    reads: { condition_expression: 'python' },
    readings: { '**': 'raw', 'routes.*.when': 'python' },
    map: ({ condition_expression }) => ({
      config: {
        routes: [
          { name: 'yes', when: pythonOf(condition_expression) },
          { name: 'no', when: true },
        ],
      },
      places: [
        [['routes'], ['condition_expression']],
        [['routes', 0, 'when'], ['condition_expression']],
      ],
    }),
  },
)

const unitMs: { [unit: string]: number } = { seconds: 1_000, minutes: 60_000, hours: 3_600_000, days: 86_400_000, months: 2_592_000_000 }
const longest = 3_650 * unitMs['days']!

const units = Object.keys(unitMs).map((unit) => [unit, unit.charAt(0).toUpperCase() + unit.slice(1)] as const)

const span = (time: Json | undefined, unit: Json | undefined): number => (numberOf(time) ?? 0) * (unitMs[written(unit)] ?? 0)

const tooLong = (field: string, time: Json | undefined, unit: Json | undefined): Issue[] =>
  span(time, unit) > longest ? [{ path: [field], message: 'Ensure this time is at most ten years.' }] : []

const StaticDelay = rendered(
  {
    identifier: 'static-delay-node',
    form: {
      fields: {
        interval: integer({ help: 'How long to wait.', required: true, min: 1 }),
        unit: choice(units, { help: 'The unit of the interval.', required: true }),
      },
      cleans: ({ interval, unit }) => tooLong('interval', interval, unit),
    },
    of: 'delay',
    title: 'Static Delay',
    description: 'Waits for a time.',
    category: 'flow',
  },
  { map: ({ interval, unit }) => ({ config: { ms: span(interval, unit), output: {} }, places: [[['ms'], ['interval']]] }) },
)

const DynamicDelay = rendered(
  {
    identifier: 'dynamic-delay-node',
    form: {
      fields: {
        total_time: integer({ help: 'What the delays come to, exactly.', required: true, min: 1 }),
        unit: choice(units, { help: 'The unit of the total time.', required: true }),
        executions: integer({ help: 'How many delays the total time is divided into.', required: true, min: 1, max: 1_000_000 }),
        jitter_percent: integer({ help: 'How much longer or shorter a delay may be than their average, in percent.', initial: 30, min: 0, max: 100 }),
      },
      cleans: ({ total_time, unit }) => tooLong('total_time', total_time, unit),
    },
    of: 'delay',
    title: 'Dynamic Delay',
    description: 'Waits for a part of a time, another each time it is come by; the parts come to the whole exactly.',
    category: 'flow',
  },
  {
    map: ({ total_time, unit, executions, jitter_percent }) => ({
      config: { spread: { totalMs: span(total_time, unit), over: counted(executions), jitter: (numberOf(jitter_percent) ?? 30) / 100 }, output: {} },
      places: [
        [['spread'], ['total_time']],
        [['spread', 'over'], ['executions']],
        [['spread', 'jitter'], ['jitter_percent']],
      ],
    }),
  },
)

const listed = (value: Json): boolean => Array.isArray(value)

/** A path into the data, as `items` or `webhook.data`. */
const path = /^[A-Za-z_][\w-]*(?:\.[\w-]+)*$/

/** A list as JSON, or as Python writes it; or a path to one. */
function expressionOfList(config: JsonObject): JsonObject {
  const { array_expression: given } = config
  if (typeof given !== 'string' || isTemplate(given)) return config
  const value = given.trim()
  const found = parsed(value)
  if (found !== undefined) return { ...config, array_expression: found }
  if (path.test(value))
    return {
      ...config,
      array_expression: `{{ data${value
        .split('.')
        .map((key) => `[${JSON.stringify(key)}]`)
        .join('')} }}`,
    }
  return /^[[(]/.test(value) ? { ...config, array_expression: `{{ ${value} }}` } : config
}

const ForEach = rendered(
  {
    identifier: 'for-each',
    form: {
      fields: {
        array_expression: json({
          help: 'What gives the list to go through: a template, JSON, or a path into the data. What is no list has no elements.',
          attributes: { rows: 5, placeholder: '{{ data.items }}' },
        }),
      },
    },
    of: 'map',
    title: 'For Each',
    description: 'Runs what it leads to by subdag once for each element of a list, one after another, and then goes on with all that they gave.',
    category: 'structure',
    outputs: ['forEachNode', 'loop_results'],
    draws: 'subdag',
    hands: ({ item, index }) => ({ forEachNode: { state: { index, item } } }),
    gives: giving((output) => ('results' in output ? collected(output['results'] ?? []) : output)),
  },
  {
    opens: expressionOfList,
    map: ({ array_expression: items = null }) => ({ config: { items: listed(items) ? items : [], concurrency: 1 }, places: [[['items'], ['array_expression']]] }),
  },
)

/** Of each element what the last nodes behind it gave: of one that, of several a list; where nothing follows there is nothing to collect. */
function collected(results: Json): JsonObject {
  const each = (Array.isArray(results) ? results : []).map((result) => (isObject(result) ? Object.values(result).filter((output) => !isElement(output)) : []))
  const given = each.flatMap((outputs) => (outputs.length === 0 ? [] : [outputs.length === 1 ? outputs[0]! : outputs]))
  return { forEachNode: { results: given }, loop_results: given }
}

/** What for-each hands on, and not what something made of it. */
const isElement = (output: Json): boolean => isObject(output) && isObject(output['forEachNode'] ?? null) && 'state' in (output['forEachNode'] as JsonObject)

// ── work ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const
const withBody: ReadonlySet<Json | undefined> = new Set(['POST', 'PUT', 'PATCH'])

const objectOf = (label: string, words: string, help: string, placeholder: string) =>
  json({
    label,
    help,
    attributes: { rows: 5, placeholder },
    cleans: (value) => complaintOfJson(value, (why) => `Invalid JSON in ${words}: ${why}`) ?? (isObject(value) ? null : `${label} must be a JSON object (dictionary)`),
  })

const secretText = (label: string, maxLength: number, help: string) => text({ label, help, maxLength, attributes: { type: 'password', autocomplete: 'off' } })

const httpForm: Form = {
  fields: {
    method: choice(
      methods.map((method) => [method, method]),
      { label: 'Method', help: 'The HTTP method; GET unless set.', initial: 'GET' },
    ),
    url: text({
      label: 'URL',
      help: 'The whole address.',
      required: true,
      maxLength: 2048,
      initial: 'https://api.example.com',
      attributes: { placeholder: 'https://api.example.com/...' },
    }),
    headers: objectOf('Headers', 'headers', 'An object of headers.', '{"Content-Type": "application/json"}'),
    query_params: objectOf('Query params', 'query params', 'An object of what is added to the address.', '{"page": "1", "limit": "10"}'),
    body: json({
      label: 'Body',
      help: 'What POST, PUT and PATCH send: an object or a list goes as JSON, all else as text.',
      attributes: { rows: 8, placeholder: '{"key": "value"}' },
    }),
    timeout_seconds: number({ label: 'Timeout (seconds)', help: 'For the whole exchange; 30 unless set.', initial: 30, min: 0.1, max: limits.attemptMs / 1_000 }),
    auth_type: choice(
      [
        ['', 'None'],
        ['basic', 'Basic'],
        ['bearer', 'Bearer'],
      ],
      { label: 'Auth type', help: 'How the call is authenticated.', initial: '' },
    ),
    auth_username: text({ label: 'Auth username', help: 'Of basic authentication.', maxLength: 255 }),
    auth_password: secretText('Auth password', 255, 'Of basic authentication.'),
    auth_bearer_token: secretText('Bearer token', 2048, 'Of bearer authentication.'),
  },
}

const HttpRequest = rendered(
  {
    identifier: 'http-request',
    form: httpForm,
    of: 'http-request',
    title: 'HTTP Request',
    description: 'Calls an HTTP service. Whatever it answers is a result, and so is that it does not answer.',
    category: 'work',
    outputs: ['http_request'],
    gives: giving(({ durationMs, ...answer }) => ({ http_request: { ...answer, duration_ms: durationMs ?? null } })),
  },
  {
    opens: opening(['headers', 'query_params', 'body'], isStructure),
    map(values) {
      const { url, query_params, body, timeout_seconds } = values
      const method = written(values['method']) || 'GET'
      const headers = headersOf(values)
      return {
        config: {
          method,
          url: written(url),
          onError: 'give',
          timeoutMs: Math.round((numberOf(timeout_seconds) ?? 30) * 1_000),
          ...(Object.keys(headers).length > 0 && { headers }),
          ...(isObject(query_params) && { query: query_params }),
          ...(withBody.has(method) && body !== undefined && !isBlank(body) && { body }),
        },
        places: [...['method', 'url', 'headers', 'body'].map((field) => [[field], [field]] as const), [['query'], ['query_params']], [['timeoutMs'], ['timeout_seconds']]],
      }
    },
  },
)

/** A value that is no text goes as its JSON. */
function headersOf({ headers, auth_type, auth_username, auth_password, auth_bearer_token }: Values): JsonObject {
  const said = Object.entries(isObject(headers) ? headers : {}).flatMap(([name, value]): [string, string][] =>
    value === null ? [] : [[name, textOf(value) ?? JSON.stringify(value)]],
  )
  const basic = `${written(auth_username)}:${textOf(auth_password) ?? ''}`
  const token = written(auth_bearer_token)
  const authorization =
    auth_type === 'basic' && basic !== ':' ? `Basic ${Buffer.from(basic).toString('base64')}` : auth_type === 'bearer' && token !== '' ? `Bearer ${token}` : null
  if (authorization === null) return Object.fromEntries(said)
  return Object.fromEntries([...said.filter(([name]) => name.toLowerCase() !== 'authorization'), ['Authorization', authorization]])
}

const DataTransformer = rendered(
  {
    identifier: 'data-transformer',
    form: {
      fields: {
        overwrite: flag({ help: 'On, what it gives stands by its own keys; off, all of it stands under data_transformer.', initial: true }),
        output_template: json({
          help: 'JSON with templates in it: what it gives.',
          required: true,
          attributes: { rows: 15, placeholder: '{\n  "field": "{{ data.previous_node.value }}"\n}' },
          cleans: (value) => complaintOfJson(value, (why) => `Invalid JSON in output template: ${why}`),
        }),
      },
    },
    of: 'static-value',
    title: 'Data Transformer',
    description: 'Gives an object that a template makes of the data.',
    category: 'data',
  },
  {
    opens: opening(['output_template'], () => true),
    map({ overwrite, output_template: made = null }) {
      const values = isObject(made) && isChecked(overwrite, true) ? made : { data_transformer: made }
      return { config: { values }, places: [[['values'], ['output_template']]] }
    },
  },
)

/** Where the data as a whole is read, for a node that takes it as it is. */
const whole = '@data'
const withData = (config: JsonObject): JsonObject => ({ [whole]: '{{ data }}', ...config })

function takingData(facts: Facts, { opens, map }: { opens(config: JsonObject): JsonObject; map(values: Values): Mapped }): OrchestratorNode {
  const field = json({ help: 'All that comes in.' })
  const { form } = facts
  const alias = rendered({ ...facts, form: { ...form, fields: { ...form.fields, [whole]: field } } }, { opens, map })
  return { ...alias, form: facts.formless ? null : form }
}

const QueueWriter = takingData(
  {
    identifier: 'queue-node-writer',
    form: queueForm,
    formless: true,
    of: 'queue-push',
    title: 'Queue Writer',
    description: 'Writes all that comes in into a queue. What it leads to, but for queue readers, does not follow.',
    category: 'structure',
    ends: true,
  },
  {
    opens: withData,
    map({ [whole]: value = {}, ...values }) {
      const queue = queueIn(values)
      return { config: { value, ...(queue !== undefined && { queue }) }, places: [[['queue'], ['queue_name']]] }
    },
  },
)

const HttpResponse = takingData(
  {
    identifier: 'http-response',
    form: {
      fields: {
        status_code: integer({ label: 'Status code', help: 'The HTTP status.', required: true, initial: 200, min: 100, max: 599 }),
        body_source: choice(
          [
            ['from_input', 'From upstream node output'],
            ['custom', 'Custom JSON body'],
          ],
          { label: 'Response body', help: 'What comes in, or a body of its own.', required: true, initial: 'from_input' },
        ),
        body_json: json({
          label: 'Custom body (JSON)',
          help: 'The body, when it is one of its own.',
          attributes: { rows: 10, placeholder: '{\n  "message": "Success"\n}' },
          cleans: (value) => complaintOfJson(value, (why) => `Invalid JSON: ${why}`),
        }),
      },
    },
    of: 'respond',
    title: 'HTTP Response',
    description: 'Says what who started the run is to be answered.',
    category: 'data',
    gives: giving(({ status = null, body = null }) => ({ __http_response__: true, status, body })),
  },
  {
    opens: (config) => (config['body_source'] === 'custom' ? opening(['body_json'], () => true)(config) : withData({ ...config, body_json: '' })),
    map({ status_code, body_source, body_json, [whole]: data = {} }) {
      const body = body_source === 'custom' ? (isBlank(body_json) ? {} : (body_json ?? {})) : data
      return {
        config: { status: counted(status_code), body },
        places: [
          [['status'], ['status_code']],
          [['body'], ['body_json']],
        ],
      }
    },
  },
)

const FileWriter = takingData(
  {
    identifier: 'file-writer',
    form: {
      fields: {
        file_path: text({ help: 'The name of the file; whatever slashes stand in it, it is one of this node.', required: true }),
        mode: choice(
          [
            ['w', 'Overwrite (w)'],
            ['a', 'Append (a)'],
          ],
          { help: 'Anew, or at the end of the file.', required: true, initial: 'w' },
        ),
        content: lines({ help: 'What is written; empty: all that comes in, as JSON.' }),
      },
    },
    of: 'file-write',
    title: 'File Writer',
    description: 'Writes what comes in into a file.',
    category: 'data',
    gives: (result) => ({ ...result, output: {} }),
  },
  {
    opens: withData,
    map({ file_path, mode, content, [whole]: data = {} }) {
      return {
        config: { name: written(file_path), content: isBlank(content) ? JSON.stringify(data, null, 2) : (textOf(content) ?? ''), append: mode === 'a' },
        places: [
          [['name'], ['file_path']],
          [['append'], ['mode']],
          [['content'], ['content']],
        ],
      }
    },
  },
)

const refusedHere = (identifier: string, of: string, title: string, description: string, fields: Fields = {}): OrchestratorNode =>
  nodeOf(
    { identifier, form: { fields }, ...(Object.keys(fields).length === 0 && { formless: true as const }), of, title, description, category: 'work' },
    { refused: `${title} is not done here: it needs a service that this server does not have` },
  )

const externals = [
  refusedHere('playwright-web-page-loader', 'http-request', 'Web Page Loader', 'Loads a web page in a browser.', {
    url: text({ label: 'URL', help: 'The page.', required: true }),
    session_name: text({ help: 'The browser session.' }),
    wait_mode: choice(
      [
        ['load', 'Load (Default)'],
        ['domcontentloaded', 'DOM Content Loaded'],
        ['networkidle', 'Network Idle'],
      ],
      { help: 'When the page counts as loaded.', required: true, initial: 'load' },
    ),
  }),
  refusedHere('linkedin-profile-parser', 'code', 'LinkedIn Profile Parser', 'Reads a LinkedIn profile.'),
  refusedHere('linkedin-send-connection-request', 'http-request', 'Send Connection Request', 'Sends a request to connect on LinkedIn.'),
  refusedHere('google-sheets-get-row', 'http-request', 'Google Sheets Get Row', 'Reads a row of a Google sheet.'),
  refusedHere('google-sheets-update-row', 'http-request', 'Google Sheets Update Row', 'Writes a row of a Google sheet.'),
  refusedHere('google-sheets-get-record-by-query', 'http-request', 'Google Sheets Get Record By Query', 'Finds a row of a Google sheet.'),
  refusedHere('google-sheets-get-record-by-query-provider', 'iterator', 'Google Sheets Get Record By Query Provider', 'Gives rows of a Google sheet.'),
]

/** In the order in which they are shown. */
export const nodes: readonly OrchestratorNode[] = [
  Counter,
  StringIterator,
  WebhookProducer,
  queueReader('queue-reader-dummy'),
  queueReader('queue-reader'),
  QueueWriter,
  IfCondition,
  StaticDelay,
  DynamicDelay,
  HttpRequest,
  DataTransformer,
  ForEach,
  HttpResponse,
  FileWriter,
  ...externals,
]

const byIdentifier = new Map(nodes.map((node) => [node.identifier, node]))

export const nodeNamed = (identifier: string): OrchestratorNode | undefined => byIdentifier.get(identifier)

export const orchestratorNodes: readonly AnyAlias[] = nodes.map(({ alias }) => alias)

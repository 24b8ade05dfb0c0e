import { describe, expect, test } from 'vitest'
import { NodeForm, NodeMeta } from '../../../src/dialects/orchestrator/contract.ts'
import { formOf, initialValues } from '../../../src/dialects/orchestrator/forms.ts'
import { nodes, typeFor } from '../../../src/dialects/orchestrator/nodes.ts'
import { metaNamed, palette } from '../../../src/dialects/orchestrator/palette.ts'
import { createModels } from '../../../src/models/models.ts'
import { createCatalogue } from '../../../src/nodes/catalogue.ts'
import { describe as described } from '../../../src/nodes/describe.ts'
import { optionsOf } from '../../../src/nodes/options.ts'
import { createOutside } from '../../../src/outside/outside.ts'
import { createSandbox } from '../../../src/sandbox/sandbox.ts'

const outside = createOutside({ allow: [] })
const foundations = { outside, sandbox: createSandbox(), models: createModels({ configured: null, outside }) }
const catalogue = createCatalogue(
  foundations,
  [],
  nodes.map(({ alias }) => alias),
)
const fieldOf = (identifier: string, name: string, values?: { [field: string]: string }) => formOf(identifier, values)!.fields.find((field) => field.name === name)!

describe.each(nodes.map(({ identifier, form }) => [identifier, form] as const))('%s', (identifier, form) => {
  test('has a place in the palette, as the wire has it', () => {
    const meta = metaNamed(identifier)!
    expect(NodeMeta.parse(meta)).toEqual(meta)
    expect(meta).toMatchObject({ has_form: form !== null, icon: null })
    expect(meta.form_class === null).toBe(form === null)
    expect(meta.input_ports).toHaveLength(meta.type === 'ProducerNode' ? 0 : 1)
  })

  test('has a form as the wire has it, and begins with what its form begins with', () => {
    const shown = formOf(identifier)
    if (form === null) {
      expect(shown).toBeNull()
      expect(initialValues(identifier)).toEqual({})
      return
    }
    expect(NodeForm.parse(shown)).toEqual(shown)
    expect(shown!.fields.map(({ name }) => name)).toEqual(Object.keys(form.fields))
    expect(Object.fromEntries(shown!.fields.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])))).toEqual(initialValues(identifier))
    expect(shown!.fields.flatMap(({ errors }) => errors)).toEqual([])
  })

  test('describes its config, each field with a title, to those who speak natively', () => {
    const { config, alias } = described(catalogue.get(typeFor(identifier))!)
    expect(alias).toMatchObject({ dialect: 'orchestrator' })
    for (const schema of Object.values((config['properties'] ?? {}) as { [field: string]: { title?: string } })) expect(schema.title).toMatch(/./)
  })
})

test('node types are of the kinds that editors know, with their ports', () => {
  expect(metaNamed('counter')).toMatchObject({ name: 'CounterNode', type: 'ProducerNode', input_ports: [], output_ports: [{ id: 'default', label: 'Out' }], category: 'Counter' })
  expect(metaNamed('if-condition')).toMatchObject({
    type: 'ConditionalNode',
    input_ports: [{ id: 'default', label: 'In' }],
    output_ports: [
      { id: 'yes', label: 'Yes' },
      { id: 'no', label: 'No' },
    ],
  })
  expect(metaNamed('for-each')!.output_ports.map(({ id }) => id)).toEqual(['default', 'subdag'])
  expect(metaNamed('queue-node-writer')).toMatchObject({ type: 'NonBlockingNode', has_form: false, form_class: null })
  expect(metaNamed('nothing')).toBeUndefined()
  expect(palette.map(({ identifier }) => identifier)).toEqual(nodes.map(({ identifier }) => identifier))
})

describe('a form', () => {
  test('has the attributes of HTML, with what they say', () => {
    expect(fieldOf('counter', 'step')).toEqual({ tag: 'input', label: 'Step', errors: [], type: 'number', name: 'step', id: 'id_step', required: true, min: 1, value: 1 })
    expect(fieldOf('counter', 'direction')).toEqual({
      tag: 'select',
      label: 'Direction',
      errors: [],
      name: 'direction',
      id: 'id_direction',
      required: true,
      value: 'increment',
      options: [
        { value: 'increment', text: 'Increment', selected: true },
        { value: 'decrement', text: 'Decrement' },
      ],
    })
    expect(fieldOf('http-request', 'headers')).toMatchObject({ tag: 'textarea', label: 'Headers', json_mode: true, rows: 5, cols: 40 })
    expect(fieldOf('if-condition', 'condition_expression')).toMatchObject({ tag: 'textarea', label: 'Condition expression', json_mode: false, rows: 3, required: true })
    expect(fieldOf('webhook-producer', 'webhook_id')).toMatchObject({ label: 'Webhook ID', type: 'text', maxlength: 255, placeholder: 'my-webhook-id' })
    expect(fieldOf('http-request', 'auth_password')).toMatchObject({ type: 'password' })
  })

  test('that is filled in tells of each field what is wrong with it, and of all together', () => {
    const filled = formOf('counter', { min_value: '7', max_value: 'x', direction: 'decrement' })!
    expect(filled.fields.map(({ name, value, errors }) => [name, value, errors])).toEqual([
      ['min_value', '7', []],
      ['max_value', 'x', ['Enter a whole number.']],
      ['direction', 'decrement', []],
      ['step', undefined, ['This field is required.']],
    ])
    expect(filled.non_field_errors).toBeUndefined()
    expect(fieldOf('counter', 'direction', { direction: 'decrement' }).options).toMatchObject([{ value: 'increment' }, { value: 'decrement', selected: true }])
    const together = formOf('counter', { min_value: 2, max_value: 1, direction: 'increment', step: 1 })!
    expect(together.non_field_errors).toEqual(['min_value must be less than max_value'])
  })

  test('of a type that is not there is none', () => {
    expect(formOf('nothing')).toBeUndefined()
    expect(initialValues('nothing')).toEqual({})
  })

  test('of a new http-request asks the address of the document', () => {
    expect(initialValues('http-request')).toEqual({ method: 'GET', url: 'https://api.example.com', timeout_seconds: 30, auth_type: '' })
    expect(initialValues('counter')).toEqual({ min_value: 0, max_value: 10, direction: 'increment', step: 1 })
  })

  test('has choices with the texts that people read', () => {
    expect(optionsOf(catalogue.get('static-delay-node')!, 'unit', {})!.slice(0, 2)).toEqual([
      { value: 'seconds', text: 'Seconds' },
      { value: 'minutes', text: 'Minutes' },
    ])
  })
})

import type { Json, JsonObject } from '@sluice/schema'
import type { z } from 'zod'
import type { NodeForm } from './contract.ts'
import { type Field, type Form, type Values, issuesOf, labelOf } from './fields.ts'
import { nodeNamed } from './nodes.ts'

/** Forms as the Orchestrator's editor shows them, made of the fields that a node type declares. PURE. */

type FormJson = z.output<typeof NodeForm>
type FieldJson = FormJson['fields'][number]

/** What the config of a new node is: what its form begins with. Empty where there is no form. */
export function initialValues(identifier: string): JsonObject {
  const { fields } = nodeNamed(identifier)?.form ?? { fields: {} }
  return Object.fromEntries(Object.entries(fields).flatMap(([name, { initial }]) => (initial === undefined ? [] : [[name, initial] as const])))
}

/**
 * The form of a node type. Without values it is a new one; with values it is filled in, and each field tells what is wrong with it.
 * Null where the type has none, undefined where there is no such type.
 */
export function formOf(identifier: string, values?: Values): FormJson | null | undefined {
  const node = nodeNamed(identifier)
  if (!node) return undefined
  return node.form && formJson(node.form, values)
}

function formJson(form: Form, values: Values | undefined): FormJson {
  const issues = values === undefined ? [] : issuesOf(form, values)
  const errorsAt = (name: string | undefined): string[] => issues.filter(({ path }) => path[0] === name).map(({ message }) => message)
  const fields = Object.entries(form.fields).map(([name, field]) => fieldJson(name, field, values === undefined ? field.initial : values[name], errorsAt(name)))
  const together = errorsAt(undefined)
  return { fields, ...(together.length > 0 && { non_field_errors: together }) }
}

function fieldJson(name: string, field: Field, value: Json | undefined, errors: string[]): FieldJson {
  const { tag, kind, attributes, choices, required, min, max, maxLength } = field
  return {
    tag,
    label: labelOf(name, field),
    errors,
    ...attributes,
    name,
    id: `id_${name}`,
    ...(required && { required: true }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(maxLength !== undefined && { maxlength: maxLength }),
    ...(value !== undefined && value !== null && { value }),
    ...(choices && { options: choices.map(([each, text]) => ({ value: each, text, ...(each === value && { selected: true }) })) }),
    ...(tag === 'textarea' && { json_mode: kind === 'json' }),
  }
}

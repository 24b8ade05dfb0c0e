import { z } from 'zod'
import { readJsonText } from './json.ts'

/**
 * Text from a path or a query, read as the schema wants it: numbers, booleans, lists of repeated keys. What cannot be read
 * so is left as the text it was, and the schema then says what it expected.
 */
export function coerce(schema: z.core.$ZodType | undefined, texts: readonly string[]): unknown {
  const inner = unwrap(schema)
  if (inner?._zod.def.type === 'array') {
    const { element } = inner._zod.def as z.core.$ZodArrayDef
    return texts.map((text) => one(element, text))
  }
  // Two values where one is expected: the schema refuses the list.
  return texts.length === 1 ? one(inner, texts[0]!) : [...texts]
}

function one(schema: z.core.$ZodType | undefined, text: string): unknown {
  const inner = unwrap(schema)
  if (!inner) return text
  if (isJsonText(inner)) return jsonOf(text)
  const { type } = inner._zod.def
  if (type === 'number') return decimal.test(text) ? Number(text) : text
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text
  if (type === 'null') return text === 'null' ? null : text
  if (type === 'literal') return (inner._zod.def as z.core.$ZodLiteralDef<z.core.util.Literal>).values.find((value) => String(value) === text) ?? text
  // The first branch that reads the text as something else than text; else text, which some branch may take.
  if (type === 'union') {
    const { options } = inner._zod.def as z.core.$ZodUnionDef
    for (const option of options) {
      const value = one(option, text)
      if (value !== text) return value
    }
  }
  return text
}

const jsonTexts = new WeakMap<z.core.$ZodType, boolean>()

/** Whether the schema says that in a text it is JSON. */
function isJsonText(schema: z.core.$ZodType): boolean {
  const known = jsonTexts.get(schema)
  if (known !== undefined) return known
  const is = z.globalRegistry.get(schema)?.['contentMediaType'] === 'application/json'
  jsonTexts.set(schema, is)
  return is
}

function jsonOf(text: string): unknown {
  try {
    const { value, text: kept } = readJsonText(text)
    // A condition that had to be dropped would have held for fewer.
    return kept === text ? value : text
  } catch {
    return text
  }
}

/** JSON's numbers alone: no hexadecimal, no blanks, no Infinity, and '' is not 0. */
const decimal = /^-?(0|[1-9]\d{0,20})(\.\d{1,20})?([eE][+-]?\d{1,3})?$/

/** The schema under optional, default, nullable and the like; of a pipe, its input side. */
export function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let inner = schema
  while (inner) {
    const def = inner._zod.def as { type: string; innerType?: z.core.$ZodType; in?: z.core.$ZodType; getter?: () => z.core.$ZodType }
    if (def.innerType) inner = def.innerType
    else if (def.type === 'pipe' && def.in) inner = def.in
    else if (def.type === 'lazy' && def.getter) inner = def.getter()
    else break
  }
  return inner
}

/** The fields of an object schema; undefined for any other. */
export function fieldsOf(schema: z.core.$ZodType | undefined): Readonly<Record<string, z.core.$ZodType>> | undefined {
  const inner = unwrap(schema)
  return inner?._zod.def.type === 'object' ? (inner._zod.def as z.core.$ZodObjectDef).shape : undefined
}

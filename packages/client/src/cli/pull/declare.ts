import type { JsonObject } from '@sluice/schema'
import { typeNameOf } from './names.ts'
import { saysNothing, SchemaRefused, typedSchema, withJson } from './typed-schema.ts'

/** A type by its name, and the declarations it needs. */
export interface Declared {
  name: string
  text: string
}

/** Names that meet are rare; as many as this of them are somebody's intent. */
const mostTries = 50

/**
 * Declares the types of schemas, each under a name that no other has: what is declared for one schema beside its own type, as
 * its `$defs`, begins with that name too.
 */
export class Declarations {
  readonly #taken = new Set<string>()

  /** Null for a schema that says nothing. What comes out of a run is `Json` where more is not known, what goes in `unknown`. Throws `SchemaRefused` for one that no type can be made of. */
  async declare(wanted: string, schema: JsonObject, { comesOut = false }: { comesOut?: boolean } = {}): Promise<Declared | null> {
    const typed = typedSchema(schema)
    if (saysNothing(typed)) return null
    const said = comesOut ? (withJson(typed) as JsonObject) : typed
    for (let number = 1; number <= mostTries; number++) {
      const name = number === 1 ? wanted : `${wanted}${number}`
      if (this.#taken.has(name)) continue
      const text = await compiled(name, said)
      const names = [...text.matchAll(/^export (?:interface|type) (\w+)/gm)].map(([, each]) => each!)
      if (names.some((each) => this.#taken.has(each))) continue
      for (const each of names) this.#taken.add(each)
      return { name, text }
    }
    throw new SchemaRefused('the names that it gives to its types are taken')
  }
}

async function compiled(name: string, schema: JsonObject): Promise<string> {
  const { compile } = await import('json-schema-to-typescript')
  let root = true
  const text = await compile(schema, name, {
    bannerComment: '',
    format: true,
    style: { semi: false, singleQuote: true, printWidth: 120 },
    declareExternallyReferenced: true,
    unreachableDefinitions: false,
    additionalProperties: true,
    unknownAny: true,
    // Lengths of lists are for validators: as tuples they get in the way of every list that is built step by step.
    ignoreMinAndMaxItems: true,
    $refOptions: { resolve: { external: false, file: false, http: false } },
    customName: ({ $id }, definition) => {
      if (root) {
        root = false
        return name
      }
      const own = definition ?? $id
      return own === undefined ? undefined : `${name}${typeNameOf(own)}`
    },
  }).catch((error: unknown) => {
    throw new SchemaRefused(`no type can be made of its schema (${error instanceof Error ? error.message.split('\n')[0] : String(error)})`)
  })
  return text.trim()
}

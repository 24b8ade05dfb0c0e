import type { AnyTRPCRouter } from '@trpc/server'
import { addressesOf } from './addresses.ts'
import { provisional, settle } from './components.ts'
import type { Description, Document } from './description.ts'
import { generate } from './generate.ts'
import { explain } from './meanings.ts'
import { anyOf, operationAt, tagsOf } from './operation.ts'
import { problemExamples, sharedProblems } from './problems.ts'
import { headers } from './replies.ts'
import { nameAll } from './words.ts'

/** The OpenAPI 3.1 document of the procedures that say where they are found. Deterministic. */
export function describe(router: AnyTRPCRouter, description: Description): Document {
  const { title, version, license, tags, notes, errors, event, securitySchemes, streamSecuritySchemes } = description
  const addresses = addressesOf(router, (procedure, path) => notes[procedure]?.at?.[path]?.hides ?? [])
  const parts = generate(addresses, { words: provisionally(nameAll(description.words, addresses)), event, error: errors.schema })
  const paths: Document['paths'] = {}
  for (const address of addresses) (paths[address.path] ??= {})[address.method.toLowerCase()] = operationAt(address, parts, description)
  const document = settle({
    openapi: '3.1.0',
    info: { title, version, description: description.description, license },
    servers: [{ url: '/' }],
    security: anyOf(securitySchemes),
    tags: tags.filter(({ name }) => addresses.some((address) => tagsOf(address).includes(name))),
    paths,
    components: {
      securitySchemes: { ...securitySchemes, ...streamSecuritySchemes },
      headers,
      responses: sharedProblems(errors, parts.error),
      examples: problemExamples(errors),
      schemas: { ...parts.schemas, ...provisionally(description.rendered) },
    },
  })
  return explain(document, description.meanings)
}

const provisionally = <T>(words: Readonly<Record<string, T>>): Record<string, T> => Object.fromEntries(Object.entries(words).map(([name, word]) => [provisional(name), word]))

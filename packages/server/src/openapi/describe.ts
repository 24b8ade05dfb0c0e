import type { AnyTRPCRouter } from '@trpc/server'
import { type Address, addressesOf } from './addresses.ts'
import { provisional, settle } from './components.ts'
import type { Description, Document } from './description.ts'
import { generate } from './generate.ts'
import { explain } from './meanings.ts'
import { anyOf, operationAt, tagsOf } from './operation.ts'
import { problemExamples, sharedProblems } from './problems.ts'
import { headers } from './replies.ts'
import { nameAll } from './words.ts'

/** The OpenAPI 3.1 document of the procedures that say where they are found. */
export const describe = (router: AnyTRPCRouter, description: Description): Document =>
  describeAddresses(
    addressesOf(router, (procedure, path) => description.notes[procedure]?.at?.[path]?.hides ?? []),
    description,
  )

/** The OpenAPI 3.1 document of addresses. Deterministic. */
export function describeAddresses(addresses: readonly Address[], description: Description): Document {
  const { title, version, license, tags, errors, event, securitySchemes, streamSecuritySchemes, servers = [{ url: '/' }] } = description
  const parts = generate(addresses, { words: provisionally(nameAll(description.words, addresses)), event, error: errors.schema })
  const paths: Document['paths'] = {}
  for (const address of addresses) (paths[address.path] ??= {})[address.method.toLowerCase()] = operationAt(address, parts, description)
  const document = settle({
    openapi: '3.1.0',
    info: { title, version, description: description.description, license },
    servers: [...servers],
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

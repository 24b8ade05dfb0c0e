import { z } from 'zod'
import type { Address } from './addresses.ts'

/** Schemas by the name they have in a document. */
export type Words = Record<string, z.ZodType>

/** The schemas among the exports of a module. */
export const wordsOf = (exports: object): Words => Object.fromEntries(Object.entries(exports).filter(([, value]) => value instanceof z.ZodType))

/**
 * The words, and with them what gets its name from one: the kinds of a union (`RunQueuedEvent` of `RunEvent`), the pages
 * of a list (`RunSummaryPage`), and bodies from which the path has taken keys (`UpdateWorkflow`).
 */
export function nameAll(words: Words, addresses: readonly Address[]): Words {
  const named = { ...words }
  const nameOf = (schema: unknown) => Object.entries(words).find(([, word]) => word === schema)?.[0]
  for (const [name, schema] of Object.entries(words)) if (schema instanceof z.ZodDiscriminatedUnion) nameKinds(named, name, schema)
  for (const { takes, reply } of addresses) {
    const inputName = nameOf(reply?.input)
    if (inputName !== undefined && takes.body) named[inputName] = takes.body
    const itemName = nameOf(itemOf(reply?.output))
    if (itemName !== undefined) named[`${itemName}Page`] ??= reply!.output!
  }
  return named
}

function nameKinds(named: Words, name: string, union: z.ZodDiscriminatedUnion): void {
  const noun = /[A-Z][a-z]+$/.exec(name)?.[0] ?? name
  for (const option of union.options as readonly z.ZodType[]) {
    if (!(option instanceof z.ZodObject) || Object.values(named).includes(option)) continue
    const kind: unknown = option.shape[union.def.discriminator]
    if (kind instanceof z.ZodLiteral && typeof kind.value === 'string') named[`${kind.value.split(/[._-]/).map(capital).join('')}${noun}`] = option
  }
}

const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

/** What a page is a page of. */
function itemOf(output: z.ZodType | undefined): unknown {
  if (!(output instanceof z.ZodObject)) return undefined
  const { items, nextCursor } = output.shape as Record<string, z.ZodType>
  return nextCursor && items instanceof z.ZodArray ? items.element : undefined
}

import type { JsonObject, Version } from '@sluice/schema'
import { type Declared, Declarations } from './declare.ts'
import { byText, keyOf, ownKeyOf, quoted, typeNameOf } from './names.ts'
import { type DialectNames, toldBy } from './told-by-graph.ts'
import { SchemaRefused } from './typed-schema.ts'

/** A published version, under the handle by which programs name its workflow. */
export interface Pulled {
  handle: string
  version: Pick<Version, 'number' | 'hash' | 'definition'>
}

export interface TypesFile {
  /** The declarations: all of a `.d.ts`, or, with the values too, all of a `.ts`. */
  declarations: string
  module: string
  /** The values that a `.d.ts` declares and cannot hold. */
  values: string
  /** For each schema that no type could be made of, why. */
  warnings: string[]
}

/** Known by this line: what does not begin with it was written by somebody else. */
export const firstLine = '// Written by `sluice pull`: what the published workflows take, give and ask. Changes are lost with the next pull.'

/** The same versions give the same file: nothing of the server, the machine or the time is in it. */
export async function typesFile(pulled: readonly Pulled[], names: DialectNames = new Map()): Promise<TypesFile> {
  const sorted = pulled.toSorted((a, b) => byText(a.handle, b.handle))
  const declarations = new Declarations()
  const warnings: string[] = []
  const entries: string[] = []
  const texts: string[] = []
  for (const each of sorted) {
    const workflow = await typesOf(each, names, declarations, warnings)
    entries.push(workflow.entry)
    texts.push(...workflow.declared.map(({ text }) => text))
  }
  const known = [`declare module '@sluice/client' {`, '  interface WorkflowTypes {', ...entries, '  }', '}'].join('\n')
  const hashes = sorted.map(({ handle, version }) => `  ${ownKeyOf(handle)}: ${quoted(version.hash)},`)
  const constant = ['/** For `createClient({ versions })`: a start of another version throws `VersionSkewError`. */', 'export const versions = {', ...hashes, '}'].join('\n')
  const types = [
    '/** For `createClient({ versions })`: a start of another version throws `VersionSkewError`. */',
    'export declare const versions: {',
    ...sorted.map(({ handle, version }) => `  readonly ${keyOf(handle)}: ${quoted(version.hash)}`),
    '}',
  ].join('\n')
  // A name that is imported and not used is an error to some. In a comment or a text it is one too many, and harms nobody.
  const used = ['Json', 'JsonObject'].filter((name) => [...entries, ...texts].some((text) => new RegExp(`\\b${name}\\b`).test(text)))
  const imports = used.length > 0 ? [`import type { ${used.join(', ')} } from '@sluice/client'`] : []
  const file = (values: string): string => `${[[firstLine, ...imports].join('\n'), known, values, ...texts].join('\n\n')}\n`
  return { declarations: file(types), module: file(constant), values: `${firstLine}\n\n${constant}\n`, warnings }
}

async function typesOf({ handle, version }: Pulled, names: DialectNames, declarations: Declarations, warnings: string[]): Promise<{ entry: string; declared: Declared[] }> {
  const told = toldBy(version.definition, names)
  const declared: Declared[] = []
  const name = typeNameOf(handle)
  const typed = async (what: string, wanted: string, schema: JsonObject, otherwise: string, comesOut = false): Promise<string> => {
    try {
      const found = await declarations.declare(wanted, schema, { comesOut })
      if (found) declared.push(found)
      return found?.name ?? otherwise
    } catch (error) {
      if (!(error instanceof SchemaRefused)) throw error
      warnings.push(`${handle}: ${what} has no type of its own: ${error.message}`)
      return otherwise
    }
  }
  const input = await typed('the input', `${name}Input`, told.input, '')
  const output = await typed('the output', `${name}Output`, told.output, 'Json', true)
  const pauses: string[] = []
  for (const [node, form] of told.pauses.toSorted(([a], [b]) => byText(a, b)))
    pauses.push(`        ${keyOf(node)}: ${await typed(`the form of ${JSON.stringify(node)}`, `${name}${typeNameOf(node)}Inputs`, form, 'JsonObject')}`)
  const entry = [
    `    /** Version ${version.number}. */`,
    `    ${keyOf(handle)}: {`,
    `      hash: ${quoted(version.hash)}`,
    input === '' ? '      input?: Json | object' : `      input${told.inputNeeded ? '' : '?'}: ${input}`,
    `      output: ${output}`,
    ...(pauses.length > 0 ? ['      pauses: {', ...pauses, '      }'] : ['      pauses: {}']),
    '    }',
  ]
  return { entry: entry.join('\n'), declared }
}

import { readFile } from 'node:fs/promises'
import type { Json, JsonObject } from '@sluice/schema'
import { readInput } from './ask.ts'
import { Failure } from './failure.ts'

export function jsonOf(text: string, what: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    throw new Failure(`${what} is no JSON: ${(error as Error).message}`)
  }
}

export function objectOf(text: string, what: string): JsonObject {
  const value = jsonOf(text, what)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Failure(`${what} is no JSON object, as {"limit": 2000}`)
  return value
}

/** What a file has; `-` is what is piped in. */
export async function jsonFile(file: string): Promise<Json> {
  if (file === '-') return jsonOf(await readInput(), 'What was piped in')
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Failure(`${file} cannot be read: ${error.message}`)
  })
  return jsonOf(text, file)
}

/** Where the input of a start may come from. */
export interface InputArguments {
  input?: string
  inputFile?: string
  /** `-`, or fields as `--customer c_42`. */
  rest: readonly string[]
}

export async function inputOf({ input, inputFile, rest }: InputArguments): Promise<Json | undefined> {
  const isPiped = rest[0] === '-'
  const fields = fieldsOf(isPiped ? rest.slice(1) : rest)
  const sources = [input !== undefined, inputFile !== undefined, isPiped, fields !== null].filter(Boolean)
  if (sources.length > 1) throw new Failure('Give the input once: --input, --input-file, - or its fields')
  if (input !== undefined) return jsonOf(input, '--input')
  if (isPiped) return jsonFile('-')
  if (inputFile !== undefined) return jsonFile(inputFile)
  return fields ?? undefined
}

/** `--customer c_42 --amount=1250`: a value that is JSON is that, any other is text. */
function fieldsOf(words: readonly string[]): JsonObject | null {
  const fields: [string, Json][] = []
  for (let at = 0; at < words.length; at++) {
    const [, key, given] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(words[at]!) ?? []
    if (key === undefined) throw new Failure(`${words[at]} is no option. Fields of the input are given as --name value`)
    const value = given ?? words[++at]
    if (value === undefined || (given === undefined && value.startsWith('--'))) throw new Failure(`--${key} needs a value, or is no option: see --help`)
    fields.push([key, valueOf(value)])
  }
  return fields.length === 0 ? null : Object.fromEntries(fields)
}

function valueOf(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

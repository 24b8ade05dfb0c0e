import type { JsonObject } from '@sluice/schema'
import type { Tool } from '../model.ts'
import { fill } from './fill.ts'
import { isObject, textOf } from './fitting.ts'
import type { Reading } from './reading.ts'
import { shared, tellingWords, wordsOfName } from './words.ts'

/** Which tool a question asks for, by the words of the tools' declarations. PURE. */
export type Choice =
  | { tool: Tool; arguments: JsonObject }
  /** The best one wants what the text does not say. */
  | { tool: Tool; missing: string[] }

/** A word of its name says more than one of its parameters or their choices, and that more than one of its description. */
const weights = { name: 3, parameter: 2, description: 1 }
/** One word of the name, or as much by others. */
const leastScore = 3

export function choose(tools: readonly Tool[], reading: Reading, forced: boolean): Choice | null {
  const asked = new Set(tellingWords(reading.question))
  const ranked = tools
    .map((tool) => ({ tool, score: scoreOf(tool, asked) }))
    .filter(({ score }) => forced || score >= leastScore)
    .sort((a, b) => b.score - a.score)
    .map(({ tool }) => tried(tool, reading))
  return ranked.find((choice) => 'arguments' in choice) ?? ranked[0] ?? null
}

function scoreOf({ name, description, parameters }: Tool, asked: ReadonlySet<string>): number {
  const properties = isObject(parameters['properties']) ? Object.entries(parameters['properties']) : []
  const said = properties.flatMap(([key, schema]) => [key, ...(isObject(schema) && Array.isArray(schema['enum']) ? schema['enum'].map(textOf) : [])])
  return (
    weights.name * shared(wordsOfName(name), asked) + weights.parameter * shared(said.flatMap(wordsOfName), asked) + weights.description * shared(tellingWords(description), asked)
  )
}

function tried(tool: Tool, reading: Reading): Choice {
  const filled = fill({ type: 'object', ...tool.parameters }, reading)
  if ('missing' in filled) return { tool, missing: filled.missing }
  return { tool, arguments: filled.value as JsonObject }
}

import type { JsonObject } from '@sluice/schema'

/** How editors offer PySpur's node types: under which heading, with the mark that PySpur's own have, and what the config of a new node begins with. Data. */

export interface Swatch {
  category: 'Input/Output' | 'AI' | 'Code Execution' | 'Logic' | 'Experimental'
  /** The first letters of its name. */
  acronym: string
  color: `#${string}`
  begins?: JsonObject
}

const common = { output_schema: { output: 'string' }, output_json_schema: '{"type": "object", "properties": {"output": {"type": "string"} } }', has_fixed_output: false }

const route = { conditions: [{ variable: '', operator: 'contains', value: '' }] }

const swatches: Readonly<Record<string, Swatch>> = {
  InputNode: { category: 'Input/Output', acronym: 'IN', color: '#6F42C1', begins: { enforce_schema: false } },
  OutputNode: { category: 'Input/Output', acronym: 'ON', color: '#17A2B8', begins: { output_map: {} } },
  SingleLLMCallNode: {
    category: 'AI',
    acronym: 'SLCN',
    color: '#007BFF',
    begins: {
      llm_info: { model: 'offline', max_tokens: 16_384, temperature: 0.7, top_p: 0.9 },
      system_message: '',
      user_message: '',
      few_shot_examples: null,
      url_variables: null,
    },
  },
  PythonFuncNode: { category: 'Code Execution', acronym: 'PFN', color: '#6610F2', begins: { code: '' } },
  RouterNode: { category: 'Logic', acronym: 'RN', color: '#FF7F50', begins: { route_map: { route1: route } } },
  HumanInterventionNode: {
    category: 'Logic',
    acronym: 'HIN',
    color: '#6610F2',

    begins: { message: 'Human intervention required', block_only_dependent_nodes: true },
  },
  CoalesceNode: { category: 'Logic', acronym: 'CN', color: '#28A745', begins: { preferences: [] } },
  MergeNode: { category: 'Logic', acronym: 'MN', color: '#6F42C1' },
  StaticValueNode: { category: 'Logic', acronym: 'SVN', color: '#20C997', begins: { values: {} } },
  ForLoopNode: { category: 'Experimental', acronym: 'FL', color: '#00BFFF', begins: { num_iterations: 1, input_map: {} } },
}

/** Of a type that is not here its own initial, so that nothing that can be used is left out. */
export function swatchOf(type: string): Swatch & { begins: JsonObject } {
  const known = Object.hasOwn(swatches, type) ? swatches[type]! : { category: 'Experimental' as const, acronym: type.slice(0, 1).toUpperCase(), color: '#8C8F98' as const }
  return { ...known, begins: { ...common, ...known.begins } }
}

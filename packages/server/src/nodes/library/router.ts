import type { Json, JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, passThrough } from '../contract.ts'
import { isJsonObject } from '../values.ts'

const Route = Schema.Struct({
  name: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(100)).annotate({ title: 'Name', description: 'The handle that links of this route leave by' }),
  when: Schema.Union([Schema.String, Schema.Boolean]).annotate({ title: 'When', description: 'A CEL condition' }),
})

export const router = defineNode({
  type: 'router',
  title: 'Router',
  description: 'Takes the first route whose condition holds, or all of them, else `default`. Lets its input through.',
  category: 'flow',
  config: Schema.Struct({
    routes: Schema.Array(Route).check(Schema.isMinLength(1), Schema.isMaxLength(100)).annotate({ title: 'Routes' }),
    mode: Schema.optionalKey(Schema.Literals(['first', 'all']).annotate({ title: 'Mode', description: 'Take the first route that matches, or all; `first` unless set' })),
  }),
  readings: { 'routes.*.when': 'condition', 'routes.*.name': 'raw', mode: 'raw' },
  handles: { fromConfig: 'routes.*.name' },
  check: checkNames,
  behaviour: {
    is: 'pure',
    run({ routes, mode }, context) {
      const matching = routes.filter(({ when }) => when === true).map(({ name }) => name)
      const taken = mode === 'all' ? matching : matching.slice(0, 1)
      return { output: passThrough(context), route: taken.length > 0 ? taken : ['default'] }
    },
  },
})

function checkNames({ routes }: JsonObject) {
  const issues = []
  const taken = new Set<Json | undefined>()
  for (const [at, route] of (Array.isArray(routes) ? routes : []).entries()) {
    const name = isJsonObject(route) ? route['name'] : undefined
    const path = ['routes', at, 'name']
    if (name === 'default' || name === 'failed') issues.push({ path, message: `"${name}" is a handle of every node` })
    else if (typeof name === 'string' && taken.has(name)) issues.push({ path, message: `Another route is named "${name}"` })
    taken.add(name)
  }
  return issues
}

import type { Json, JsonObject } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { defineNode, passThrough } from '../contract.ts'
import { Rule, doMatch } from '../rules.ts'
import { Passes, isJsonObject } from '../values.ts'

const Route = Schema.Struct({
  name: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(100)).annotate({ title: 'Name', description: 'The handle that links of this route leave by' }),
  when: Schema.optionalKey(Schema.Union([Schema.String, Schema.Boolean]).annotate({ title: 'When', description: 'A CEL condition' })),
  rules: Schema.optionalKey(
    Schema.Array(Rule)
      .check(Schema.isMaxLength(100))
      .annotate({ title: 'Rules', description: 'In place of a condition: joined from left to right, without precedence; none of them match always' }),
  ),
})
type Route = typeof Route.Type

export const router = defineNode({
  type: 'router',
  title: 'Router',
  description: 'Takes the first route whose condition holds, or whose rules match, or all of them, else `default`. Lets its input through.',
  category: 'flow',
  config: Schema.Struct({
    routes: Schema.Array(Route).check(Schema.isMinLength(1), Schema.isMaxLength(100)).annotate({ title: 'Routes' }),
    mode: Schema.optionalKey(Schema.Literals(['first', 'all']).annotate({ title: 'Mode', description: 'Take the first route that matches, or all; `first` unless set' })),
    passes: Schema.optionalKey(Passes),
  }),
  readings: {
    'routes.*.when': 'condition',
    'routes.*.name': 'raw',
    'routes.*.rules.*.operator': 'raw',
    'routes.*.rules.*.value': 'value',
    'routes.*.rules.*.value.**': 'value',
    'routes.*.rules.*.operand': 'raw',
    'routes.*.rules.*.operand.**': 'raw',
    mode: 'raw',
    passes: 'raw',
  },
  handles: { fromConfig: 'routes.*.name' },
  check: (config) => [...nameIssues(config), ...conditionIssues(config)],
  behaviour: {
    is: 'pure',
    run({ routes, mode, passes }, context) {
      const matching = routes.filter(isTaken).map(({ name }) => name)
      const taken = mode === 'all' ? matching : matching.slice(0, 1)
      return { output: passThrough(context, passes), route: taken.length > 0 ? taken : ['default'] }
    },
  },
})

const isTaken = ({ when, rules }: Route): boolean => (rules === undefined ? when === true : when === undefined && doMatch(rules))

type Issues = { path: (string | number)[]; message: string }[]

function nameIssues({ routes }: JsonObject): Issues {
  const issues: Issues = []
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

function conditionIssues({ routes }: JsonObject): Issues {
  return (Array.isArray(routes) ? routes : []).flatMap((route, at) => {
    if (!isJsonObject(route) || 'when' in route !== 'rules' in route) return []
    return [{ path: ['routes', at, 'when'], message: 'Give either when or rules' }]
  })
}

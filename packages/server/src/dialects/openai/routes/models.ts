import type { Chatbot } from '@sluice/schema'
import { type DialectRow, route } from '../../dialect.ts'
import { ListModelsResponse, Model, ModelPath } from '../contract.ts'
import { modelMissing } from '../errors.ts'
import * as examples from '../examples.ts'

const tags = ['Models']

const modelOf = ({ name, mode, created }: Chatbot): Model => ({
  id: name,
  object: 'model',
  created: created === null ? 0 : Math.floor(Date.parse(created) / 1_000),
  owned_by: mode === null ? 'workspace' : 'sluice',
})

export const modelRows: readonly DialectRow[] = [
  route('sessions.chatbots', {
    name: 'listModels',
    method: 'GET',
    path: '/v1/models',
    summary: 'List models',
    description: 'Who answers in conversations: the modes, then the chatbots of the workspace, of which the first 1,000.',
    tags,
    reply: ListModelsResponse,
    example: { reply: { object: 'list', data: [...examples.models] } },
    ask: () => ({ limit: 1_000 }),
    answer: ({ items }) => ({ object: 'list' as const, data: items.map(modelOf) }),
  }),

  route('sessions.chatbots', {
    name: 'retrieveModel',
    method: 'GET',
    path: '/v1/models/{model}',
    summary: 'Retrieve a model',
    tags,
    params: ModelPath,
    reply: Model,
    faults: ['workflow_missing'],
    example: { path: { model: examples.models[1].id }, reply: examples.models[1] },
    ask: ({ path }) => ({ name: path.model }),
    answer: ({ items: [found] }, _setting, { path }) => (found ? modelOf(found) : modelMissing(path.model)),
  }),
]

import { standing, type DialectRow } from '../../dialect.ts'
import { FieldsQuery, HealthCheck } from '../contract.ts'
import { shownBy } from '../mapping/shown.ts'

const healthy = { message: 'API is healthy.', code: 200, data: {} }

export const healthRows: readonly DialectRow[] = [
  standing({
    name: 'health',
    method: 'GET',
    path: '/api/health',
    summary: 'Say that the server answers',
    tags: ['health'],
    query: FieldsQuery,
    reply: HealthCheck,
    example: { reply: healthy },
    answer: (_setting, { query }) => shownBy(query.fields)(healthy),
  }),
]

import type { Dialect } from '../dialect.ts'

export const meanings: Dialect['meanings'] = { schemas: {}, keys: {} }

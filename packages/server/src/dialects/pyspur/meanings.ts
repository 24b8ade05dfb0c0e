import type { Dialect } from '../dialect.ts'

/** What the schemas of PySpur's API mean, in a sentence each. */
export const meanings: Dialect['meanings'] = { schemas: {}, keys: {} }

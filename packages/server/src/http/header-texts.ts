import type { IncomingHttpHeaders } from 'node:http'
import { inertKeys } from './json.ts'

/** Headers as data, by their names in lower case: one that came more than once as one text with commas, as HTTP has it. */
export const headerTexts = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]): [string, string][] =>
      value === undefined || inertKeys.has(name) ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  )

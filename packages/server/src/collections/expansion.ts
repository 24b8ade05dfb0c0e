import { recordLimits } from '@sluice/schema'
import type { Expansion } from './filter/tree.ts'

interface Growing {
  [name: string]: Growing
}

/** Relations to follow, as `user,runs_via_session.workflow`. What goes deeper than six of them ends there. */
export function parseExpansion(text: string): Expansion {
  const expansion: Growing = Object.create(null) as Growing
  for (const path of text.replaceAll(/\s/g, '').split(',')) {
    let at = expansion
    for (const name of path
      .split('.')
      .filter((each) => each !== '')
      .slice(0, recordLimits.paths))
      at = at[name] ??= Object.create(null) as Growing
  }
  return expansion
}

import type { Variant } from './variant.ts'
import { variants as core } from './variants/core.ts'
import { variants as decisions } from './variants/decisions.ts'
import { variants as faults } from './variants/faults.ts'
import { variants as fuzz } from './variants/fuzz.ts'
import { variants as isolation } from './variants/isolation.ts'
import { variants as openapi } from './variants/openapi.ts'
import { variants as scale } from './variants/scale.ts'
import { variants as story } from './variants/story.ts'
import { variants as upgrades } from './variants/upgrades.ts'

export const variants: readonly Variant[] = [...core, ...decisions, ...faults, ...story, ...openapi, ...fuzz, ...isolation, ...upgrades, ...scale]

/** The one that is asked for: by its name, or, to try one, as JSON. Without a name none is: null. */
export function variantNamed(name: string | undefined): Variant | null {
  if (!name) return null
  if (name.startsWith('{')) return JSON.parse(name) as Variant
  const found = variants.find((each) => each.name === name)
  if (!found) throw new Error(`No variant is called ${name}. There are: ${variants.map((each) => each.name).join(', ')}`)
  return found
}

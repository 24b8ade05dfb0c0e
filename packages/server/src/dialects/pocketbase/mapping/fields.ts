import { Fault, type Json, type JsonObject } from '@sluice/schema'
import { excerptOf } from './excerpt.ts'

/** What is told of a key: all of it, as it is or shortened, or what is told of the keys below. */
interface Picked {
  whole: ((value: Json) => Json) | null
  below: Map<string, Picked>
}

/**
 * Which keys of an object are told: `id,expand.user.name`, `*` for all of a level that no other path leads into, `title:excerpt(20,true)`.
 * Of a list each member is. Throws a Fault `filter_invalid` for a modifier that there is none of.
 */
export function pickFields(text: string): (value: JsonObject) => JsonObject {
  const root: Picked = { whole: null, below: new Map() }
  for (const path of splitOutside(text)) add(root, path.trim())
  return root.below.size === 0 ? (value) => value : (value) => ofObject(value, root)
}

const deepest = 32

function add(root: Picked, field: string): void {
  if (field === '') return
  const [path = '', ...modifiers] = field.split(':')
  const whole = modifiers.length === 0 ? (value: Json) => value : modifierOf(modifiers.join(':').trim())
  const keys = path.trim().split('.')
  if (keys.length > deepest) throw refused(`A path is at most ${deepest} keys long`)
  let at = root
  for (const key of keys) {
    const below = at.below.get(key) ?? { whole: null, below: new Map<string, Picked>() }
    at.below.set(key, below)
    at = below
  }
  at.whole = whole
}

/** At commas that are in no parentheses. */
const splitOutside = (text: string): string[] => text.match(/(?:[^,(]|\([^)]*\)?)+/g) ?? []

function ofObject(value: JsonObject, { below }: Picked): JsonObject {
  const rest = below.get('*')?.whole
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]): [string, Json][] => {
      const picked = below.get(key)
      if (picked) return [[key, picked.whole ? picked.whole(inner) : of(inner, picked)]]
      return rest ? [[key, rest(inner)]] : []
    }),
  )
}

function of(value: Json, picked: Picked): Json {
  if (Array.isArray(value)) return value.map((each) => of(each, picked))
  return typeof value === 'object' && value !== null ? ofObject(value, picked) : value
}

// ── modifiers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const refused = (message: string): Fault => new Fault('filter_invalid', { issues: [{ path: ['fields'], message }] })

/** `excerpt(max, withEllipsis)`, of texts. */
function modifierOf(text: string): (value: Json) => Json {
  const [found, given = ''] = /^excerpt\(([^()]*)\)$/.exec(text) ?? []
  if (found === undefined) throw refused('The only modifier is excerpt(max, withEllipsis)')
  const [max = '', withEllipsis = '', ...more] = given.split(',').map((each) => each.trim())
  const most = /^\d{1,9}$/.test(max) ? Number(max) : 0
  if (most === 0 || more.length > 0) throw refused('excerpt takes how many characters, from 1 on, and whether dots follow')
  const options = { max: most, withEllipsis: /^(1|t|true)$/i.test(withEllipsis) }
  return (value) => (typeof value === 'string' ? excerptOf(value, options) : value)
}

import type { Link } from './definition.ts'

/**
 * What names a link in edits: its id, or, where it has none, 28 characters made of its ends and handles, which are the same
 * wherever they are made. Links that are the same have one name.
 */
export const linkIdOf = (link: Link): string => link.id ?? digest(JSON.stringify(endsOf(link)))

/** Whether both lead from and to the same; their ids are not asked. */
export const isSameLink = (a: Link, b: Link): boolean => endsOf(a).every((end, at) => end === endsOf(b)[at])

const endsOf = ({ source, target, sourceHandle, targetHandle }: Link) => [source, sourceHandle ?? 'default', target, targetHandle ?? null] as const

/** Not against adversaries, who could confuse nothing but a definition of their own: four lanes of 32 bits, so that this runs in every browser, at once. */
function digest(text: string): string {
  const factors = [0x01000193, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f]
  const lanes = [0x811c9dc5, 0x9e3779b9, 0x7f4a7c15, 0xf39cc060]
  for (let at = 0; at < text.length; at++)
    for (let lane = 0; lane < lanes.length; lane++) {
      const mixed = Math.imul(lanes[lane]! ^ text.charCodeAt(at), factors[lane]!)
      lanes[lane] = mixed ^ (mixed >>> 15)
    }
  return lanes.map((lane) => (lane >>> 0).toString(36).padStart(7, '0')).join('')
}

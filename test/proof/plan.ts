import { type Chapter, type Face, type FaceName, faceNames } from './face.ts'
import { faces } from './faces.ts'

/** Who does what in one telling: the first makes it, the second runs or continues it, the third watches, the fourth answers. */
export interface Pair {
  first: FaceName
  second: FaceName
  third: FaceName
  fourth: FaceName
  /** How the second goes on: the conversation of the first, or a run of its own, in a conversation or in none. */
  goesOn: 'continues' | 'converses' | 'runs'
}

/** What a first face made, a second can do nothing with. */
export interface Impossible {
  first: FaceName
  second: FaceName
  why: string
  answered: number
}

export const impossible: readonly Impossible[] = [
  { first: 'orchestrator', second: 'openai', why: 'what is drawn on a canvas is a workflow, and models are chatbots alone', answered: 404 },
]

const isImpossible = (first: FaceName, other: FaceName): boolean => impossible.some((each) => each.first === first && each.second === other)

export const faceOf = (name: FaceName): Face => faces.find((face) => face.name === name)!
const says = (name: FaceName, chapter: Chapter): boolean => faceOf(name).departures[chapter] === undefined

/** What it starts is the round of a conversation. */
const converses = (name: FaceName): boolean => faceOf(name).conversations === true || name === 'native'

/** Whether the first draws; else it makes the first run, or the conversation, of what was drawn natively. */
export const draws = (name: FaceName): boolean => says(name, 'draw')

function goesOn(first: FaceName, second: FaceName): Pair['goesOn'] {
  if (!draws(first) && converses(first) && says(second, 'continue')) return 'continues'
  return converses(second) ? 'converses' : 'runs'
}

/** All ordered pairs. The third and the fourth are those who have watched, or answered, least so far: so each comes to it who can. */
export function pairs(): Pair[] {
  const done = new Map<string, number>()
  const least = (role: string, able: readonly FaceName[], others: readonly FaceName[]): FaceName => {
    const apart = able.filter((name) => !others.includes(name))
    const chosen = (apart.length > 0 ? apart : able).toSorted((one, other) => (done.get(`${role} ${one}`) ?? 0) - (done.get(`${role} ${other}`) ?? 0))[0]!
    done.set(`${role} ${chosen}`, (done.get(`${role} ${chosen}`) ?? 0) + 1)
    return chosen
  }
  return faceNames.flatMap((first) =>
    faceNames.flatMap((second): Pair[] => {
      if (first === second || isImpossible(first, second)) return []
      const how = goesOn(first, second)
      const able = (chapter: Chapter): FaceName[] => faceNames.filter((name) => says(name, chapter) && canTell(name, how, chapter) && !isImpossible(first, name))
      const third = least('watches', able('watch'), [first, second])
      return [{ first, second, third, fourth: least('answers', able('answer'), [first, second, third]), goesOn: how }]
    }),
  )
}

/** Some know conversations alone; of what PocketBase tells, runs stand beside them. */
const canTell = (name: FaceName, how: Pair['goesOn'], chapter: Chapter): boolean =>
  how !== 'runs' || faceOf(name).conversations !== true || (name === 'pocketbase' && chapter === 'watch')

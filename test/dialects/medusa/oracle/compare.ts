import type { Account, Told } from './sides.ts'

/** Where two accounts of one flow part. */
export interface Difference {
  /** `end/execution/steps/_root.a/attempts`; of a list of calls or events the part that is not alike. */
  path: string
  /** As JSON; of a list of texts, the texts. Nothing is `–`. */
  theirs: string
  ours: string
}

export const nothing = '–'

export function differences(theirs: Account, ours: Account): Difference[] {
  const [one, other] = [plain(theirs), plain(ours)]
  return [...new Set([...Object.keys(one), ...Object.keys(other)])].flatMap((key) => parted(key, one[key], other[key]))
}

// ── what is compared ───────────────────────────────────────────────────────────────────────────────────────────────────

const plain = ({ answers, calls, events, ...looks }: Account): Record<string, Told> => ({
  answers: answers.map((answer) => JSON.stringify(answer)),
  calls,
  events,
  ...Object.fromEntries(
    Object.entries(looks).map(([name, { state, execution, context }]) => [name, JSON.parse(JSON.stringify({ state, execution: withTimes(execution), context }, shown))]),
  ),
})

const times = new Set(['startedAt', 'lastAttempt', 'timedOutAt', 'cancelledAt', 'retryRescheduledAt', 'temporaryFailedAt'])
const ids = new Set(['uuid', 'runId', 'eventGroupId', 'parentStepIdempotencyKey'])
const texts = new Set(['stack', 'sourcePath'])

/** Of a flow that has been merged nothing is left of a time that there is not. */
const withTimes = (execution: Told): Told => ({ timedOutAt: null, ...execution })

/** Of times, ids and places in files that they are there, and what they are. */
function shown(key: string, value: unknown): unknown {
  if (times.has(key) && typeof value === 'number') return value > 1_500_000_000_000 ? 'a time' : value
  if (ids.has(key) && typeof value === 'string') return 'an id'
  return texts.has(key) && typeof value === 'string' ? 'a text' : value
}

// ── where they part ────────────────────────────────────────────────────────────────────────────────────────────────────

function parted(path: string, theirs: Told, ours: Told): Difference[] {
  if (isTexts(theirs) && isTexts(ours)) return between(path, theirs, ours)
  if (!isObject(theirs) || !isObject(ours) || Array.isArray(theirs) !== Array.isArray(ours))
    return text(theirs) === text(ours) ? [] : [{ path, theirs: text(theirs), ours: text(ours) }]
  return [...new Set([...Object.keys(theirs), ...Object.keys(ours)])].flatMap((key) => parted(`${path}/${key}`, theirs[key], ours[key]))
}

const isObject = (value: Told): value is Record<string, Told> => typeof value === 'object' && value !== null
const isTexts = (value: Told): value is string[] => Array.isArray(value) && value.every((each) => typeof each === 'string')
const text = (value: Told): string => (value === undefined ? nothing : JSON.stringify(value))

/** What they begin and end with alike is left out. */
function between(path: string, theirs: readonly string[], ours: readonly string[]): Difference[] {
  let begin = 0
  while (begin < theirs.length && begin < ours.length && theirs[begin] === ours[begin]) begin++
  let end = 0
  while (end < theirs.length - begin && end < ours.length - begin && theirs.at(-1 - end) === ours.at(-1 - end)) end++
  const part = (list: readonly string[]) => list.slice(begin, list.length - end).join(', ') || nothing
  return begin === theirs.length && begin === ours.length ? [] : [{ path, theirs: part(theirs), ours: part(ours) }]
}

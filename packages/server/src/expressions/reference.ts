import { ExpressionError } from './error.ts'

/** A place in what a step sees, as text: `$input/customer/name`, `$steps/charge/id` or `$run/id`, a JSON pointer behind its beginning. It is followed, never evaluated. */
export interface Reference {
  from: 'input' | 'steps' | 'run'
  /** Of `steps`. */
  step: string | null
  /** What stands there, by own keys and by indexes of lists; undefined where nothing does. */
  read(scope: object): unknown
}

/** What a reference gave, among a tree of references: what a value looks like says nothing of what it is. */
export class Taken {
  readonly value: unknown
  constructor(value: unknown) {
    this.value = value
  }
}

const maxSource = 2_000

/** Null: the text is none, but stands for itself. Throws an ExpressionError for one that leads nowhere. */
export function compileReference(source: string): Reference | null {
  if (!source.startsWith('$') || source.startsWith('$$')) return null
  const [from, ...segments] = source.slice(1).split('/').map(plain)
  if (source.length > maxSource) throw new ExpressionError(`A reference has at most ${maxSource} characters`)
  if (from === 'input' || from === 'run') return { from, step: null, read: (scope) => segments.reduce(inside, inside(scope, from)) }
  const [step, ...path] = segments
  if (from !== 'steps' || step === undefined) throw new ExpressionError(`${source} leads nowhere: a reference begins with $input, $steps/ and the name of a step, or $run`)
  return { from, step, read: (scope) => path.reduce(inside, inside(inside(scope, 'nodes'), step)) }
}

const plain = (segment: string): string => segment.replaceAll('~1', '/').replaceAll('~0', '~')

function inside(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  if (Array.isArray(value)) return key === 'length' ? value.length : /^\d{1,9}$/.test(key) ? (value[Number(key)] as unknown) : undefined
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
}

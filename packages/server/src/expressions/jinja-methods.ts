import type { Budget } from './budget.ts'
import { ExpressionError } from './error.ts'
import { type Callable, callable } from './jinja-callable.ts'
import { capitalized, lines, replaced, split, stripped, titled, whole } from './jinja-texts.ts'
import { Loop, Tuple, elements, equal, isDict, isList, kindOf, lengthOf, str } from './jinja-values.ts'

/** The methods that templates call on texts, dicts and lists. None of them changes what it is called on. */

function text(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  throw new ExpressionError(`${name} must be a text, not ${kindOf(value)}`)
}

const ofText = (takes: string, apply: (budget: Budget, text: string, args: readonly unknown[]) => unknown): Callable =>
  callable(takes, (budget, value, args) => {
    if (typeof value !== 'string') throw new ExpressionError(`${kindOf(value)} has no such method`)
    budget.tick(value.length)
    return apply(budget, value, args)
  })

const ofDict = (takes: string, apply: (value: Readonly<Record<string, unknown>>, args: readonly unknown[]) => unknown): Callable =>
  callable(takes, (budget, value, args) => {
    if (!isDict(value)) throw new ExpressionError(`${kindOf(value)} has no such method`)
    budget.tick()
    return apply(value, args)
  })

const strip = (sides: 'left' | 'right' | 'both'): Callable =>
  ofText('chars', (_budget, value, [chars]) => stripped(value, chars === undefined || chars === null ? null : text(chars, 'What is stripped'), sides))

/** One of several texts, or the one. */
const anyOf = (holds: (value: string, part: string) => boolean): Callable =>
  ofText('prefix!', (_budget, value, [part]) => (part instanceof Tuple ? [...part] : [part]).some((each) => holds(value, text(each, 'The part'))))

const every = (pattern: RegExp): Callable => ofText('', (_budget, value) => pattern.test(value))

const count = callable('sub!', (budget, value, [sub]) => {
  if (isList(value)) return value.filter((each) => equal(budget, each, sub)).length
  const [within, part] = [text(value, 'What is counted in'), text(sub, 'What is counted')]
  budget.tick(within.length)
  return part === '' ? lengthOf(within) + 1 : within.split(part).length - 1
})

const index = callable('value!', (budget, value, [sought]) => {
  const at = isList(value) ? value.findIndex((each) => equal(budget, each, sought)) : text(value, 'What is searched').indexOf(text(sought, 'What is sought'))
  if (at < 0) throw new ExpressionError('It is not in there')
  return at
})

export const methods: ReadonlyMap<string, Callable> = new Map(
  Object.entries({
    upper: ofText('', (_budget, value) => value.toUpperCase()),
    lower: ofText('', (_budget, value) => value.toLowerCase()),
    capitalize: ofText('', (_budget, value) => capitalized(value)),
    title: ofText('', (_budget, value) => titled(value)),
    strip: strip('both'),
    lstrip: strip('left'),
    rstrip: strip('right'),
    split: ofText('sep maxsplit', (budget, value, [sep, most = -1]) =>
      split(budget, value, sep === undefined || sep === null ? null : text(sep, 'A separator'), whole(most, 'maxsplit')),
    ),
    splitlines: ofText('', (_budget, value) => lines(value)),
    replace: ofText('old! new! count', (budget, value, [old, put, most = -1]) =>
      replaced(budget, value, text(old, 'What is replaced'), text(put, 'What is put there'), whole(most, 'count')),
    ),
    startswith: anyOf((value, part) => value.startsWith(part)),
    endswith: anyOf((value, part) => value.endsWith(part)),
    removeprefix: ofText('prefix!', (_budget, value, [part]) => (value.startsWith(text(part, 'A prefix')) ? value.slice(text(part, 'A prefix').length) : value)),
    removesuffix: ofText('suffix!', (_budget, value, [part]) => (value.endsWith(text(part, 'A suffix')) ? value.slice(0, value.length - text(part, 'A suffix').length) : value)),
    find: ofText('sub!', (_budget, value, [sub]) => value.indexOf(text(sub, 'What is sought'))),
    join: ofText('iterable!', (budget, value, [items]) => {
      const parts = elements(budget, items)
      budget.spend(parts.length * value.length)
      return parts.map((each) => str(budget, text(each, 'What is joined'))).join(value)
    }),
    isdigit: every(/^\d+$/),
    isalpha: every(/^\p{L}+$/u),
    isalnum: every(/^[\p{L}\p{N}]+$/u),
    isspace: every(/^\s+$/),
    isupper: ofText('', (_budget, value) => /\p{Lu}/u.test(value) && !/[\p{Ll}\p{Lt}]/u.test(value)),
    islower: ofText('', (_budget, value) => /\p{Ll}/u.test(value) && !/[\p{Lu}\p{Lt}]/u.test(value)),
    count,
    index,
    cycle: callable('*', (_budget, value, args) => {
      if (!(value instanceof Loop) || args.length === 0) throw new ExpressionError('Only a loop has a cycle, and of at least one value')
      return args[value.index0 % args.length]
    }),
    items: ofDict('', (value) => Object.entries(value).map((pair) => Tuple.from(pair))),
    keys: ofDict('', (value) => Object.keys(value)),
    values: ofDict('', (value) => Object.values(value)),
    get: ofDict('key! default', (value, [key, fallback = null]) => (typeof key === 'string' && Object.hasOwn(value, key) ? value[key] : fallback)),
  }),
)

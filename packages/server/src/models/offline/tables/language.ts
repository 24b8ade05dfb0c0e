import type { Names } from './names.ts'
import { after, before, Effort, map, maybe, once, oneOf } from './parsing.ts'
import type { Rule } from './parsing.ts'
import { stemsOf } from './tokens.ts'
import type { Token } from './tokens.ts'

/** What the rules of all parts of a sentence stand on: its words, and what it names. */
export interface Language {
  /** One of these phrases; gives the one that stood. */
  says(...phrases: readonly string[]): Rule<string>
  /** Of words that mean something, the meaning. */
  means<T>(meanings: Readonly<Record<string, T>> | ReadonlyMap<string, T>): Rule<T>
  token(): Rule<Token>
  end: Rule<null>
  comma: Rule<unknown>
  the: Rule<unknown>
  and: Rule<unknown>
  names: Names
  /** `the amount`, `the column amount`. */
  column: Rule<Awaited<ReturnType<Names['column']>>[number]['value']>
  remember<T>(rule: Rule<T>): Rule<T>
  effort: Effort
}

export function languageOf(tokens: readonly Token[], names: Names): Language {
  const effort = new Effort()
  const remember = <T>(rule: Rule<T>): Rule<T> => once(effort, rule)
  const stands = (stems: readonly string[], at: number): boolean => stems.every((stem, place) => tokens[at + place]?.is !== 'quoted' && tokens[at + place]?.stem === stem)

  function means<T>(meanings: Readonly<Record<string, T>> | ReadonlyMap<string, T>): Rule<T> {
    const entries = (meanings instanceof Map ? [...meanings] : Object.entries<T>(meanings as Readonly<Record<string, T>>)).map(([phrase, value]) => ({
      stems: phraseOf(phrase),
      value,
    }))
    return (at) => {
      if (at > effort.furthest) effort.furthest = at
      return entries.filter(({ stems }) => stands(stems, at)).map(({ stems, value }) => ({ value, to: at + stems.length, cost: 0 }))
    }
  }
  const says = (...phrases: readonly string[]): Rule<string> => means(new Map(phrases.map((phrase) => [phrase, phrase])))

  const the = maybe(says('the', 'a', 'an', 'all', 'all the', 'all of the', 'this', 'these', 'any'))
  const noun = says('column', 'field')
  const column = remember(after(the, oneOf(before(names.column, maybe(says('column', 'columns', 'field', 'values', 'value'))), after(noun, names.column))))
  const comma = says(',')
  return {
    says,
    means,
    token: () => (at) => {
      const token = tokens[at]
      return token ? [{ value: token, to: at + 1, cost: 0 }] : []
    },
    end: (at) => (at === tokens.length ? [{ value: null, to: at, cost: 0 }] : []),
    comma,
    the,
    and: oneOf(
      after(comma, maybe(says('and', 'and also', 'as well as', 'plus'))),
      map(says('and', 'as well as', '&', 'and also'), () => null),
    ),
    names,
    column,
    remember,
    effort,
  }
}

/** The phrases of the rules are always the same ones. */
const phrases = new Map<string, readonly string[]>()

function phraseOf(phrase: string): readonly string[] {
  const known = phrases.get(phrase)
  if (known) return known
  const stems = /^[^\p{L}]+$/u.test(phrase) ? [phrase] : stemsOf(phrase)
  phrases.set(phrase, stems)
  return stems
}

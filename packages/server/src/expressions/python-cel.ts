import { ExpressionError } from './error.ts'
import type { PythonExpression } from './python-tree.ts'

/**
 * A condition of Python's in the words of CEL and of `python-functions`. Each operand stands in the text once, however often
 * it is looked at: what is looked at twice is bound to a name. So the text grows with the condition, and no faster.
 */

/** Of the tree: chains of operators count, each makes it one deeper. */
const maxDepth = 150

/** Whether the value is true. Throws an ExpressionError. */
export const conditionOf = (tree: PythonExpression): string => new Translation().condition(tree)

type Of<Is extends PythonExpression['is']> = Extract<PythonExpression, { is: Is }>

class Translation {
  #depth = 0
  #bound = 0

  value(tree: PythonExpression): string {
    return this.#deeper(() => this.#value(tree))
  }

  /** Whether it is true. */
  condition(tree: PythonExpression): string {
    return this.#deeper(() => this.#condition(tree))
  }

  #deeper(work: () => string): string {
    if (++this.#depth > maxDepth) throw new ExpressionError(`It is nested deeper than ${maxDepth} levels; each operator of a chain is one`)
    const made = work()
    this.#depth--
    return made
  }

  #value(tree: PythonExpression): string {
    switch (tree.is) {
      case 'constant':
        return constant(tree)
      case 'data':
        return 'data'
      case 'list':
        return this.#list(tree.parts)
      case 'tuple':
        return `tuple(${this.#list(tree.parts)})`
      case 'dict':
        return `dict(${this.#list(tree.entries.map(([key]) => key))}, ${this.#list(tree.entries.map(([, value]) => value))})`
      case 'item':
        return `item(${this.value(tree.of)}, ${this.value(tree.key)})`
      case 'attribute':
        return `attribute(${this.value(tree.of)}, ${text(tree.name)})`
      case 'slice':
        return `slice(${this.value(tree.of)}, [${tree.places.map((place) => (place ? this.value(place) : 'null')).join(', ')}])`
      case 'method':
        return `method(${text(tree.name)}, ${this.value(tree.of)}, ${this.#list(tree.args)})`
      case 'call':
        return `call(${text(tree.name)}, ${this.#list(tree.args)})`
      case 'sign':
        return `signed(${number(tree.sign)}, ${this.value(tree.of)})`
      case 'arithmetic':
        return `arithmetic(${text(tree.operator)}, ${this.value(tree.left)}, ${this.value(tree.right)})`
      case 'choice':
        return `(${this.condition(tree.when)} ? dyn(${this.value(tree.value)}) : dyn(${this.value(tree.otherwise)}))`
      case 'and':
      case 'or':
        return this.#one(tree)
      default:
        return this.#condition(tree)
    }
  }

  #condition(tree: PythonExpression): string {
    switch (tree.is) {
      case 'not':
        return `!${this.condition(tree.of)}`
      case 'and':
      case 'or':
        return this.#whether(tree)
      case 'compare':
        return this.#compare(this.value(tree.first), tree.rest)
      case 'choice':
        return `(${this.condition(tree.when)} ? ${this.condition(tree.value)} : ${this.condition(tree.otherwise)})`
      default:
        return `truth(${this.value(tree)})`
    }
  }

  #list(parts: readonly PythonExpression[]): string {
    return `[${parts.map((part) => this.value(part)).join(', ')}]`
  }

  /** Not `&&` and `||`: those give an answer although an operand fails. */
  #whether({ is, parts }: Of<'and' | 'or'>): string {
    if (parts.length === 1) return this.condition(parts[0]!)
    const [left, right] = halves(parts).map((half) => this.#deeper(() => this.#whether({ is, parts: half })))
    return is === 'and' ? `(${left} ? ${right} : false)` : `(${left} ? true : ${right})`
  }

  /** The operand that it came to. */
  #one({ is, parts }: Of<'and' | 'or'>): string {
    if (parts.length === 1) return this.value(parts[0]!)
    const name = this.#name()
    const [left, right] = halves(parts).map((half) => this.#deeper(() => this.#one({ is, parts: half })))
    const chosen = is === 'and' ? `dyn(${right}) : dyn(${name})` : `dyn(${name}) : dyn(${right})`
    return `cel.bind(${name}, ${left}, truth(${name}) ? ${chosen})`
  }

  #compare(left: string, rest: Of<'compare'>['rest'], at = 0): string {
    const [operator, next] = rest[at]!
    return this.#deeper(() => {
      if (at === rest.length - 1) return compared(operator, left, this.value(next))
      const name = this.#name()
      return `cel.bind(${name}, ${this.value(next)}, ${compared(operator, left, name)} ? ${this.#compare(name, rest, at + 1)} : false)`
    })
  }

  #name(): string {
    return `v${++this.#bound}`
  }
}

/** Halved and halved again, so that a long row of them is not deep: neither cares which two come together first. */
const halves = (parts: readonly PythonExpression[]): [readonly PythonExpression[], readonly PythonExpression[]] => {
  const middle = Math.ceil(parts.length / 2)
  return [parts.slice(0, middle), parts.slice(middle)]
}

function compared(operator: string, left: string, right: string): string {
  if (operator === 'is' || operator === 'is not') return `${operator === 'is' ? '' : '!'}same(${left}, ${right})`
  return `compare(${text(operator)}, ${left}, ${right})`
}

function constant({ value, float }: Of<'constant'>): string {
  if (typeof value === 'string') return text(value)
  if (typeof value !== 'number') return String(value)
  return float && Number.isInteger(value) ? `floating(${number(value)})` : number(value)
}

const text = (value: string): string => JSON.stringify(value)

/** As a double, which all numbers of JSON are. */
const number = (value: number): string => (/^-?\d+$/.test(String(value)) ? `${value}.0` : String(value))

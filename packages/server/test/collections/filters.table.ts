import type { Comparison, Operand, Operator, Tree } from '../../src/collections/filter/tree.ts'

/** What fexpr's own tests hold of filters (parser_test.go, scanner_test.go), as whole filters: what they are read as, and what is refused. */

const name = (text: string): Operand => ({ is: 'name', name: text })
const text = (value: string): Operand => ({ is: 'text', text: value })
const number = (value: string): Operand => ({ is: 'number', value: Number(value), text: value })
const call = (of: string, args: readonly Operand[]): Operand => ({ is: 'call', name: of, args })
const compare = (left: Operand, sign: string, right: Operand): Comparison => ({
  is: 'compare',
  left,
  operator: sign.replace('?', '') as Operator,
  any: sign.startsWith('?'),
  right,
})

const one = (of: string): Comparison => compare(name(of), '=', number('1'))

export const signs = ['=', '!=', '~', '!~', '>', '>=', '<', '<=', '?=', '?!=', '?~', '?!~', '?>', '?>=', '?<', '?<=']

export const read: readonly (readonly [filter: string, tree: Tree])[] = [
  ['', { is: 'and', of: [] }],
  ['1=12', compare(number('1'), '=', number('12'))],
  ['   1    =    12    ', compare(number('1'), '=', number('12'))],
  ['"demo" != test', compare(text('demo'), '!=', name('test'))],
  ['a~1', compare(name('a'), '~', number('1'))],
  ['test<@demo.test2', compare(name('test'), '<', name('@demo.test2'))],
  [`1<="te'st"`, compare(number('1'), '<=', text(`te'st`))],
  [String.raw`demo='te\'st'`, compare(name('demo'), '=', text(`te'st`))],
  // A backslash escapes the quote that it is in, and no other.
  [String.raw`demo="te\'st"`, compare(name('demo'), '=', text(String.raw`te\'st`))],
  [String.raw`demo="te\"st"`, compare(name('demo'), '=', text('te"st'))],
  ['(a="test(")', compare(name('a'), '=', text('test('))],
  ['#test.123:456=1', compare(name('#test.123:456'), '=', number('1'))],
  ['a=-123.456', compare(name('a'), '=', number('-123.456'))],
  [String.raw`a="tes@#,;!@#%^'\"t"`, compare(name('a'), '=', text(`tes@#,;!@#%^'"t`))],
  ['a=1 // said (\n', one('a')],
  ['// said\na=1', one('a')],
  ['f( a , 1, )=1', compare(call('f', [name('a'), number('1')]), '=', number('1'))],
  ['f()=1', compare(call('f', []), '=', number('1'))],
  ['f(a,// said\n1)=1', compare(call('f', [name('a'), number('1')]), '=', number('1'))],
  ['a(b(c(1)))=1', compare(call('a', [call('b', [call('c', [number('1')])])]), '=', number('1'))],
  ['a=1 || b=1 && c=1', { is: 'or', of: [one('a'), { is: 'and', of: [one('b'), one('c')] }] }],
  ['((a=1 || b=1) && (c=1))', { is: 'and', of: [{ is: 'or', of: [one('a'), one('b')] }, one('c')] }],
  ...signs.map((sign) => [`a${sign}b`, compare(name('a'), sign, name('b'))] as const),
]

export const refused: readonly string[] = [
  ...[' ', '\n', '\r', '\u00a0'],
  ...['> 1', 'a >', 'a > >', 'a > %', 'a ! 1', 'a - 1', 'a + 1', '1 - 1', '1 + 1', '> a 1', 'a =!= 1', 'a || 1', '|| test = 1'],
  ...['test > 1 &&', 'test = 1 && a', 'test = 1 && "a"', 'test = 1 a', 'test = 1 "a"', 'test = 1@test', 'test = .@test', 'test = 1 && ||'],
  ...[`test = "demo'`, `test = 'demo"`, `test = 'demo'"`, `test = 'demo''`, `test = "demo"'`, 'test = "demo""', 'test = ""demo""', 'test = `demo`', `a='АБЦ`],
  ...['(a=1', 'a=1)', '((a=1 || a=2) && c=1))', '{a=1}', '[a=1]', '()', 'f(=1', 'f(,)=1', 'f(a,,)=1', 'f(a=1)=1', 'f(a b)=1', 'a(b(c(d(1))))=1'],
  ...['@=1', 'test:=1', 'test.=1', '.test.123=1', ':test=1', 'test#@=1', '12.34.56=1', '.123=1', '- 123=1', '12-3=1', '123.abc=1', '1e5=1', '5.=1'],
  ...['/ test = 1', '/ / test=1', '//', '//test', 'a=1 &&|| b=2', 'a=1 &&&& b=2', 'a=1 & b=2', 'a=1 | b=2', 'a=1 ||| b=2', 'a\r=1'],
  `a=${'9'.repeat(400)}`,
  // Which upstream takes in any place (contract, D2).
  ...['(a=1)(b=2)', 'a=(b=1)'],
]

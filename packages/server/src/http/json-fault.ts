/** What stands in JSON, as expressions that match where they are put. */
const blanks = /[ \t\n\r]*/y
const text = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy
const word = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

const longest = 64 * 1024

/**
 * Where a body stops being JSON: the offset of the first thing that cannot stand there, its length when more of it was
 * expected. PURE. Undefined for a long one: to find it costs many times what it costs to refuse it. What is open is kept in a
 * list, not on the stack: any depth is read.
 */
export function firstFault(body: string): number | undefined {
  if (body.length > longest) return undefined
  let at = 0
  const skip = (form: RegExp): boolean => {
    form.lastIndex = at
    if (!form.test(body)) return false
    at = form.lastIndex
    return true
  }
  const take = (character: string): boolean => {
    skip(blanks)
    if (body[at] !== character) return false
    at++
    return true
  }
  const takeKey = (): boolean => skip(blanks) && skip(text) && take(':')
  const open: ('{' | '[')[] = []
  for (;;) {
    skip(blanks)
    const opened = take('{') ? '{' : take('[') ? '[' : null
    if (opened === null && !skip(text) && !skip(word)) return at
    if (opened !== null && !take(closing[opened])) {
      if (opened === '{' && !takeKey()) return at
      open.push(opened)
      continue
    }
    // A value has ended, and with it maybe what it stands in.
    for (;;) {
      const within = open.at(-1)
      skip(blanks)
      if (within === undefined) return at
      if (take(',')) {
        if (within === '{' && !takeKey()) return at
        break
      }
      if (!take(closing[within])) return at
      open.pop()
    }
  }
}

const closing = { '{': '}', '[': ']' } as const

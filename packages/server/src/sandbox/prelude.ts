import { logBounds } from './protocol.ts'

/**
 * What surrounds the user's code inside the interpreter: it makes the function, prints, encodes the output and describes
 * errors. Everything it uses is taken before the user's code runs, so that nothing the code redefines changes it.
 * It is no boundary: the interpreter is, and the process around it.
 */
export const prelude = `(function (emit) {
  'use strict'
  const AsyncFunction = (async () => {}).constructor
  const { parse, stringify } = JSON
  const { isFinite } = Number
  const text = String
  const uncurry = (method) => Function.prototype.call.bind(method)
  const slice = uncurry(String.prototype.slice)
  const NotJson = class extends Error {}

  const strict = (key, value) => {
    if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') throw new NotJson('a ' + typeof value + (key === '' ? '' : ' at ' + text(key)))
    if (typeof value === 'number' && !isFinite(value)) throw new NotJson(text(value) + (key === '' ? '' : ' at ' + text(key)))
    return value
  }

  const shown = (value) => {
    if (typeof value === 'string') return value
    try { return stringify(value) ?? text(value) } catch { return '[unprintable]' }
  }

  const print = (...values) => {
    let line = ''
    for (let at = 0; at < values.length; at++) {
      line += (at === 0 ? '' : ' ') + shown(values[at])
      if (line.length > ${logBounds.characters}) break
    }
    emit(slice(line, 0, ${logBounds.characters}))
  }
  globalThis.console = { log: print, info: print, warn: print, error: print, debug: print }

  return {
    run(source, input) {
      const made = AsyncFunction('input', source)
      if (typeof made !== 'function') throw new SyntaxError('the source is not the body of a function')
      return made(parse(input))
    },
    encode(value) {
      return value === undefined ? 'null' : stringify(value, strict)
    },
    describe(error) {
      const short = (read) => { try { const value = read(); return slice(value === undefined ? '' : text(value), 0, 2000) } catch { return '' } }
      const isError = error instanceof Error
      const kind = error instanceof NotJson ? 'not_json' : isError ? short(() => error.name) : error === null ? 'null' : 'thrown'
      return stringify({ kind, message: isError ? short(() => error.message) : short(() => shown(error)), stack: isError ? short(() => error.stack) : '' })
    },
  }
})`

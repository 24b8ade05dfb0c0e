import type { TokenEvent } from '@sluice/schema'

/** Puts what is told in pieces, some of it maybe twice, together into one text that only grows. */
export interface Weave {
  /** What the piece adds; nothing once pieces were missed, or an attempt that began anew says something else. */
  add(piece: Pick<TokenEvent, 'nodeId' | 'iteration' | 'offset' | 'text'>): string
  /** What is missing to the whole; nothing where that does not begin with what there is. */
  rest(whole: string): string
}

/** Texts of several steps, or of several iterations of one, stand one after another with a blank line between them. PURE. */
export function createWeave(): Weave {
  let woven = ''
  let isTorn = false
  /** Where each text begins and ends, by its step; the last one grows. */
  const texts = new Map<string, { begin: number; end: number }>()
  let last: { begin: number; end: number } | undefined

  function grow(text: string): string {
    woven += text
    last!.end = woven.length
    return text
  }

  function tear(): string {
    isTorn = true
    return ''
  }

  function begin(key: string, text: string): string {
    const gap = woven === '' ? '' : '\n\n'
    last = { begin: woven.length + gap.length, end: 0 }
    texts.set(key, last)
    return grow(gap + text)
  }

  return {
    add({ nodeId, iteration, offset, text }) {
      if (isTorn) return ''
      const key = `${nodeId}\n${iteration}`
      const known = texts.get(key)
      if (!known) return offset === 0 ? begin(key, text) : tear()
      const at = known.begin + offset
      const again = woven.slice(at, Math.min(known.end, at + text.length))
      if (at > known.end || !text.startsWith(again)) return tear()
      if (again.length === text.length) return ''
      return known === last ? grow(text.slice(again.length)) : tear()
    },
    rest: (whole) => (whole.startsWith(woven) ? whole.slice(woven.length) : ''),
  }
}

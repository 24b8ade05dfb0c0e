/** The beginning of a text, which may be HTML, as plain text: `max` characters, with dots behind them where there is more. */
export function excerptOf(html: string, { max, withEllipsis }: { max: number; withEllipsis: boolean }): string {
  const plain = textOf(html).replace(/\s+/g, ' ').trim()
  // A character takes two units at most.
  const characters = Array.from(plain.slice(0, 2 * max + 2))
  if (characters.length <= max) return plain
  return `${characters.slice(0, max).join('').trim()}${withEllipsis ? '...' : ''}`
}

/** What is in them is not for people. */
const unread = new Set(['head', 'style', 'script', 'iframe', 'embed', 'object', 'noscript', 'svg', 'template'])
/** They stand in a line: nothing separates what is in them from what is beside. */
const inline = new Set([
  'a',
  'abbr',
  'b',
  'bdo',
  'big',
  'cite',
  'code',
  'em',
  'i',
  'kbd',
  'mark',
  'q',
  's',
  'samp',
  'small',
  'span',
  'strike',
  'strong',
  'sub',
  'sup',
  'tt',
  'u',
  'var',
])

/** Each place is looked at once: what has no end goes on to the end. */
function textOf(html: string): string {
  const parts: string[] = []
  const lower = html.toLowerCase()
  let at = 0
  const skipPast = (end: string): void => {
    const found = lower.indexOf(end, at)
    at = found < 0 ? html.length : found + end.length
  }
  while (at < html.length) {
    const open = html.indexOf('<', at)
    parts.push(unescaped(html.slice(at, open < 0 ? html.length : open)))
    if (open < 0) break
    at = open
    const [, name] = /^<\/?([a-z][a-z0-9]{0,20})/.exec(lower.slice(open, open + 24)) ?? []
    if (lower.startsWith('<!--', at)) skipPast('-->')
    else if (name === undefined && !/^<[!?/]/.test(lower.slice(at, at + 2))) {
      parts.push('<')
      at++
    } else {
      if (name === undefined || !inline.has(name)) parts.push(' ')
      const begins = html[open + 1] !== '/'
      skipPast('>')
      if (begins && name !== undefined && unread.has(name)) skipPast(`</${name}>`)
    }
  }
  return parts.join('')
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }
const unescaped = (text: string): string =>
  text.replace(/&(?:#(\d{1,7})|(\w{2,6}));/g, (found, digits: string | undefined, name = '') => {
    const point = Number(digits)
    if (digits !== undefined) return point > 0 && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? String.fromCodePoint(point) : found
    return entities[name] ?? found
  })

const [newline, carriageReturn, space, quoteMark] = [10, 13, 32, 34]

/**
 * Splits the lines of a table into cells, as RFC 4180 has it: a cell in quotes may hold delimiters, line ends and doubled quotes.
 * Spaces may stand before the quotes, lines end with LF, CRLF or CR, mixed as they come, and empty ones are none. Where a file is
 * malformed nothing is lost: what follows a closing quote belongs to the cell, and a quote that is never closed is a mark like any
 * other. The text is gone through once, whatever it holds: a parser that is a library's took ten times as long.
 * `take` gets an array of its own for each line, and may throw to end it; a line has at most `mostCells`, then `tooMany` ends it.
 */
export function eachRecord(text: string, delimiter: string, mostCells: number, take: (record: string[]) => void, tooMany: () => Error): void {
  const separator = delimiter.charCodeAt(0)
  let [at, line, record] = [0, 0, [] as string[]]

  /** Where a cell that starts or goes on at `from` ends, if nothing is quoted. */
  function plainEnd(from: number): number {
    for (let end = from; end < text.length; end++) {
      const code = text.charCodeAt(end)
      if (code === separator || code === newline || code === carriageReturn) return end
    }
    return text.length
  }

  /** Where the quote that stands before `from` is closed; -1 where it never is: that is found out once, since from there on quotes come in pairs, which close others. */
  function closingQuote(from: number): number {
    for (let end = text.indexOf('"', from); end >= 0; end = text.indexOf('"', end + 2)) if (text.charCodeAt(end + 1) !== quoteMark) return end
    return -1
  }

  function cell(): string {
    const start = at
    let opening = start
    while (text.charCodeAt(opening) === space) opening++
    const closed = text.charCodeAt(opening) === quoteMark ? closingQuote(opening + 1) : -1
    at = plainEnd(closed < 0 ? start : closed + 1)
    if (closed < 0) return text.slice(start, at)
    return text.slice(opening + 1, closed).replaceAll('""', '"') + text.slice(closed + 1, at)
  }

  while (at < text.length) {
    record.push(cell())
    if (record.length > mostCells) throw tooMany()
    if (text.charCodeAt(at) === separator) {
      at++
      if (at < text.length) continue
      record.push('')
    }
    if (at > line) take(record)
    record = []
    at += text.charCodeAt(at) === carriageReturn && text.charCodeAt(at + 1) === newline ? 2 : 1
    line = at
  }
}

import { Fault } from '@sluice/schema'

/** A place in a list, opaque to callers: what the last row of a page was ordered by. */
export const encodeCursor = (place: string | number): string => Buffer.from(String(place)).toString('base64url')

export function decodeCursor(cursor: string, form: RegExp): string {
  const place = Buffer.from(cursor, 'base64url').toString()
  if (!form.test(place)) throw new Fault('cursor_invalid')
  return place
}

export const idForm = /^[a-z0-9]{15}$/

/** A page out of one row more than it holds. */
export function pageFrom<R, T>(rows: readonly R[], limit: number, place: (row: R) => string | number, item: (row: R) => T): { items: T[]; nextCursor: string | null } {
  const shown = rows.slice(0, limit)
  return { items: shown.map(item), nextCursor: rows.length > limit ? encodeCursor(place(shown.at(-1)!)) : null }
}

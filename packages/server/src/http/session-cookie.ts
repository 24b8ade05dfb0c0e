import type { Kept } from '../dialects/dialect.ts'
import type { Face } from './face.ts'

/**
 * The cookie in which a browser keeps the token of a login. It has a name of ours, and those that the dialects' clients know; it is
 * the same token under each, and every one is read at every address.
 */

export const sessionCookie = 'sluice_session'

/** Under which names it is looked for at the addresses of a face: its own is meant there before any other. */
export function cookieNames(faces: readonly Face[], face: Face): readonly string[] {
  const names = faces.flatMap(({ cookie }) => (cookie === undefined ? [] : [cookie]))
  return [...new Set([...(face.cookie === undefined ? [] : [face.cookie]), sessionCookie, ...names])]
}

/** The token under the first of the names that has one. */
export function tokenIn(header: string | undefined, names: readonly string[]): string | undefined {
  const cookies = new Map((header?.split(';') ?? []).map((part) => pairOf(part)).reverse())
  return names.map((name) => cookies.get(name)).find((value, at) => value && (names[at] === sessionCookie || isToken(value)))
}

function pairOf(part: string): [name: string, value: string] {
  const [name = '', value = ''] = part.split('=', 2)
  return [name.trim(), value.trim()]
}

/** Names that are not ours alone are used by other servers of the same host too, whose cookies come along. */
const isToken = (value: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value)

/** What a browser is told to keep, or with null to forget. No script reads it, and no page of another site sends it with a request that changes anything. */
export function cookieText(name: string, kept: Kept | null, { secure, now }: { secure: boolean; now: Date }): string {
  const seconds = kept ? Math.max(0, Math.floor((Date.parse(kept.expiresAt) - now.getTime()) / 1_000)) : 0
  return [`${name}=${kept?.token ?? ''}`, 'Path=/', `Max-Age=${seconds}`, 'HttpOnly', 'SameSite=Lax', ...(secure ? ['Secure'] : [])].join('; ')
}

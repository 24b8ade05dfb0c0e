import type { Dialect, Rendered } from '../dialects/dialect.ts'
import type { Problem } from '../rpc/faults.ts'

/** Whose manner an address is answered in. */
export interface Face {
  name: string
  /** The addresses it owns, as `/v1`: itself and what is below. */
  prefixes: readonly string[]
  /** In which browsers keep the token of a login for it, beside the one of ours. */
  cookie?: string
  /** Why it takes no API key as bearer token; unset: it does. */
  refusesKeyAsBearer?: string
  render(problem: Problem, requestId: string): Rendered
}

export const nativeFace: Face = {
  name: 'native',
  prefixes: ['/v1', '/trpc'],
  render({ code, kind, status, message, issues, details }, requestId) {
    return { status, body: { error: { code, kind, message, issues, details, requestId } } }
  },
}

/** Whose addresses lie below its mounts. */
export const faceOf = ({ name, prefixes, mounts, errors, cookie, refuses }: Dialect): Face => ({
  name,
  prefixes: mounts.flatMap((mount) => prefixes.map((prefix) => `${mount}${prefix}`)),
  ...(cookie !== undefined && { cookie }),
  ...(refuses?.keyAsBearer !== undefined && { refusesKeyAsBearer: refuses.keyAsBearer }),
  render: errors.render,
})

/** Who answers at an address that no row has: the face with the longest prefix of it, else the native one. */
export function ownerOf(faces: readonly Face[], path: string): Face {
  let owner = nativeFace
  let longest = 0
  for (const face of faces)
    for (const prefix of face.prefixes)
      if (prefix.length > longest && (path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`))) {
        owner = face
        longest = prefix.length
      }
  return owner
}

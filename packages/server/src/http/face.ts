import type { Problem } from '../rpc/faults.ts'

/** An error as one API shows it. */
export interface Rendered {
  status: number
  body: unknown
  headers?: Readonly<Record<string, string>>
}

/** Whose manner an address is answered in. */
export interface Face {
  name: string
  /** The addresses it owns, as `/v1`: itself and what is below. */
  prefixes: readonly string[]
  render(problem: Problem, requestId: string): Rendered
}

export const nativeFace: Face = {
  name: 'native',
  prefixes: ['/v1', '/trpc'],
  render({ code, kind, status, message, issues, details }, requestId) {
    return { status, body: { error: { code, kind, message, issues, details, requestId } } }
  },
}

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

import type { Row } from './rows.ts'

/** Rows that share method and shape. At most one of them replies and one streams: the Accept header decides between them. */
export interface Place {
  method: string
  /** `/v1/runs/{}/events` */
  shape: string
  rows: Row[]
}

/** A path without the names of its parameters. Throws for a path that no route can be made of. */
export function shapeOf(path: string): string {
  const segments = path.split('/').map((segment) => (/^\{\w+\}$/.test(segment) ? '{}' : segment))
  if (segments.some((segment) => segment !== '{}' && /[{}*?#]/.test(segment)) || !path.startsWith('/'))
    throw new Error(`${path} is no path of a row: a parameter is a whole segment, as /v1/runs/{id}`)
  return segments.join('/').replace(/(.)\/$/, '$1')
}

/** The names of a path's parameters, in order. */
export const parametersOf = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!)

/** What stands for the parameters of a path at an address, as it is encoded there; null when it is another's address. */
export function parametersAt(path: string, address: string): Map<string, string> | null {
  const given = address.split('/')
  const segments = path.split('/')
  if (given.length !== segments.length) return null
  const found = new Map<string, string>()
  for (const [place, segment] of segments.entries()) {
    const [, name] = /^\{(\w+)\}$/.exec(segment) ?? []
    if (name !== undefined) found.set(name, given[place]!)
    else if (given[place] !== segment) return null
  }
  return found
}

/** Throws when two rows would answer the same request: which one wins must not depend on their order. */
export function placesOf(rows: readonly Row[]): Place[] {
  const places = new Map<string, Place>()
  for (const row of rows) {
    const shape = shapeOf(row.path)
    const key = `${row.method} ${shape}`
    const place = places.get(key) ?? { method: row.method, shape, rows: [] }
    places.set(key, place)
    const rival = place.rows.find(({ is }) => is === row.is)
    if (rival) throw new Error(`${row.face.name} ${row.name} and ${rival.face.name} ${rival.name} both answer ${key}`)
    place.rows.push(row)
  }
  return [...places.values()]
}

/** Which methods an address has. `others` are addresses that no row has. */
export function createMethodsAt(places: readonly Place[], others: readonly { path: string; methods: string[] }[]): (path: string) => string[] {
  const all = [...places.map(({ method, shape }) => ({ methods: [method], shape })), ...others.map(({ path, methods }) => ({ methods, shape: shapeOf(path) }))]
  const known = all.map(({ methods, shape }) => ({ methods, pattern: new RegExp(`^${shape.replace(/[.+^$()|[\]\\]/g, '\\$&').replaceAll('{}', '[^/]+')}/?$`) }))
  return (path) => [...new Set(known.flatMap(({ methods, pattern }) => (pattern.test(path) ? methods : [])))]
}

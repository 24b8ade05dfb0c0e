import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'

/** What of a compose file is read here; `parse` merges what stands under anchors. */
export interface Service {
  image?: string
  build?: string
  environment?: Record<string, string>
  ports?: string[]
  volumes?: string[]
  tmpfs?: string[]
  read_only?: boolean
  stop_grace_period?: string
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test: string[] }
  [key: string]: unknown
}

export interface Composed {
  name: string
  services: Record<string, Service>
  volumes: Record<string, unknown>
}

/** `${NAME:?why}`: refused when it is not there, as compose refuses it. */
export async function composed(path: string, env: Readonly<Record<string, string>>): Promise<Composed> {
  const text = (await readFile(path, 'utf8')).replaceAll(/^\s*#.*$/gm, '').replaceAll(/\$\{(\w+)(?::\?([^}]*))?\}/g, (_, name: string, why: string | undefined) => {
    const value = env[name]
    if (!value) throw new Error(`${name} ${why ?? 'is not set'}`)
    return value
  })
  return parse(text, { merge: true }) as Composed
}

/** `15s` in milliseconds. */
export function msOf(duration: string): number {
  const [, number, unit] = /^(\d+)(ms|s|m)$/.exec(duration) ?? []
  if (number === undefined) throw new Error(`Not a duration: ${duration}`)
  return Number(number) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm']
}

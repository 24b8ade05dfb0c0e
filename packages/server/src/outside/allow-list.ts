/** The hosts an operator opened although they are private: `host` (every port) or `host:port`. */
export interface AllowList {
  has(host: string, port: number): boolean
}

/**
 * Reads entries as `localhost`, `10.0.0.7:8080`, `[::1]:4000`. An entry opens the host as a URL names it: a name that merely
 * resolves to an allowed address is not opened. Throws on an entry that is no host.
 */
export function allowListOf(entries: readonly string[]): AllowList {
  const opened = new Set(
    entries
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
      .map(normalise),
  )
  return { has: (host, port) => opened.has(`${host}:*`) || opened.has(`${host}:${port}`) }
}

function normalise(entry: string): string {
  const bare = entry.includes('::') && !entry.startsWith('[') ? `[${entry}]` : entry
  const port = /^(?:\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(bare)?.[1]
  const url = /[/@?#\\\s]/.test(bare) ? null : URL.parse(`http://${bare}`)
  if (!url || (bare.includes(':') && !bare.endsWith(']') && !port)) throw new Error(`"${entry}" is not a host or host:port`)
  return `${hostOf(url)}:${port ? Number(port) : '*'}`
}

/** The host of a URL as addresses are compared: without brackets and without the dot of a fully qualified name. */
export const hostOf = (url: URL) => url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')

/** An entry that opens the host of a URL on its port alone. */
export function hostAndPort(address: string): string {
  const url = new URL(address)
  return `${url.hostname.replace(/\.$/, '')}:${portOf(url)}`
}

export const portOf = (url: URL) => Number(url.port) || (url.protocol === 'https:' ? 443 : 80)

import { ForbiddenError, InvalidError, NetworkError, SluiceError, UnauthenticatedError } from '../errors.ts'
import { plain } from './text.ts'

/** What keeps a command from being done, in a line for the person who gave it. */
export class Failure extends Error {}

/** Left by Ctrl-C. */
export class Interrupted extends Error {}

/** What a command ends with; `--help` tells of them. */
export const exits = { done: 0, failed: 1, interrupted: 130 } as const

/** One line: what went wrong, and what to do. */
export function lineOf(error: unknown, url: string | null): string {
  if (error instanceof NetworkError && !error.sent) return `No server answers at ${url}. Is it running there? Another address: SLUICE_URL, or ${name()} login --url ADDRESS`
  if (error instanceof NetworkError) return plain(`${url}: ${error.message}`)
  if (error instanceof UnauthenticatedError && error.code !== 'login_failed') return `${url} does not accept the credential. Log in again: ${name()} login`
  if (error instanceof ForbiddenError) return plain(`Not allowed: ${error.message}`)
  if (error instanceof InvalidError && error.issues.length > 0) {
    const issues = error.issues.slice(0, 3).map(({ nodeId, field, path, message }) => [nodeId, field ?? path?.join('.')].filter(Boolean).join(' ') + `: ${message}`)
    return plain(`${error.message} (${issues.join('; ').replaceAll(/(^|; ): /g, '$1')})`)
  }
  if (error instanceof SluiceError && error.kind === 'internal') return plain(`${error.message} (request ${error.requestId})`)
  return plain(error instanceof Error ? error.message : String(error))
}

/** How this program is called: as the person did it. */
export const name = (): string => (process.env['npm_command'] === 'exec' ? 'npx --package @sluice/client sluice' : 'sluice')

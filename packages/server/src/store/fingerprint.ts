import { createHash } from 'node:crypto'

/** A fingerprint that does not depend on the order of keys. */
export function fingerprintOf(value: unknown): string {
  const sorted = JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each) ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1))) : each,
  )
  return createHash('sha256')
    .update(sorted ?? '')
    .digest('base64url')
}

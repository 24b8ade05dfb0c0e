import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

/** One key a purpose, so that what one of them leaks says nothing of the other. */
export interface Keyring {
  tokens: KeyObject
  secrets: KeyObject
}

/** Keys derived from the server's secret, the same after every start with the same one. */
export function deriveKeys(secret: string): Keyring {
  // Whoever holds one token can try secrets against it as fast as they like.
  if (secret.length < 16) throw new Error('The secret of the server is too short: use 16 characters or more, drawn at random')
  const derive = (purpose: string) => createSecretKey(new Uint8Array(hkdfSync('sha256', secret, 'sluice', purpose, 32)))
  return { tokens: derive('tokens'), secrets: derive('secrets') }
}

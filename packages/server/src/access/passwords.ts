import { Fault } from '@sluice/schema'
import { hash, verify } from '@node-rs/argon2'
import { createGate } from './gate.ts'
import { randomToken } from './digest.ts'

export interface Passwords {
  hash(password: string): Promise<string>
  /** With null, for a user that does not exist, or with an empty one, for a user that has none yet, it takes as long and answers false. */
  verify(hashed: string | null, password: string): Promise<boolean>
}

/** What OWASP asks of argon2id (the package's own kind): 19 MiB, two passes; 13 ms on one core. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 }

/** Two at a time keep two cores and 38 MiB busy; 32 in line wait less than half a second. */
export function createPasswords(atOnce = 2, waiting = 32): Passwords {
  const gate = createGate(atOnce, waiting)
  const nobody = hash(randomToken(), cost)
  nobody.catch(() => {})
  return {
    hash: (password) => gate(() => hash(password, cost)),
    async verify(hashed, password) {
      const against = hashed || (await nobody)
      const right = await gate(() => verify(against, password))
      return right && against === hashed
    },
  }
}

/** Throws `input_invalid`, naming the field, for what is too short to be a password. */
export function checkNewPassword(password: string, field: string): void {
  if (password.length < 8 || password.length > 1024) throw new Fault('input_invalid', { issues: [{ path: [field], message: 'A password has 8 to 1,024 characters' }] })
}

/** The spelling an email is kept in. Throws `input_invalid`, naming the field, for what cannot be one. */
export function checkEmail(email: string, field: string): string {
  const spelled = normalEmail(email)
  if (spelled === null) throw new Fault('input_invalid', { issues: [{ path: [field], message: 'expected an email address' }] })
  return spelled
}

/** The one spelling an email is stored and looked up in. Null for what cannot be one. */
export function normalEmail(text: string): string | null {
  const email = text.trim().normalize('NFC').toLowerCase()
  return email.length <= 320 && /^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u.test(email) ? email : null
}

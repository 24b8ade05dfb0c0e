/** The input with a key that no other call has, unless it brings its own. Made once a call: every repeat goes with the same one. */
export const keyed = <T extends { idempotencyKey?: string | undefined }>(input: T): T & { idempotencyKey: string } => ({
  ...input,
  idempotencyKey: input.idempotencyKey ?? newKey(),
})

/** 128 random bits. `crypto.randomUUID` is missing from pages that came over plain HTTP. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

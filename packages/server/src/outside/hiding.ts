/** Keeps a secret that was sent out of what comes back. PURE. */

/** Shorter ones would blot out ordinary words, and are no secrets. */
const leastCharacters = 4
const mark = '[secret]'

const formsOf = (secret: string | null): string[] =>
  secret === null || secret.length < leastCharacters ? [] : [...new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])]

/** Blots out every form of the secret in a text. */
export function hiding(secret: string | null): (text: string) => string {
  const forms = formsOf(secret)
  return (text) => forms.reduce((hidden, form) => hidden.replaceAll(form, mark), text)
}

/** The same for a text that comes in pieces: what may be the beginning of the secret is held back until it is known. */
export interface PieceHiding {
  take(piece: string): string
  /** What was held back to the end. */
  rest(): string
}

export function hidingPieces(secret: string | null): PieceHiding {
  const forms = formsOf(secret)
  const hide = hiding(secret)
  let held = ''
  return {
    take(piece) {
      const text = hide(held + piece)
      const keep = Math.max(0, ...forms.map((form) => overlap(text, form)))
      held = text.slice(text.length - keep)
      return text.slice(0, text.length - keep)
    },
    rest: () => held,
  }
}

/** How many of the last characters of a text are the first of another. */
function overlap(text: string, form: string): number {
  for (let length = Math.min(text.length, form.length - 1); length > 0; length--) if (form.startsWith(text.slice(text.length - length))) return length
  return 0
}

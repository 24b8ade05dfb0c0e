/** A server as it must not be: one text of the product replaced, and the test that has to notice. */
export interface Variant {
  /** In the command: `npm test -- --broken NAME`. */
  name: string
  /** The promise that it breaks: C1 to C8, or the heading of docs/guarantees.md. */
  promise: string
  /** What a server of this kind does wrong. */
  breaks: string
  /** From the top of the repository. */
  file: string
  /** Occurs once in the file. */
  find: string
  replace: string
  /** The test that fails of it: its file, and how its name begins. */
  caughtBy: { file: string; test: string }
}

/** The text of the file with the variant's fault in it. */
export function brokenAs({ name, file, find, replace }: Variant, text: string): string {
  const parts = text.split(find)
  if (parts.length !== 2) throw new Error(`The variant ${name} replaces a text that occurs ${parts.length - 1} times in ${file}`)
  return parts.join(replace)
}

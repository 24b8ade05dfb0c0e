/**
 * A file whose bytes have come and lie in the store, seen by nobody until a procedure keeps it. Made by `blobs.receive`
 * alone: nothing that was read from JSON is ever one.
 */
export class ReceivedFile {
  readonly id: string
  /** As the client called it, made fit to be shown. */
  readonly name: string
  readonly contentType: string
  readonly bytes: number
  /** In hexadecimal. */
  readonly sha256: string

  constructor({ id, name, contentType, bytes, sha256 }: { id: string; name: string; contentType: string; bytes: number; sha256: string }) {
    this.id = id
    this.name = name
    this.contentType = contentType
    this.bytes = bytes
    this.sha256 = sha256
  }
}

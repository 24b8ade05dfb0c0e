/**
 * The server cannot start or go on with these settings, this directory or this database. The message is one line for the
 * person at the keyboard: what is in the way, and what to do.
 */
export class StartRefused extends Error {
  override readonly name = 'StartRefused'
}

import { Fault, type StoredFile } from '@sluice/schema'
import { idOr } from './ids.ts'
import { compact } from './times.ts'

/** Files of a workflow as PySpur spells where they are. PURE. */

/** `test_files/<workflow>/<time>_<id>.pdf`: a name of the server's, of which the id can be read again. */
export const pathOfFile = (workflow: string, { id, name, created }: StoredFile): string => `test_files/${workflow}/${compact(created)}_${id}${extensionOf(name)}`

/** Of a client's name for it only what can do no harm is kept: what kind of file it says it is. */
const extensionOf = (name: string): string => (/\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? '').toLowerCase()

/** The id in a name that `pathOfFile` gave. Throws `file_missing`. */
export function fileNamed(name: string): string {
  const [, id] = /^\d{8}_\d{6}_([a-z0-9]+)(?:\.[a-z0-9]{1,10})?$/.exec(name) ?? []
  if (id === undefined) throw new Fault('file_missing')
  return idOr('file_missing', id)
}

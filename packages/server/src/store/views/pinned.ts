import { limits, type Version } from '@sluice/schema'
import type { Tx } from '../database.ts'
import { versionsOf } from '../rows/workflows.ts'
import { tooLarge } from './listed.ts'
import type { Pinned } from './outline.ts'
import { versionView } from './workflows.ts'

/** A definition has at most 2 MiB. */
const readAtOnce = 16

/** Bytes of the versions that are kept, as JSON; as objects they take several times that. */
const mostKept = 8 * 1024 * 1024

/** By database: a transaction may see a version that never comes to be. */
const kept = new WeakMap<Tx, Kept>()

interface Kept {
  versions: Map<string, Weighed>
  bytes: number
}

interface Weighed {
  version: Version
  bytes: number
}

/**
 * The versions that runs go by; a trial goes by none. Each is read once, of however many runs it is, and kept as long as it is
 * asked for: it never changes, and who waits for a run looks at it each second. Throws a Fault `limit_exceeded` for more than an
 * answer holds.
 */
export async function pinnedTo(tx: Tx, rows: readonly Pinned[]): Promise<(row: Pinned) => Version | null> {
  const mine = kept.get(tx) ?? { versions: new Map<string, Weighed>(), bytes: 0 }
  kept.set(tx, mine)
  const found = new Map<string, Version>()
  let bytes = 0
  const take = (key: string, weighed: Weighed): void => {
    if ((bytes += weighed.bytes) > limits.answerBytes) throw tooLarge()
    found.set(key, weighed.version)
  }
  const unknown: Pinned[] = []
  for (const [key, row] of new Map(rows.flatMap((each) => (each.drafted === null ? [[keyOf(each), each] as const] : [])))) {
    const known = recall(mine, key)
    if (known) take(key, known)
    else unknown.push(row)
  }
  for (let from = 0; from < unknown.length; from += readAtOnce)
    for (const row of await versionsOf(tx, unknown.slice(from, from + readAtOnce))) {
      const key = keyOf({ workflow_id: row.workflow_id, version: row.number })
      take(key, keep(mine, key, weighedOf(versionView(row))))
    }
  return (row) => (row.drafted === null ? (found.get(keyOf(row)) ?? null) : null)
}

const keyOf = ({ workflow_id, version }: Pick<Pinned, 'workflow_id' | 'version'>): string => `${workflow_id}/${version}`

const weighedOf = (version: Version): Weighed => ({ version, bytes: Buffer.byteLength(JSON.stringify(version)) })

/** The one that was used last stands last. */
function recall({ versions }: Kept, key: string): Weighed | undefined {
  const known = versions.get(key)
  if (known && versions.delete(key)) versions.set(key, known)
  return known
}

function keep(mine: Kept, key: string, weighed: Weighed): Weighed {
  if (mine.versions.has(key)) return weighed
  mine.versions.set(key, weighed)
  mine.bytes += weighed.bytes
  for (const [oldest, { bytes }] of mine.versions) {
    if (mine.bytes <= mostKept) break
    mine.versions.delete(oldest)
    mine.bytes -= bytes
  }
  return weighed
}

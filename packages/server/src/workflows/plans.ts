import type { Definition } from '@sluice/schema'
import { Recent } from '../expressions/index.ts'
import type { Catalogue } from '../nodes/contract.ts'
import type { Tx } from '../store/index.ts'
import { readVersion } from '../store/rows/workflows.ts'
import { hashOf } from './canonical.ts'
import type { Graph } from './graph.ts'
import { missingIn } from './missing.ts'
import { createPreparedCache, type Prepared } from './prepare.ts'

/** All that the runs of a version share: what the engine goes by. */
export interface Plan {
  graph: Graph
  prepared: Prepared
  /** Node types, and functions of programs, that this server does not have: such a run waits. */
  missing: string[]
}

/** Which definition a run is pinned to: a version of its workflow, or, of a trial, its own. */
export interface Pinned {
  workflow_id: string
  version: number
  trial: { definition: Definition } | null
}

export interface Plans {
  of(tx: Tx, run: Pinned): Promise<Plan>
}

export function createPlans(catalogue: Catalogue): Plans {
  const prepared = createPreparedCache(catalogue)
  const versions = new Recent<Plan>(500)
  const planOf = (hash: string, definition: Definition): Plan => ({ ...prepared(hash, definition), missing: missingIn(definition, catalogue) })

  return {
    async of(tx, { workflow_id, version, trial }) {
      if (trial) return planOf(hashOf(trial.definition), trial.definition)
      const key = `${workflow_id}/${version}`
      const kept = versions.get(key)
      if (kept) return kept
      const row = await readVersion(tx, workflow_id, version)
      if (!row) throw new Error(`Version ${version} of workflow ${workflow_id} is gone while a run of it is there`)
      const plan = planOf(row.hash, row.definition)
      return row.fresh ? plan : versions.of(key, () => plan)
    },
  }
}

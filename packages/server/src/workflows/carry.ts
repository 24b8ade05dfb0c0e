import { Fault, limits, workflowFormat, type ExportWorkflow, type FiledVersion, type ImportWorkflow, type Issue, type Workflow, type WorkflowFile } from '@sluice/schema'
import type { Tx } from '../store/index.ts'
import { findDraft, listVersions, type ListedVersion } from '../store/rows/workflows.ts'
import { hashOf } from './canonical.ts'
import { type Changing, issuesOf, issuesOfExtra, made, refuse } from './change.ts'
import { type Author, missing, type WorkflowActor } from './find.ts'
import { bytesOf } from './form.ts'
import type { Publishing } from './publish.ts'

/** Carries a workflow from one workspace or server to another, as a file. */
export interface Carrying {
  export(tx: Tx, actor: WorkflowActor, input: ExportWorkflow): Promise<WorkflowFile>
  import(tx: Tx, actor: Author, input: ImportWorkflow): Promise<Workflow>
}

export function createCarrying(changing: Changing, publishing: Publishing): Carrying {
  return {
    async export(tx, actor, { workflow, versions: most = 1 }) {
      const row = (await findDraft(tx, actor.workspaceId, workflow)) ?? missing(workflow)
      const { id, handle, name, description, extra, draft } = row
      const room = limits.answerBytes - bytesOf(draft)
      // None that was published after the draft was read.
      const listed = row.version === null || most === 0 ? [] : await listVersions(tx, id, { below: row.version + 1, offset: 0, limit: most, most: room })
      return { format: workflowFormat, handle, name, description, extra, draft, versions: listed.map(filed).reverse() }
    },

    import: async (tx, actor, { idempotencyKey, ...file }) =>
      made({ tx, actor, verb: 'import', key: idempotencyKey }, file, async () => {
        const { format: _format, handle, draft, versions = [], ...rest } = file
        refuse([...issuesOf(draft, ['draft']), ...issuesOfExtra(rest.extra ?? {}), ...issuesOfVersions(versions)])
        const id = await changing.draw(tx, actor, { ...rest, definition: draft, ...(handle !== undefined && { likeHandle: handle }) })
        await publishing.restore(tx, actor, id, versions)
        return id
      }),
  }
}

function filed({ number, hash, name, description, definition, bytes }: ListedVersion): FiledVersion {
  if (definition) return { number, hash, name, description, definition }
  const message = `The file has more than ${limits.answerBytes / 1024 / 1024} MiB: ask for fewer versions`
  throw new Fault('limit_exceeded', { message, issues: [{ path: ['versions'], message }], details: { bytes, maxBytes: limits.answerBytes } })
}

/** Whether they can be versions of one workflow, and are what they say they are. */
function issuesOfVersions(versions: readonly FiledVersion[]): Issue[] {
  const hashes = new Set<string>()
  return versions.flatMap(({ number, hash, definition }, at) => {
    const issue = (field: keyof FiledVersion, message: string): Issue => ({ path: ['versions', at, field], message })
    const issues = issuesOf(definition, ['versions', at, 'definition'])
    const found = hashOf(definition)
    if (found !== hash) issues.push(issue('hash', `The definition has the hash ${found}: it was changed after it was published. Change the draft, and publish that`))
    if (hashes.has(hash)) issues.push(issue('hash', 'There is an earlier version with this hash'))
    if (at > 0 && number <= versions[at - 1]!.number) issues.push(issue('number', 'The oldest version comes first, and each number once'))
    hashes.add(hash)
    return issues
  })
}

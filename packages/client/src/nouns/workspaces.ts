import type { CreateWorkspace, ListWorkspaces, OneWorkspace, UpdateWorkspace, Workspace } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { Listing } from '../listing.ts'
import type { CallOptions } from '../options.ts'

/** A credential stands in one workspace: that one can be looked at and changed with it. `auth.switch` leads to another. */
export interface Workspaces {
  /** All that the user belongs to; with a key only its own. */
  list(filter?: Input<typeof ListWorkspaces>, options?: CallOptions): Listing<Workspace>
  /** Throws `NotFoundError` (`workspace_missing`), for others of the user too. */
  get(which: Input<typeof OneWorkspace>, options?: CallOptions): Promise<Workspace>
  /** Who creates it owns it. Throws `ConflictError` (`handle_taken`), `ForbiddenError`. Not repeated when its answer is lost. */
  create(workspace: Input<typeof CreateWorkspace>, options?: CallOptions): Promise<Workspace>
  /** What is absent stays as it is. Throws `ConflictError` (`handle_taken`, `workspace_in_use`). */
  update(change: Input<typeof UpdateWorkspace>, options?: CallOptions): Promise<Workspace>
  /** With everything in it. Throws `ConflictError` (`workspace_in_use`) while runs are live, or it is somebody's default or only one. */
  delete(which: Input<typeof OneWorkspace>, options?: CallOptions): Promise<void>
}

export const workspacesOf = ({ list, read, write, repeat }: Calls): Workspaces => ({
  list: (filter, options) => list('workspaces.list', filter, options),
  get: (which, options) => read('workspaces.get', which, options),
  create: (workspace, options) => write('workspaces.create', workspace, options),
  update: (change, options) => repeat('workspaces.update', change, options),
  // The credential goes with the workspace: a second deletion would find nobody, not nothing.
  delete: (which, options) => write('workspaces.delete', which, options),
})

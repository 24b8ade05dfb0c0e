import type { WrittenFunction, WrittenWorkflow } from './written.ts'

/** The functions that this server has, by workspace, workflow and name: what definitions made of code name. */
export interface Registry {
  /** Whose workflow it is may call its functions, and nobody else. Of two functions of one name the one that came first stands. */
  add(workspaceId: string, workflow: Pick<WrittenWorkflow, 'name' | 'functions'>): void
  find(workspaceId: string, workflow: string, key: string): WrittenFunction | undefined
  /** Whether any workspace has it: a version that needs one that is nowhere waits. */
  has(workflow: string, key: string): boolean
  /** The same, of a name such as `order/charge`. */
  knows(name: string): boolean
}

export function createRegistry(): Registry {
  const found = new Map<string, WrittenFunction>()
  const known = new Set<string>()
  const nameOf = (...parts: string[]): string => parts.join('/')
  return {
    add(workspaceId, { name, functions }) {
      for (const [key, each] of functions) {
        known.add(nameOf(name, key))
        const place = nameOf(workspaceId, name, key)
        if (!found.has(place)) found.set(place, each)
      }
    },
    find: (workspaceId, workflow, key) => found.get(nameOf(workspaceId, workflow, key)),
    has: (workflow, key) => known.has(nameOf(workflow, key)),
    knows: (name) => known.has(name),
  }
}

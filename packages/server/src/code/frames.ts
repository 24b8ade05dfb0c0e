/** Branches of a definition while it is built: which steps may have run where another runs. */

export interface Block {
  is: 'when' | 'parallel'
  /** As it is called in messages. */
  name: string
  /** All of its branches are built. */
  closed: boolean
}

/** One branch of a block. */
export interface Frame {
  block: Block
  branch: number
}

/** Why what was made in `made` cannot be taken in `here`; null: it can. What comes later is taken by nobody: it has no reference yet. */
export function unseen(made: readonly Frame[], here: readonly Frame[]): string | null {
  for (const frame of made) {
    if (here.includes(frame)) continue
    if (frame.block.is === 'parallel' && frame.block.closed) continue
    if (frame.block.is === 'parallel') return `which runs beside it in ${frame.block.name}: take it after that`
    return `which is in a branch of ${frame.block.name} and may not have run: return it from the branch, and take what ${frame.block.name} gives`
  }
  return null
}

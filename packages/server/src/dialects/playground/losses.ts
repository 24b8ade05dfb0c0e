import type { Dialect } from '../dialect.ts'

/** What the document says and this does not, and what it leaves out, each with the reason. */
export const losses: Dialect['losses'] = [
  {
    what: '403 for a workflow of somebody else',
    why: 'who may not see a conversation is told the same as where there is none: 404. Without the permission to chat at all it is 403',
  },
  { what: '409 for a second message while the first is worked on', why: 'it waits for its turn; where ten wait already it is 400' },
  { what: 'Deletions in what is read after a time or an id', why: 'what is deleted is not there any more: read anew after a delete' },
  { what: 'More than 10,000 items, or more than 8 MiB, in one answer', why: 'the oldest come first, and the rest after the last of them' },
  { what: 'A handle that itself begins with `wf_`', why: 'the prefix is taken off: send `wf_` before it once more' },
]

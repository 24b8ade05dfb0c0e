/** Who says a text: an attempt at a step of a run. */
export interface Voice {
  runId: string
  /** The session whose round it is. */
  sessionId: string | null
  nodeId: string
  step: string
  iteration: string
  attempt: number
}

/** Of a text, what comes after its first `offset` UTF-16 code units. Characters are never cut in half. */
export interface Piece extends Voice {
  offset: number
  text: string
}

export const isOfOne = (a: Voice, b: Voice): boolean => a.runId === b.runId && a.nodeId === b.nodeId && a.iteration === b.iteration && a.attempt === b.attempt

/** At most so many code units of a text, and no half of a character. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text
  const last = text.charCodeAt(most - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most)
}

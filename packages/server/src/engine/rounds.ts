import type { Json, JsonObject } from '@sluice/schema'
import type { Tx } from '../store/database.ts'
import { readPause } from '../store/rows/pauses.ts'
import { askingRound, deleteRounds, lockLane, lockRounds } from '../store/rows/runs.ts'
import { decisionOf } from './answers.ts'
import type { Door, Passed } from './door.ts'
import type { Actor } from './engine.ts'
import { type NewRound, type Starter, laneOf } from './start.ts'

/**
 * What a session asks of the engine. All of it happens in the caller's transaction, and in one order of locks: workflow, lane
 * of the session, its rounds by their ids, the session. So the caller locks the session last, and tells of what happened
 * after its commit.
 */
export interface Rounds {
  /** Starts a round. Gives the run's id; null when a live one keeps it from starting. */
  begin(tx: Tx, actor: Actor, round: NewRound): Promise<string | null>
  begun: Starter['begun']
  /**
   * Cancels all live rounds. Whether all of them are at, or on their way to, their end; and what is to be told. Before it
   * cancels any it asks `first`, which may lock the session and refuse.
   */
  stop(tx: Tx, workspaceId: string, sessionId: string, first?: () => Promise<void>): Promise<{ stopped: boolean; passed: Passed[] }>
  /** The round under way that asks a question, and the oldest that it asks: free text may answer it. */
  asks(tx: Tx, sessionId: string): Promise<{ id: string; pause_id: string } | null>
  /** Decides the oldest open question of the round under way by free text; null when there is none. */
  answer(tx: Tx, actor: Actor, sessionId: string, text: string): Promise<Answered | null>
  passed: Door['passed']
  /** Takes the ended rounds. */
  clear(tx: Tx, sessionId: string): Promise<void>
}

export interface Answered {
  runId: string
  pauseId: string
  passed: Passed
}

export function createRounds({ door, starter }: { door: Door; starter: Starter }): Rounds {
  return {
    begin: (tx, actor, round) => starter.startRound(tx, actor, round),
    begun: (run) => starter.begun(run),
    async stop(tx, workspaceId, sessionId, first) {
      await lockLane(tx, workspaceId, laneOf(sessionId).key)
      const rounds = await lockRounds(tx, sessionId)
      await first?.()
      const passed: Passed[] = []
      // The one under way last: then none follows it.
      for (const { id } of rounds.toReversed()) passed.push(await door.pass(id, workspaceId, () => [{ is: 'cancelled', undo: false }], tx))
      return { stopped: passed.every(({ state }) => state.run.status !== 'compensating'), passed }
    },
    asks: async (tx, sessionId) => (await askingRound(tx, sessionId)) ?? null,
    async answer(tx, actor, sessionId, text) {
      await lockLane(tx, actor.workspaceId, laneOf(sessionId).key)
      const asking = await askingRound(tx, sessionId)
      if (!asking) return null
      let answers = false
      const passed = await door.pass(
        asking.id,
        actor.workspaceId,
        async (_state, _row, under) => {
          const pause = await readPause(under, actor.workspaceId, asking.pause_id)
          // Decided by somebody else, or cancelled, while we came.
          if (pause?.status !== 'open') return []
          answers = true
          return decisionOf(actor, { id: pause.id, action: 'approve', inputs: inputsOf(pause.form as JsonObject | null, text) }, pause)
        },
        tx,
      )
      return answers ? { runId: asking.id, pauseId: asking.pause_id, passed } : null
    },
    passed: (each) => door.passed(each),
    async clear(tx, sessionId) {
      await deleteRounds(tx, sessionId)
    },
  }
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Free text as the inputs of a decision: under the one name that the form has for text, else under `text`. */
function inputsOf(form: JsonObject | null, text: string): JsonObject {
  const properties = form && isObject(form['properties']) ? Object.entries(form['properties']) : []
  const texts = properties.filter(([, property]) => isObject(property) && property['type'] === 'string')
  const required = Array.isArray(form?.['required']) ? form['required'] : []
  const [only, another] = texts.length > 1 ? texts.filter(([name]) => required.includes(name)) : texts
  return { [only && !another ? only[0] : 'text']: text }
}

import {
  CreateSchedule,
  Fault,
  type Issue,
  limits,
  type OneSchedule,
  type PreviewSchedule,
  type Run,
  type Schedule,
  scheduleDefaults,
  type ScheduleMoments,
  type UpdateSchedule,
} from '@sluice/schema'
import type { Actor, Engine } from '../engine/engine.ts'
import { fingerprintOf } from '../store/fingerprint.ts'
import { newId } from '../store/ids.ts'
import type { Database, Tx } from '../store/index.ts'
import {
  areFull,
  deleteSchedule,
  findSchedule,
  type GivenInput,
  insertSchedule,
  lockNames,
  lockSchedule,
  lockSchedulesOf,
  sayOfSchedule,
  scheduleNamed,
  type ScheduleRow,
  type ScheduleSaid,
} from '../store/rows/schedules.ts'
import { pinWorkflow } from '../store/rows/workflows.ts'
import { getSchedule } from '../store/views/schedules.ts'
import { checked, momentsOf } from './moments.ts'
import { rhythmOf } from './rhythm.ts'
import { startFor } from './start.ts'

/** What code says of one, beside its workflow. */
export type WrittenSchedule = Omit<CreateSchedule, 'workflow' | 'enabled'>

/** What starts runs by the clock: told here, and served by `dispatch.ts`. It is deleted with its workflow. */
export interface Schedules {
  /** Throws `input_invalid`, `workflow_missing`, `name_taken` (with the `id` of who has it), `limit_exceeded`. */
  create(actor: Actor, input: CreateSchedule): Promise<Schedule>
  /** When its rhythm changes its next moment is the first from now on. Throws `schedule_missing`, `schedule_in_code`, `input_invalid`, `name_taken`. */
  update(actor: Actor, input: UpdateSchedule): Promise<Schedule>
  /** Nothing is started, and nothing missed, until it is resumed. Throws `schedule_missing`. */
  pause(actor: Actor, input: OneSchedule): Promise<Schedule>
  resume(actor: Actor, input: OneSchedule): Promise<Schedule>
  /** Its runs go on. One that code says comes back when a server is started with that code. Throws `schedule_missing`. */
  delete(actor: Actor, input: OneSchedule): Promise<void>
  /** A run as it starts them, now, and counted nowhere. Throws `schedule_missing`, and what a start is refused with: `lane_busy` where runs do not overlap. */
  start(actor: Actor, input: OneSchedule): Promise<Run>
  /** Throws `input_invalid`. */
  preview(input: PreviewSchedule): ScheduleMoments
  /**
   * Makes those of a workflow that code says equal to it. What has not changed goes on as it was, with its count and its next moment;
   * one that a person has paused stays so; one of the same name that callers made becomes the code's. In the caller's transaction, when it is given. Throws `workflow_missing`, `input_invalid`, `limit_exceeded`.
   */
  syncWritten(workspaceId: string, workflowId: string, written: readonly WrittenSchedule[], tx?: Tx): Promise<void>
}

export interface SchedulesParts {
  database: Database
  engine: Pick<Engine, 'start'>
  /** Told when one may be due at another time. */
  changed(): void
  now?: () => number
}

export function createSchedules({ database, engine, changed, now = Date.now }: SchedulesParts): Schedules {
  async function insert(tx: Tx, place: Pick<ScheduleRow, 'workspace_id' | 'workflow_id'>, said: ScheduleSaid, at: number): Promise<string> {
    if (await areFull(tx, place.workspace_id, limits.schedules)) throw new Fault('limit_exceeded', { message: `A workspace has at most ${limits.schedules} schedules` })
    const id = newId()
    const next_at = nextOf(said, 0, at)
    await insertSchedule(tx, { ...said, ...place, id, next_at, at: new Date(at) })
    return id
  }

  /** Says it anew. Unless its rhythm is another one it goes on where it was. */
  async function say(tx: Tx, row: ScheduleRow, said: ScheduleSaid, at: number): Promise<void> {
    const goesOn = row.next_at !== null && said.enabled && isSameRhythm(row, said) && (said.times === null || row.count < said.times)
    await sayOfSchedule(tx, { ...said, id: row.id }, goesOn ? null : { next_at: nextOf(said, row.count, at) }, new Date(at))
  }

  /** Changes one under its lock; the same again changes nothing. */
  async function change(actor: Actor, id: string, of: (tx: Tx, row: ScheduleRow, at: number) => Promise<ScheduleSaid>, naming = false): Promise<Schedule> {
    const at = now()
    const schedule = await database.transaction(async (tx) => {
      if (naming) await lockNames(tx, actor.workspaceId)
      const row = (await lockSchedule(tx, actor.workspaceId, id)) ?? missing()
      const said = await of(tx, row, at)
      if (!isSame(row, said)) await say(tx, row, said, at)
      return getSchedule(tx, actor.workspaceId, id)
    })
    changed()
    return schedule
  }

  const enable = (actor: Actor, id: string, enabled: boolean): Promise<Schedule> => change(actor, id, async (_tx, row) => ({ ...row, enabled }))

  return {
    async create(actor, input) {
      const at = now()
      const { workspaceId: workspace_id } = actor
      const said: ScheduleSaid = { ...saidOf(input, at), enabled: input.enabled ?? true, origin: 'api', said_by: actor.userId }
      if (momentsOf(rhythmOf(said)).after(at) === null) throw over()
      const id = await database.transaction(async (tx) => {
        const workflow = await pinWorkflow(tx, workspace_id, input.workflow)
        if (!workflow) throw new Fault('workflow_missing', { details: { workflow: input.workflow } })
        await lockNames(tx, workspace_id)
        await refuseTaken(tx, workflow.id, said.name)
        return insert(tx, { workspace_id, workflow_id: workflow.id }, said, at)
      })
      changed()
      return getSchedule(database, workspace_id, id)
    },

    async update(actor, { id, ...patch }) {
      const said = async (tx: Tx, row: ScheduleRow, at: number): Promise<ScheduleSaid> => {
        if (row.origin === 'code') throw new Fault('schedule_in_code')
        const { name = row.name } = patch
        if (name !== row.name) await refuseTaken(tx, row.workflow_id, name)
        return { ...saidOf(patched(row, patch), at, row), enabled: row.enabled, origin: row.origin, said_by: actor.userId }
      }
      return change(actor, id, said, patch.name !== undefined)
    },

    pause: (actor, { id }) => enable(actor, id, false),
    resume: (actor, { id }) => enable(actor, id, true),

    async delete(actor, { id }) {
      if (!(await deleteSchedule(database, actor.workspaceId, id))) missing()
    },

    async start(actor, { id }) {
      const row = (await findSchedule(database, actor.workspaceId, id)) ?? missing()
      return engine.start(actor, startFor(row, new Date(now())))
    },

    preview({ after, count = 5, ...input }) {
      const at = after === undefined ? now() : Date.parse(after)
      const moments = checked(rhythmOf(saidOf({ ...input, workflow: '' }, now())))
      const found: string[] = []
      for (let next = moments.after(at); next !== null && found.length < count; next = moments.after(next)) found.push(new Date(next).toISOString())
      return { moments: found }
    },

    async syncWritten(workspaceId, workflowId, written, given) {
      const at = now()
      const wanted = namedApart(written.map((each) => saidInCode(each, workflowId)))
      const sync = async (tx: Tx): Promise<void> => {
        if (!(await pinWorkflow(tx, workspaceId, workflowId))) throw new Fault('workflow_missing', { details: { workflow: workflowId } })
        await lockNames(tx, workspaceId)
        const there = new Map((await lockSchedulesOf(tx, workflowId)).map((row) => [row.name, row]))
        for (const row of there.values()) if (row.origin === 'code' && !wanted.has(row.name)) await deleteSchedule(tx, workspaceId, row.id)
        for (const [name, input] of wanted) {
          const row = there.get(name)
          const said: ScheduleSaid = { ...inCode(name, () => saidOf(input, at, row)), enabled: row?.enabled ?? true, origin: 'code', said_by: null }
          if (!row) await insert(tx, { workspace_id: workspaceId, workflow_id: workflowId }, said, at)
          else if (!isSame(row, said)) await say(tx, row, said, at)
        }
      }
      await (given ? sync(given) : database.transaction(sync))
      changed()
    },
  }
}

type What = Omit<ScheduleSaid, 'enabled' | 'origin' | 'said_by'>

/** What a caller means, checked. An interval that goes on is counted from where it was. */
function saidOf(input: CreateSchedule, at: number, before?: ScheduleRow): What {
  const starts_at = instantOf(input.startsAt)
  const every_ms = input.everyMs ?? null
  const goesOn = before && before.every_ms === every_ms && before.starts_at?.getTime() === starts_at?.getTime()
  const said: What = {
    name: input.name ?? scheduleDefaults.name,
    cron: input.cron?.trim() ?? null,
    every_ms,
    time_zone: input.timeZone ?? scheduleDefaults.timeZone,
    anchor_at: goesOn ? before.anchor_at : (starts_at ?? new Date(at)),
    given: givenOf(input),
    missed: input.missed ?? scheduleDefaults.missed,
    overlap: input.overlap ?? scheduleDefaults.overlap,
    times: input.times ?? null,
    starts_at,
    ends_at: instantOf(input.endsAt),
  }
  checked(rhythmOf(said))
  return said
}

function givenOf({ input, inputs }: CreateSchedule): GivenInput | null {
  if (input !== undefined && inputs !== undefined) throw refused([{ path: ['inputs'], message: 'Give input or inputs, not both' }])
  if (input === undefined && inputs === undefined) return null
  const given: GivenInput = inputs === undefined ? { input: input! } : { inputs }
  if (Buffer.byteLength(JSON.stringify(given)) > limits.scheduleInputBytes)
    throw refused([{ path: [inputs === undefined ? 'input' : 'inputs'], message: `At most ${limits.scheduleInputBytes / 1024} KiB of JSON` }])
  return given
}

/** A schedule as it is, but for what is changed. */
function patched(row: ScheduleRow, { cron, everyMs, input, inputs, times, startsAt, endsAt, ...others }: Omit<UpdateSchedule, 'id'>): CreateSchedule {
  const changes = cron !== undefined || everyMs !== undefined
  const given = input !== undefined || inputs !== undefined ? { input, inputs: inputs ?? undefined } : { ...row.given }
  return {
    workflow: row.workflow_id,
    name: others.name ?? row.name,
    cron: changes ? cron : (row.cron ?? undefined),
    everyMs: changes ? everyMs : (row.every_ms ?? undefined),
    timeZone: others.timeZone ?? row.time_zone,
    missed: others.missed ?? row.missed,
    overlap: others.overlap ?? row.overlap,
    ...given,
    times: times === undefined ? (row.times ?? undefined) : (times ?? undefined),
    startsAt: startsAt === undefined ? row.starts_at?.toISOString() : (startsAt ?? undefined),
    endsAt: endsAt === undefined ? row.ends_at?.toISOString() : (endsAt ?? undefined),
  }
}

/** Nobody has looked at what code says before. */
function saidInCode(written: WrittenSchedule, workflow: string): CreateSchedule {
  const { data, error } = CreateSchedule.safeParse({ ...written, workflow })
  if (!error) return data
  const name = typeof written.name === 'string' ? written.name : scheduleDefaults.name
  throw refused(error.issues.map(({ path, message }) => ({ path: ['schedules', name, ...path.map((part) => (typeof part === 'number' ? part : String(part)))], message })))
}

function inCode<T>(name: string, say: () => T): T {
  try {
    return say()
  } catch (error) {
    throw error instanceof Fault ? refused(error.issues.map((issue) => ({ ...issue, path: ['schedules', name, ...(issue.path ?? [])] }))) : error
  }
}

function namedApart(schedules: readonly CreateSchedule[]): Map<string, CreateSchedule> {
  const byName = new Map<string, CreateSchedule>()
  for (const schedule of schedules) {
    const { name = scheduleDefaults.name } = schedule
    if (byName.has(name)) throw refused([{ path: ['schedules', name, 'name'], message: 'Another schedule of the workflow has this name' }])
    byName.set(name, schedule)
  }
  return byName
}

function nextOf(said: ScheduleSaid, count: number, at: number): Date | null {
  if (!said.enabled || (said.times !== null && count >= said.times)) return null
  const next = momentsOf(rhythmOf(said)).after(at)
  return next === null ? null : new Date(next)
}

const rhythm = ['cron', 'every_ms', 'time_zone', 'anchor_at', 'starts_at', 'ends_at'] as const
const others = ['name', 'given', 'missed', 'overlap', 'times', 'enabled', 'origin', 'said_by'] as const

const isSameIn = (keys: readonly (keyof ScheduleSaid)[], one: ScheduleSaid, other: ScheduleSaid): boolean =>
  keys.every((key) => fingerprintOf(one[key]) === fingerprintOf(other[key]))
const isSameRhythm = (one: ScheduleSaid, other: ScheduleSaid): boolean => isSameIn(rhythm, one, other)
const isSame = (one: ScheduleSaid, other: ScheduleSaid): boolean => isSameIn([...rhythm, ...others], one, other)

const instantOf = (text: string | undefined): Date | null => (text === undefined ? null : new Date(text))

async function refuseTaken(tx: Tx, workflowId: string, name: string): Promise<void> {
  const there = await scheduleNamed(tx, workflowId, name)
  if (there) throw new Fault('name_taken', { details: { name, id: there.id } })
}

const refused = (issues: Issue[]): Fault => new Fault('input_invalid', { issues })
const over = (): Fault => refused([{ path: ['endsAt'], message: 'It has ended already: no moment is left' }])

function missing(): never {
  throw new Fault('schedule_missing')
}

import { Fault } from '@sluice/schema'
import type { Engine } from '../engine/engine.ts'
import { refusedStart } from '../engine/refused-start.ts'
import { type Database, Outage } from '../store/index.ts'
import { type DueSchedule, endSchedule, lendSchedules, nextDue, type Onward, passMoment, refuseMoment, serveMoment } from '../store/rows/schedules.ts'
import type { Log } from '../telemetry.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Duty, dutyOf } from './duty.ts'
import { momentsOf } from './moments.ts'
import { rhythmOf } from './rhythm.ts'
import { startFor, transactionOf } from './start.ts'

/**
 * Starts what is due. Any number of servers do so.
 *
 * S1. Each moment of a schedule starts at most one run: the run is stored in the transaction that moves the schedule on, which it
 *     does only if the schedule is as it was read. Whatever is killed at whatever moment, both have happened or neither.
 * S2. A schedule that is due is lent to one server for a few seconds: so others need not try what it does. Nothing else hangs on it.
 * S3. A start that is refused is told on the schedule, and tried again until its next moment comes; other schedules go on meanwhile.
 *     What is wrong with a server, as PostgreSQL being away, is held against no schedule.
 */
export interface Dispatcher {
  start(): void
  /** Looks at once: a schedule was told of here, or time has moved. */
  wake(): void
  /** Answers when everything is served that is due. */
  lookNow(): Promise<void>
  /** Answers when what is under way has ended; the rest stays for others. */
  stop(): Promise<void>
}

export interface DispatcherParts {
  database: Database
  engine: Pick<Engine, 'startTaking'>
  metrics: Pick<Metrics, 'scheduled'>
  log: Log
  now?: () => number
  /** A moment that nobody has served for so long is missed. */
  graceMs?: number
}

/** For schedules that another server was told of. */
const longestRestMs = 500
const lentMs = 10_000
const takenMs = 20
const mostAtOnce = 64
/** Each takes a connection. */
const together = 8
const firstBackoffMs = 1_000
const longestBackoffMs = 300_000
/** After which the last moment of a schedule is given up. */
const longestTrialMs = 86_400_000
export const usualGraceMs = 60_000

export function createDispatcher({ database, engine, metrics, log, now = Date.now, graceMs = usualGraceMs }: DispatcherParts): Dispatcher {
  let going: Promise<void> | null = null
  let isStopping = false
  let isWoken = false
  let looking: Promise<unknown> = Promise.resolve()
  let rouse = (): void => {}

  /** One look at a time. Gives when to look again. */
  function look(): Promise<number> {
    const looked = looking.then(lookOnce)
    looking = looked.catch(() => {})
    return looked
  }

  async function lookOnce(): Promise<number> {
    isWoken = false
    const first = await nextDue(database)
    const at = now()
    if (first === null || first.getTime() > at) return Math.min(first?.getTime() ?? Infinity, at + longestRestMs)
    const due = await lendSchedules(database, { now: new Date(at), until: new Date(at + lentMs), limit: mostAtOnce })
    // Each takes the next one when it has ended: a slow start holds up no other.
    const left = due.values()
    const serveNext = async (): Promise<void> => {
      for (const schedule of left) if (!isStopping) await guarded(schedule)
    }
    await Promise.all(Array.from({ length: together }, serveNext))
    // None, though one was due: another server is just taking it.
    return due.length > 0 ? at : at + takenMs
  }

  /** Of one schedule: others go on. */
  async function guarded(schedule: DueSchedule): Promise<void> {
    try {
      await serve(schedule)
    } catch (error) {
      log[error instanceof Outage ? 'debug' : 'error']({ err: error, schedule: schedule.id }, 'a schedule could not be served')
    }
  }

  async function serve(schedule: DueSchedule): Promise<void> {
    const { missed, tries } = schedule
    const duty = dutyOf({ next: schedule.next_at.getTime(), missed, tries }, momentsOf(rhythmOf(schedule)), now(), graceMs)
    if (duty.moment === null) return pass(schedule, duty, duty.passed, 'missed')
    const moment = new Date(duty.moment)
    const actor = { workspaceId: schedule.workspace_id, userId: schedule.said_by ?? '', principalId: 'schedule' }
    const start = { ...startFor(schedule, moment, duty.stands), transactionId: transactionOf(schedule, moment), trigger: 'schedule' }
    try {
      const isLast = schedule.times !== null && schedule.count + 1 >= schedule.times
      const onward = isLast ? { ...ended, passed: duty.passed } : onwardOf(duty, duty.passed)
      const id = await engine.startTaking(actor, start, (tx, runId) => serveMoment(tx, schedule, { runId, moment }, onward))
      if (id !== null) tell('started', duty.passed, (now() - duty.moment) / 1_000)
    } catch (error) {
      // Nothing that is wrong with the schedule.
      if (error instanceof Outage || (error instanceof Fault && error.code === 'storage_full')) throw error
      await refused(schedule, duty, error)
    }
  }

  async function refused(schedule: DueSchedule, duty: Duty, error: unknown): Promise<void> {
    const code = error instanceof Fault ? error.code : null
    if (code === 'workflow_missing') return end(schedule)
    /** Without this moment, and with it. */
    const before = duty.passed + Math.max(duty.stands - 1, 0)
    const passed = before + 1
    if (code === 'lane_busy') return pass(schedule, duty, passed, 'overlapping')
    if (code === null) log.error({ err: error, schedule: schedule.id }, 'a schedule could not start its run')
    const told = refusedStart(error)
    const moment = new Date(duty.moment!)
    const isAgain = schedule.tries > 0 && moment.getTime() === schedule.next_at.getTime()
    const retryAt = now() + Math.min(firstBackoffMs * 2 ** (isAgain ? schedule.tries : 0), longestBackoffMs)
    const isLate = duty.following === null ? retryAt - moment.getTime() > longestTrialMs : retryAt >= duty.following
    if (code === 'lane_full' || isLate) {
      if (await passMoment(database, schedule, onwardOf(duty, passed), told)) tell('refused', duty.passed)
    } else if (await refuseMoment(database, schedule, { moment, retryAt: new Date(retryAt), passed: before, error: told })) tell('retried', duty.passed)
  }

  async function pass(schedule: DueSchedule, duty: Duty, passed: number, why: 'missed' | 'overlapping'): Promise<void> {
    if (!(await passMoment(database, schedule, onwardOf(duty, passed), null))) return
    if (why === 'overlapping') metrics.scheduled('overlapping')
    tell(null, duty.passed)
  }

  async function end(schedule: DueSchedule): Promise<void> {
    if (await endSchedule(database, schedule))
      log.warn({ schedule: schedule.id, name: schedule.name, workflow: schedule.workflow_id }, 'a schedule has ended: its workflow was deleted')
  }

  function tell(outcome: 'started' | 'refused' | 'retried' | null, missed: number, lateSeconds?: number): void {
    for (let count = 0; count < missed; count++) metrics.scheduled('missed')
    if (outcome !== null) metrics.scheduled(outcome, lateSeconds)
  }

  /** What has been due for long goes behind the others. */
  const onwardOf = ({ following }: Duty, passed: number): Onward =>
    following === null ? { ...ended, passed } : { next: new Date(following), due: new Date(Math.max(following, now())), passed }

  async function go(): Promise<void> {
    while (!isStopping) {
      const next = await look().catch((error: unknown) => {
        if (!(error instanceof Outage)) log.error({ err: error }, 'a look at the schedules failed')
        return now() + longestRestMs
      })
      for (let left = next - now(); left > 0 && !isWoken && !isStopping; left = next - now()) await rest(Math.min(left, longestRestMs))
    }
  }

  function rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      rouse = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  return {
    start: () => void (going ??= go()),
    wake() {
      isWoken = true
      rouse()
    },
    async lookNow() {
      while ((await look()) <= now() && !isStopping);
    },
    async stop() {
      isStopping = true
      rouse()
      await going
    },
  }
}

const ended = { next: null, due: null }

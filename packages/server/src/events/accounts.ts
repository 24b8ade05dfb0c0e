import type { RunEvent } from '@sluice/schema'
import type { Database } from '../store/database.ts'
import { runEventsAfter } from '../store/rows/feeds.ts'
import { pinnedRun } from '../store/views/pinned-run.ts'
import { type Account, beginAccount, toldOf } from './account.ts'
import type { Batch, FeedItem } from './feed.ts'
import { eventFrom } from './logs.ts'

/** How a run stood before something was told of it, and after. */
export interface Passage {
  before: Account
  after: Account
}

/**
 * The accounts of runs that are followed, each made once for all who are told the same.
 *
 * C1. What is not known is read from the run's own log, from its first event on: an account never depends on who asked before.
 * C2. Bounded are the accounts that are kept, by the steps in them; those of runs that have ended are not kept.
 */
export interface Accounts {
  /** Of each item of a batch; null where there is none: of what is no run's, of trials, and of runs that are there no more. */
  of(batch: Batch): Promise<readonly (Passage | null)[]>
}

const read = { rows: 500, bytes: 1024 * 1024 }
/** Steps, in all accounts that are kept. */
const mostKept = 100_000
/** Of one run: readers may be at several places of its log. */
const mostOfRun = 4

export function createAccounts(database: Database): Accounts {
  const told = new WeakMap<Batch, Promise<readonly (Passage | null)[]>>()
  /** By run, the one that was used last standing last. */
  const kept = new Map<string, Account[]>()
  let weight = 0

  function drop(run: string): void {
    for (const account of kept.get(run) ?? []) weight -= weightOf(account)
    kept.delete(run)
  }

  function keep(account: Account): void {
    const { id } = account.run
    const others = (kept.get(id) ?? []).filter(({ seq }) => seq !== account.seq)
    drop(id)
    if (account.endedAt !== null) return
    const all = [account, ...others].slice(0, mostOfRun)
    kept.set(id, all)
    for (const each of all) weight += weightOf(each)
    for (const [oldest] of kept) {
      if (weight <= mostKept) break
      drop(oldest)
    }
  }

  /** After this event of a run, going on from an account where there is one. */
  async function at(run: string, seq: number, from?: Account): Promise<Account | null> {
    let account = nearest([...(from ? [from] : []), ...(kept.get(run) ?? [])], seq) ?? (await begun(run))
    while (account && account.seq < seq) {
      const rows = await runEventsAfter(database, run, account.seq, read)
      const events = rows.filter((row) => row.seq <= seq).map((row) => eventFrom(row) as RunEvent)
      // It is there no more.
      if (events.length === 0) return null
      account = events.reduce(toldOf, account)
    }
    return account
  }

  async function begun(run: string): Promise<Account | null> {
    const found = await pinnedRun(database, run)
    return found ? beginAccount(found.run, found.pinned) : null
  }

  async function passages(batch: Batch): Promise<readonly (Passage | null)[]> {
    const now = new Map<string, Account | null>()
    const all: (Passage | null)[] = []
    for (const item of batch) all.push(await passage(item, now))
    for (const account of now.values()) if (account) keep(account)
    return all
  }

  async function passage(item: FeedItem, now: Map<string, Account | null>): Promise<Passage | null> {
    if (item.type === 'snapshot') {
      const shown = item.run && (await at(item.run.id, Number(item.cursor)))
      return shown ? { before: shown, after: shown } : null
    }
    if (!isOfRun(item)) return null
    const { id } = item.subject
    const known = now.get(id)
    const before = known?.seq === item.seq - 1 ? known : known === null ? null : await at(id, item.seq - 1, known)
    const after = before && toldOf(before, item)
    now.set(id, after)
    return before && after && { before, after }
  }

  return {
    of(batch) {
      const known = told.get(batch)
      if (known) return known
      const made = passages(batch)
      told.set(batch, made)
      // An outage is over some time: who asks then is answered.
      made.catch(() => told.delete(batch))
      return made
    },
  }
}

const isOfRun = (item: FeedItem): item is RunEvent => 'subject' in item && item.subject.kind === 'run'

const nearest = (accounts: readonly Account[], seq: number): Account | null =>
  accounts.reduce<Account | null>((best, each) => (each.seq <= seq && each.seq >= (best?.seq ?? 0) ? each : best), null)

/** Its steps, and some for itself. */
const weightOf = ({ steps }: Account): number => steps.size + 10

import { type Collection, Fault, type LoginRecord, type Record, type RecordLogin, type RenewRecord } from '@sluice/schema'
import type { Access, Principal } from '../access/authenticate.ts'
import type { Collections } from '../collections/collections.ts'
import { isSuperuser } from './permissions.ts'

/** Logins as a record of a collection whose records log in: those of `users` are all members, those of `_superusers` admins and owners. */
export interface RecordLogins {
  /** Throws `login_failed` alike for whoever is not there, has another password, or is no record of the collection. */
  login(input: LoginRecord): Promise<RecordLogin>
  /** Another token for one that still holds. Throws `superusers_only` of a collection that the principal is no record of. */
  renew(principal: Principal, input: RenewRecord): Promise<RecordLogin>
}

export interface RecordLoginParts {
  access: Pick<Access, 'login' | 'renew' | 'authenticate'>
  collections: Collections
  get(principal: Principal, input: { collection: string; id: string; expand?: string | undefined }): Promise<Record>
}

export function createRecordLogins({ access, collections, get }: RecordLoginParts): RecordLogins {
  const recordOf = (principal: Principal, { name }: Collection, expand: string | undefined) => get(principal, { collection: name, id: principal.userId, expand })

  function thatLogsIn(ref: string): Collection {
    const collection = collections.get(ref)
    if (collection.type !== 'auth') throw new Fault('collection_missing', { message: 'Records of this collection do not log in' })
    return collection
  }

  return {
    async login({ collection: ref, email, password, expand }) {
      const collection = thatLogsIn(ref)
      const { token } = await access.login({ email, password, ...(isOfSuperusers(collection) && { least: 'admin' }) })
      const principal = await access.authenticate({ kind: 'bearer', value: token })
      return { token, record: await recordOf(principal!, collection, expand) }
    },
    async renew(principal, { collection: ref, expand }) {
      const collection = thatLogsIn(ref)
      if (isOfSuperusers(collection) && !isSuperuser(principal)) throw new Fault('superusers_only')
      const { token } = await access.renew(principal)
      return { token, record: await recordOf(principal, collection, expand) }
    },
  }
}

const isOfSuperusers = ({ name }: Collection): boolean => name === '_superusers'

import { Fault, type Issue, type JsonObject } from '@sluice/schema'
import type { Access } from '../access/authenticate.ts'
import type { Asking, Writer } from './writer.ts'

/**
 * Users as records: the members of a workspace. They change their own name, email and password, owners those of the first two of who
 * belongs to no other workspace, and admins take in new ones, as operators. Whether an email is shown or verified, and a picture, is
 * nothing that is kept: what is sent of them is passed over.
 */
export const userWriter = (access: UserParts): Writer => ({
  // A login is not undone with a transaction, and passwords are hashed outside of one.
  apart: true,
  as: (collection) => ({ ...collection, fields: collection.fields.filter(({ name }) => written.has(name)) }),
  async hold() {},
  create: (_within, { principal, asker }, _collection, values) =>
    asRecord(async () => {
      const { id, email, name, password } = values
      const issues = [...unconfirmed(values, asker.request?.body), ...(id === undefined ? [] : [idIssue])]
      if (issues.length > 0) throw invalid(issues)
      const { userId } = await access.members.invite(principal, { email: textOf(email), role: 'operator', name: textOf(name), password: textOf(password) })
      return userId
    }),
  update: (_within, asking, _collection, id, values) =>
    asRecord(async () => {
      const { principal } = asking
      const { email, name, password } = values
      if (password !== undefined) checkChange(asking, id, values)
      if (email !== undefined || name !== undefined)
        await access.users.update(principal, { id, ...(email !== undefined && { email: textOf(email) }), ...(name !== undefined && { name: textOf(name) }) })
      // Last: every token dies of it, this one too.
      if (password !== undefined) await access.changePassword(principal, { current: textOf(asking.asker.request?.body['oldPassword']), next: textOf(password) })
    }),
  delete: (_within, { principal }, _collection, id) => asRecord(() => access.users.delete(principal, { id })),
})

export type UserParts = Pick<Access, 'changePassword'> & { users: Pick<Access['users'], 'update' | 'delete'>; members: Pick<Access['members'], 'invite'> }

const written: ReadonlySet<string> = new Set(['id', 'password', 'email', 'name'])

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

const invalid = (issues: Issue[]): Fault => new Fault('record_invalid', { issues })
const required = (field: string): Issue => ({ path: [field], code: 'required', message: 'Cannot be blank.' })
const idIssue: Issue = { path: ['id'], code: 'invalid_id', message: 'Users are given their ids.' }

function unconfirmed({ password }: JsonObject, body: JsonObject = {}): Issue[] {
  const { passwordConfirm } = body
  if (passwordConfirm === undefined || passwordConfirm === '' || passwordConfirm === null) return [required('passwordConfirm')]
  return passwordConfirm === password ? [] : [{ path: ['passwordConfirm'], code: 'values_mismatch', message: "Values don't match." }]
}

function checkChange({ principal, asker }: Asking, id: string, values: JsonObject): void {
  if (id !== principal.userId) throw new Fault('permission_denied', { message: 'A password is changed by its user alone' })
  const body = asker.request?.body
  const issues = [...unconfirmed(values, body), ...(textOf(body?.['oldPassword']) === '' ? [required('oldPassword')] : [])]
  if (issues.length > 0) throw invalid(issues)
}

// ── what access refuses, in the words of records ───────────────────────────────────────────────────────────────────────

async function asRecord<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof Fault ? recordFault(error) : error
  }
}

const taken: Issue = { path: ['email'], code: 'not_unique', message: 'Value must be unique.' }

function recordFault(fault: Fault): Fault {
  const { code, issues } = fault
  if (code === 'name_taken' || code === 'member_exists') return invalid([taken])
  if (code === 'user_missing') return new Fault('record_missing')
  if (code === 'user_in_use' || code === 'last_owner') return new Fault('record_in_use', { message: fault.message, cause: fault })
  if (code === 'input_invalid') return invalid(issues.map(fieldIssue))
  return fault
}

function fieldIssue({ path: [field = ''] = [], message }: Issue): Issue {
  if (field === 'current') return { path: ['oldPassword'], code: 'invalid_old_password', message: 'Missing or invalid old password.' }
  if (field === 'email') return { path: ['email'], code: 'invalid_email', message: 'Must be a valid email address.' }
  if (field === 'next' || field === 'password') return { path: ['password'], code: 'length_out_of_range', message, params: { min: 8, max: 1_024 } }
  return { path: [String(field)], code: 'invalid_value', message }
}

import {
  BatchRecords,
  CreateRecord,
  GetRecord,
  ListRecords,
  LoginRecord,
  OneRecord,
  Record,
  RecordLogin,
  RecordPage,
  RecordsWritten,
  RenewRecord,
  UpdateRecord,
} from '@sluice/schema'
import { z } from 'zod'
import { attempted, can, open, router, signedIn, type Rest } from './trpc.ts'

const tags = ['records']
const all = '/v1/collections/{collection}/records'
const one = `${all}/{id}`
const at = (method: Rest['method'], path: string, summary: string, rest: Partial<Rest> = {}): Rest => ({ method, path, summary, tags, ...rest })

const held = 'Beside the permission of the collection its rules hold, for all but admins and owners.'

export const records = router({
  list: can('records.read', at('GET', all, 'List the records of a collection that you may see', { description: held }), ListRecords)
    .output(RecordPage)
    .query(({ ctx, input }) => ctx.parts.records.list(ctx.principal, input)),

  get: can('records.read', at('GET', one, 'Get a record', { description: held }), GetRecord)
    .output(Record)
    .query(({ ctx, input }) => ctx.parts.records.get(ctx.principal, input)),

  create: can(
    'records.write',
    at('POST', all, 'Create a record', {
      description: `${held} Values are read by the type of their field; all that is wrong with them is told at once, each issue with its \`path\`, its \`code\` and its \`params\`.`,
      status: 201,
    }),
    CreateRecord,
  )
    .output(Record)
    .mutation(({ ctx, input }) => ctx.parts.records.create(ctx.principal, input)),

  update: can(
    'records.write',
    at('PATCH', one, 'Change a record', {
      description: `${held} What is absent stays. \`count+\` adds to a number, \`tags+\`, \`+tags\` and \`tags-\` put behind, before, and take out of several.`,
    }),
    UpdateRecord,
  )
    // A password is guessed here no more often than where it is changed.
    .use(({ ctx, input, next }) => (Object.hasOwn(input.values, 'oldPassword') ? attempted(ctx, `password of ${ctx.principal.userId}`, next) : next()))
    .output(Record)
    .mutation(({ ctx, input }) => ctx.parts.records.update(ctx.principal, input)),

  delete: can(
    'records.write',
    at('DELETE', one, 'Delete a record', {
      description: `${held} What refers to it by a field with \`cascadeDelete\` goes with it, an optional relation is emptied, and a required one keeps it: then it is \`record_in_use\`.`,
      status: 204,
    }),
    OneRecord,
  )
    .output(z.void())
    .mutation(({ ctx, input }) => ctx.parts.records.delete(ctx.principal, input)),

  login: open([], LoginRecord)
    .use(({ ctx, input, next }) => attempted(ctx, input.email.trim().toLowerCase(), next))
    .output(RecordLogin)
    .mutation(({ ctx, input }) => ctx.parts.records.login(input)),

  renew: signedIn([], RenewRecord)
    .output(RecordLogin)
    .mutation(({ ctx, input }) => ctx.parts.records.renew(ctx.principal, input)),

  batch: can(
    'records.write',
    at('POST', '/v1/records/batch', 'Write several records, all or none', {
      description:
        'In their order and in one transaction: each sees what those before it wrote, and counts as a call. Of one that is refused `details` have the `index` and the `problem`. Users are written one by one.',
    }),
    BatchRecords,
  )
    .output(RecordsWritten)
    .use(async ({ ctx, input, next }) => {
      // Each counts as if it had come alone.
      if (input.requests.length > 1) await ctx.count?.(input.requests.length - 1)
      return next()
    })
    .mutation(({ ctx, input, signal }) => ctx.parts.records.batch(ctx.principal, input, signal)),
})

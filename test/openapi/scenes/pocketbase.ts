import type { Json } from '@sluice/schema'
import { framesOf, type Scene, type World } from '../executing.ts'
import { absent, elsewhere, elsewhereHeld, full, general, outages } from './refusals.ts'

const record = 'd8q2k4x0w7m1z9a'
const other = 'a1s2d3f4g5h6j7k'

const connectedAs = ({ real }: World, told: Json): void => void real.set('oXq2ZzB7vYk1WcTn5RfLs8Ud0MjHa3EpGi6KtNye', (told as { clientId: string }).clientId)

async function made(world: World): Promise<void> {
  world.real.set(record, (await world.say('recordsCreate')).id)
}

export const pocketbase: Scene = {
  dialect: 'pocketbase',
  async begin(world) {
    const { record: user } = await world.say('authWithPassword')
    world.real.set('b3n5v7c9x1k2j4h', user.id)
  },
  steps: [
    { operation: 'recordsCreate' },
    { operation: 'recordsList' },
    { operation: 'recordsView', ready: made },
    { operation: 'recordsUpdate' },
    { operation: 'recordsDelete' },
    { operation: 'authWithPassword' },
    { operation: 'authRefresh' },
    { operation: 'authMethods' },
    { operation: 'collectionsList' },
    { operation: 'collectionsView' },
    {
      operation: 'batch',
      async ready(world) {
        await made(world)
        world.real.set(other, world.real.get(record)!)
      },
    },
    { operation: 'health' },
    {
      operation: 'realtimeConnect',
      async stream(world, open) {
        const told: [string, Json][] = []
        for await (const [event, data] of framesOf(await open())) {
          told.push([event, data])
          if (event !== 'PB_CONNECT') break
          connectedAs(world, data)
          await world.say('realtimeSubscribe')
          await made(world)
          await world.say('recordsUpdate')
        }
        return told
      },
    },
    {
      operation: 'realtimeSubscribe',
      // Each connection stays until the server goes.
      async ready(world) {
        const { value } = await framesOf(await fetch(`${world.server.url}/api/realtime`)).next()
        connectedAs(world, value![1])
      },
    },
  ],
  refusals: {
    ...general,
    input_invalid: ({ query }) => ({ query: { ...query, '\u0000': 'x' } }),
    filter_invalid: ({ query }) => ({ query: { ...query, filter: 'title = =' } }),
    collection_missing: elsewhere('collection'),
    connection_missing: ({ body }) => ({ content: 'application/json', body: { ...(body as object), clientId: absent } }),
    record_missing: elsewhere('id'),
    record_invalid: ({ body }) => ({ content: 'application/json', body: { ...(body as object), status: 'another' } }),
    login_failed: ({ body }) => ({ content: 'application/json', body: { ...(body as object), password: 'another' } }),
    batch_failed: () => ({ content: 'application/json', body: { requests: [{ method: 'DELETE', url: `/api/collections/workflow_sessions/records/${absent}` }] } }),
  },
  apart: [
    { operations: ['batch'], at: 'data.requests', because: 'says which of the requests was refused' },
    { operations: ['collectionsList', 'collectionsView'], at: 'fields[]', because: 'of the fields one is shown; those of other types have other settings' },
    { operations: ['collectionsList'], at: 'items[].fields[]', because: 'of the fields one is shown; those of other types have other settings' },
    { operations: ['collectionsList'], at: 'items[].passwordAuth', because: 'of the collections one is shown; that of the users says how they log in' },
    ...['type', 'listRule', 'viewRule', 'createRule', 'updateRule', 'deleteRule'].map((key) => ({
      operations: ['collectionsList'],
      at: `items[].${key}`,
      because: 'of the collections one is shown, which is written by its owner',
    })),
    { operations: ['realtimeConnect'], at: 'record.context', because: 'is free JSON' },
    { operations: ['recordsCreate', 'recordsUpdate'], at: 'data', because: 'says which fields do not fit' },
  ],
  unreached: [
    ...outages,
    full,
    { code: 'credential_invalid', operations: ['authWithPassword'], because: 'who logs in is not asked for what they had before' },
    { code: 'body_too_large', operations: ['batch'], because: 'its bodies may have four times the size, which test/dialects/pocketbase holds' },
    { code: 'connection_mismatch', because: 'who has connected has shown no credential' },
    ...elsewhereHeld('test/dialects/pocketbase', 'superusers_only', 'collection_read_only', 'record_in_use'),
  ],
}

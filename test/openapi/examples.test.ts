import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Json, JsonObject } from '@sluice/schema'
import { expect, test } from 'vitest'
import { hookPath } from '../../packages/server/src/http/hooks.ts'
import { describeNative } from '../../packages/server/src/openapi/native.ts'
import { contractOf, requestOf, type Contract, type Operation } from '../../packages/server/test/openapi/contract.ts'
import { testServer } from '../support/server.ts'
import { Recording } from './recording.ts'
import { send } from './sending.ts'
import { story, type Told } from './story.ts'

const recorded = fileURLToPath(new URL('../../packages/server/src/openapi/examples.json', import.meta.url))

/** Calls an operation as the document says, and holds the answer against it. */
async function call(contract: Contract, operation: Operation, url: string, token: string, input: JsonObject): Promise<Json | undefined> {
  const { body } = requestOf(operation, input)
  const { 'application/json': json, 'multipart/form-data': form } = operation.requestBody?.content ?? {}
  const sent = json ?? form
  if (sent && body) expect(contract.check(body, sent.schema), `what ${operation.id} takes`).toBeNull()
  const response = await send(operation, input, { url, token: operation.security?.length === 0 ? '' : token })
  const text = await response.text()
  const said = operation.responses[response.status]
  expect(response.ok && said, `${operation.id}: ${response.status} ${text}`).toBeTruthy()
  expect(response.headers.get('x-request-id')).toBeTruthy()
  if (said!.content?.['*/*']) return undefined
  const content = said!.content?.['application/json']
  if (!content) {
    expect(text, `${operation.id} says nothing`).toBe('')
    return undefined
  }
  const reply = JSON.parse(text) as Json
  expect(contract.check(reply, content.schema), `what ${operation.id} answers`).toBeNull()
  return reply
}

/**
 * The examples of the document are a recording of this story. After a change of what is answered:
 * `vitest run test/openapi/examples.test.ts -u`, then `sluice-server openapi`.
 */
test('every operation is called in one story; what comes is as the document says, and as its examples show', { timeout: 60_000 }, async () => {
  await using server = await testServer()
  const contract = contractOf(describeNative())
  const told: Told = {}
  let token = ''
  const recording = new Recording()
  const kept = JSON.parse(readFileSync(recorded, 'utf8')) as Record<string, JsonObject | undefined>
  const examples: Record<string, JsonObject> = {}
  for (const { id, input: inputOf, show, races } of story) {
    const operation = contract.operations.get(id)
    expect(operation, `${id} is described`).toBeDefined()
    const input = inputOf(told) as JsonObject
    const reply = await call(contract, operation!, server.url, token, input)
    told[id] = reply
    if (isTokenPair(reply)) token = reply.token
    if (examples[id]) continue
    const example = { input: recording.plain(input), ...(reply !== undefined && { reply: recording.plain(reply, show) }) }
    examples[id] = (races && kept[id]) || example
    if (id === 'runs.events') examples[id]['event'] = recording.plain(await firstEvent(contract, server, input['id'] as string))
  }

  await expect(`${JSON.stringify(examples, null, 2)}\n`).toMatchFileSnapshot(recorded)

  // What others send is told of by test/webhooks.test.ts: they have no credential, and an address that no story knows beforehand.
  const replying = [...contract.operations.values()]
    .filter(({ path }) => path !== hookPath)
    .filter(({ responses }) => Object.entries(responses).some(([status, { content }]) => status.startsWith('2') && (!content || content['application/json'] || content['*/*'])))
  expect(Object.keys(examples).sort(), 'each operation has its place in the story').toEqual(replying.map(({ id }) => id).sort())
})

const isTokenPair = (reply: Json | undefined): reply is { token: string; refreshToken: string } => typeof reply === 'object' && reply !== null && 'refreshToken' in reply

async function firstEvent(contract: Contract, server: { stream(path: string): AsyncGenerator<{ item: unknown }> }, runId: string): Promise<Json> {
  const { schema } = contract.operations.get('runs.events')!.responses['200']!.content!['text/event-stream']!
  let first: Json = null
  for await (const { item } of server.stream(`/v1/runs/${runId}/events?after=0`)) {
    expect(contract.check(item, schema), `an event: ${JSON.stringify(item)}`).toBeNull()
    first ??= item as Json
  }
  return first
}

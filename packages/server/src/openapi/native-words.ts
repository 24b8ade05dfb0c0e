import { type FaultKind, faultKinds, whereLimits } from '@sluice/schema'
import { allCodes, kindOf, kinds } from './problems.ts'

export const tags = [
  { name: 'workflows', description: 'Graphs of steps: a draft that is edited, and the versions that runs are pinned to' },
  { name: 'node types', description: 'What steps can be' },
  { name: 'runs', description: 'Executions of a version, which survive crashes' },
  { name: 'steps', description: 'What happens outside and is reported' },
  { name: 'pauses', description: 'Decisions that people are asked for' },
  { name: 'signals', description: 'Words from outside that steps wait for' },
  { name: 'webhooks', description: 'Addresses that take what others send: each delivery starts a run, and goes to the producers that wait for it' },
  { name: 'schedules', description: 'They start runs by the clock: by a cron in a time zone, or every so often, each moment once' },
  { name: 'sessions', description: 'Conversations and guided processes: a message starts a run, and what the run says is told' },
  { name: 'records', description: 'Sessions, workflows, runs, pauses, messages, users, and what the operator declares: in one language of filters' },
  { name: 'events', description: 'Everything that happens, live' },
  { name: 'files', description: 'What was uploaded, and what uses it' },
  { name: 'auth', description: 'Tokens' },
  { name: 'keys', description: 'API keys' },
  { name: 'queues', description: 'Durable lists of JSON values: first in, first out, and each is taken once' },
  { name: 'secrets', description: 'Credentials that nodes use, never shown again' },
  { name: 'model', description: 'The language model that the workspace asks' },
  { name: 'users', description: 'Who can log in' },
  { name: 'members', description: 'Who belongs to the workspace, and what they may do there' },
  { name: 'audit', description: 'Who did what in the workspace' },
  { name: 'workspaces', description: 'What everything belongs to; no one sees into another' },
]

export const parameters = {
  id: 'Its id',
  userId: 'The id of a user',
  runId: 'The id of a run',
  sessionId: 'The id of a session',
  workflow: 'The id or the handle of a workflow',
  nodeId: 'The id of a node',
  collection: 'The name or the id of a collection',
  webhook: 'The id or the name of a webhook',
  queue: 'The name of a queue',
  cron: 'Five fields, from minute to day of the week; or six, with the second before them',
  everyMs: 'Milliseconds from one moment to the next, in place of a cron',
  timeZone: 'What the cron is read in, as `Europe/Berlin`; UTC unless set',
  type: 'The name of a node type',
  name: 'Its name',
  contentType: 'Its media type',
  version: 'The number of a version',
  transactionId: "The caller's own id of a run",
  status: 'Only those in this state',
  tag: 'Only those with this tag',
  messageId: 'The id of a message',
  fileId: 'The id of a file',
  user: 'The id of a user',
  kind: 'Only those of this kind',
  assignee: 'Only those meant for this person',
  cursor: 'The `nextCursor` of the page before',
  limit: 'The most items of a page',
  until: '`accepted`: at once; `parked`: until the run cannot go on by itself; `paused`: until only a person can make it go on; `finished`: until it has ended',
  ms: 'The most milliseconds to wait',
  since: 'Only what came at this time or later',
  'Idempotency-Key': 'The same key makes the same request answer as it did the first time',
}

export const streaming = [
  'The stream is of Server-Sent Events. Each has the `cursor` of its data as `id`, but for a `token`, which has none, and its `type` as `event`; its `data` is one StreamEvent.',
  'Without a cursor a stream begins with a `snapshot`; with one (`after`, or `Last-Event-ID` when it connects again) it goes on from there and misses nothing.',
  'The events of a run end with the run. An event `error` has an ErrorBody as its data and is the last one. Types that are not known here may come: pass them by.',
  'Upgraded to a WebSocket, the same address tells the same: a message is the `data` of one such event, and its `cursor` goes back as `after`. Nothing is to be sent. It closes with 1000 when the stream has ended; 1011 (after a message that is an ErrorBody), 1012 and 1013 (read too slowly) ask to connect again after the last cursor; 4401 says that the credential has ended, 1008 that too much was sent.',
].join('\n')

const codesOf = (kind: FaultKind): string => {
  const codes = allCodes.filter((code) => kindOf(code) === kind).map((code) => `\`${code}\``)
  return `| ${faultKinds[kind]} | \`${kind}\` | ${codes.join(', ')} |`
}

export const about = `
Durable workflows: graphs of steps that survive crashes, pause for people, and tell everything they do as live events.

**Who asks.** Send the token of a login or an API key as \`Authorization: Bearer …\`, or a key as \`x-api-key\`. Pages that cannot send headers
open a stream with a one-use \`ticket\`.

**Ids and times.** An id has 15 characters and is opaque. A time is ISO 8601 in UTC with milliseconds. A \`workflow\` is named by its id or its handle.

**Lists** answer \`{items, nextCursor, total?}\`; send \`nextCursor\` as \`cursor\` until it is null, with the same \`order\`. What to list is said by \`where\`, as JSON:
\`{"status": {"in": ["failed", "held"]}, "or": [{"tags": {"has": "vip"}}, {"lane": null}]}\`. All that an object says holds; a value alone is \`{"eq": value}\`.
A comparison is true or false: \`null\` is equal to null alone, and what is not equal to a value may be null. Texts are compared by code point; \`ilike\` and \`contains\`
take A–Z for a–z. Of a field that is JSON a path says what is meant, \`{"context.topic": "billing"}\`: at most ${whereLimits.termsInJson} such, and ${whereLimits.orderInJson} in an \`order\`. Null comes last in an \`order\`, first where it is downwards; what is equal in it is in the order of ids.

**Again, once.** \`Idempotency-Key\` makes what is sent again answer as the first one did: a start, a decision, a signal, a new workflow. The same key with
another request is a 409.

**Requests** are named: every reply has an \`X-Request-Id\`, which is yours when you sent a fit one (8 to 100 characters of A-Z a-z 0-9 . _ : -).

**Errors** have one form. The kind decides the status, the code never changes.

| status | kind | codes |
|---|---|---|
${kinds.map(codesOf).join('\n')}
`.trim()

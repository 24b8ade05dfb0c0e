import { type DialectRow, route } from '../../dialect.ts'
import { CompletionHeaders, CreateChatCompletionRequest, CreateChatCompletionResponse, CreateChatCompletionStreamResponse, ErrorResponse } from '../contract.ts'
import { modelMissing } from '../errors.ts'
import * as examples from '../examples.ts'
import { askedOf } from '../mapping/asked.ts'
import { chunksOf, completionOf, sessionHeader } from '../mapping/told.ts'

export const chatRows: readonly DialectRow[] = [
  route('sessions.ask', {
    name: 'createChatCompletion',
    method: 'POST',
    path: '/v1/chat/completions',
    summary: 'Create a chat completion',
    description: [
      'The last message is said in a conversation, and its answer is the completion. `model` names who answers: a mode (`Actionplan`, `React`), or the handle or the id of a chatbot of the workspace.',
      'Without a session a new one begins, and the messages before the last are its history. The reply names it in the header `x-sluice-session`: sent back, or as `session` in the `metadata`, the conversation goes on there, and what came up to the last answer is not read again.',
      '`tools` are functions of the client. Calls of them wait, on whichever server, until a request brings what they gave as messages of the role `tool`.',
    ].join('\n\n'),
    tags: ['Chat'],
    headers: CompletionHeaders,
    body: CreateChatCompletionRequest,
    reply: CreateChatCompletionResponse,
    faults: ['workflow_missing', 'session_missing', 'run_missing', 'definition_invalid', 'calls_pending', 'call_not_waiting', 'idempotency_conflict', 'lane_full'],
    others: { 422: { description: 'There is no answer: the round failed, was stopped, or still goes on after five minutes', schema: ErrorResponse } },
    example: { body: examples.request, reply: examples.completion },
    ask: ({ body, headers }) => askedOf(body, headers),
    answer: (reply, setting, { body }) => completionOf(reply, setting, body),
    heads: ({ session }) => ({ [sessionHeader]: session.id }),
    tells: {
      when: ({ body }) => body.stream ?? false,
      telling: (begun, setting, { body }) => chunksOf(begun, setting, body),
      asked:
        'With `stream` the answer is told while it is made, as server-sent events, the last of which says `[DONE]`. Comments keep the stream open while nothing happens; what goes wrong once it has begun comes as an event with an `error`. Who leaves does not stop what goes on: its answer is in the session.',
      schema: CreateChatCompletionStreamResponse,
      examples: examples.chunks,
    },
    onFault: ({ code }, _setting, { body }) => (code === 'workflow_missing' ? modelMissing(body.model) : undefined),
  }),
]

import type { Dialect } from '../dialect.ts'

/** What OpenAI's API says and this does not, and what it leaves out, each with the reason. */
export const losses: Dialect['losses'] = [
  {
    what: '`temperature`, `top_p`, `max_tokens`, `max_completion_tokens`, `seed`, `stop`, `response_format`, `parallel_tool_calls`, `strict`, `logprobs`',
    why: 'they are taken and not followed: the steps of the workflow say how its models are asked',
  },
  { what: '`tool_choice` other than `auto` and `none`', why: 'the workflow decides whether a function is called; `required` and a named function are taken as `auto`' },
  { what: '`n` above 1', why: 'a conversation has one answer: 400' },
  { what: 'Images, audio and files in messages', why: 'a message is a text: 400. Files are uploaded, and sent with a message, by the native API and the playground' },
  { what: 'That who leaves a stream stops what it tells', why: 'the round is durable, and its answer is in the session: stop the session' },
  {
    what: 'What tools gave, among the messages of a conversation that begins anew',
    why: 'the history of a session is what was said; their results stand in the answers made of them. With the header of the session nothing is lost',
  },
  {
    what: 'Instructions in a conversation that goes on',
    why: 'a session keeps those that it began with: messages of the roles `system` and `developer` after the last answer are not read',
  },
  { what: 'More than 200 messages before the last', why: 'a session begins with the newest 200, instructions among them' },
  {
    what: 'A token that was told and is not in the message in the end',
    why: 'what was told cannot be taken back: where a step fails while it speaks and says something else the next time, the whole answer follows after a blank line',
  },
  { what: 'Stored completions, `service_tier`, `system_fingerprint`', why: 'what was said is kept in its session' },
]

import type { Dialect } from '../dialect.ts'
import { words } from './contract.ts'
import { errors } from './errors.ts'
import { losses } from './losses.ts'
import { sessionHeader } from './mapping/told.ts'
import { meanings } from './meanings.ts'
import { chatRows } from './routes/chat.ts'
import { modelRows } from './routes/models.ts'

/** What OpenAI's own libraries say of themselves. */
const stainless = ['lang', 'package-version', 'os', 'arch', 'runtime', 'runtime-version', 'retry-count', 'timeout', 'async', 'helper-method', 'poll-helper']

/** The chat completions of OpenAI's API, so that its clients can talk to workflows. */
export const openai: Dialect = {
  name: 'openai',
  title: 'OpenAI chat completions',
  description: [
    "The chat completions of OpenAI's API, served by Sluice: who answers is a workflow. Any client of that API can talk to it, with the address of this server followed by `/v1` as its base, and an API key of this server.",
    'A conversation is a session, and each completion comes of a round of its workflow: a durable run, with its steps, logs and figures.',
  ].join('\n\n'),
  prefixes: ['/v1/chat/completions', '/v1/models'],
  mounts: [''],
  credentials: {
    bearer: { type: 'http', scheme: 'bearer', description: 'An API key, or the token of a login' },
  },
  clientHeaders: [sessionHeader, 'idempotency-key', 'openai-organization', 'openai-project', ...stainless.map((name) => `x-stainless-${name}`)],
  tags: [
    { name: 'Chat', description: 'Say something, and be answered' },
    { name: 'Models', description: 'Who answers' },
  ],
  rows: [...chatRows, ...modelRows],
  errors,
  words,
  meanings,
  losses,
}

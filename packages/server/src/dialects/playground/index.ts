import type { Dialect } from '../dialect.ts'
import { words } from './contract.ts'
import { errors } from './errors.ts'
import { losses } from './losses.ts'
import { meanings } from './meanings.ts'
import { chatRows } from './routes/chat.ts'
import { workflowRows } from './routes/workflows.ts'
import { streams } from './stream.ts'

/** The API of the chat playground: conversations that plan, act and ask. */
export const playground: Dialect = {
  name: 'playground',
  title: 'Chat playground',
  description: [
    'The API of the chat playground and of its workflows, served by Sluice. A workflow is a conversation here: whatever session there is, however it was made, is one.',
    'Times are Unix seconds with microseconds behind the point. Ids have a prefix that says of what they are, and are taken without it too. An error is `{"detail": "…"}`. All twelve operations together may be asked 120 times a minute by one caller, unless the server is told otherwise; replies say in `X-RateLimit-*` how many of these are left.',
  ].join('\n\n'),
  prefixes: ['/api/chat/playground', '/api/workflows'],
  mounts: [''],
  credentials: {
    bearer: { type: 'http', scheme: 'bearer', description: 'The token of a login, or an API key' },
  },
  tags: [
    { name: 'chat playground', description: 'Start workflows, stop them, and see what comes of them' },
    { name: 'workflows', description: 'The workflows that there are, and what they hold' },
  ],
  rows: [...chatRows, ...workflowRows],
  streams,
  errors,
  words,
  meanings,
  losses,
}

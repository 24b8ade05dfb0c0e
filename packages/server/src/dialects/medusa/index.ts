import type { Dialect } from '../dialect.ts'
import { authMeanings, authWords } from './contract-auth.ts'
import { words } from './contract.ts'
import { credentials } from './credentials.ts'
import { errors } from './errors.ts'
import { meanings } from './meanings.ts'
import { WorkflowEvent } from './messages.ts'
import { authRows } from './routes/auth.ts'
import { executionRows } from './routes/executions.ts'
import { streams } from './stream.ts'

/** The API of Medusa for workflow executions: what runs, how far it is, and what is reported of its steps. */
export const medusa: Dialect = {
  name: 'medusa',
  title: 'Medusa workflows executions',
  description: [
    'The API of Medusa for workflow executions, served by Sluice: its published operations, and those of its public source that its clients cannot do without.',
    'Lists in a query are `key[]=a&key[]=b`, `key[0]=a`, or a repeated key; comparisons are `created_at[$gte]=…`. Times are ISO 8601 in UTC, those of steps milliseconds since 1970. An error is `{"type", "message"}`, and has a `code` beside them where Medusa has one.',
  ].join('\n\n'),
  prefixes: ['/admin', '/auth'],
  mounts: [''],
  ...credentials,
  tags: [
    { name: 'workflows executions', description: 'Executions of workflows, and reports of their steps' },
    { name: 'auth', description: 'Who asks' },
  ],
  query: 'nested',
  rows: [...executionRows, ...authRows],
  streams,
  errors,
  words: { ...words, ...authWords, WorkflowEvent },
  meanings: { schemas: { ...meanings.schemas, ...authMeanings.schemas }, keys: { ...meanings.keys, ...authMeanings.keys } },
  losses: [
    { what: 'Executions that were deleted (`with_deleted`)', why: 'none is deleted softly: `deleted_at` is always null' },
    { what: 'Which of a run’s waits it is that keeps it', why: 'a step that waits for a person, a signal, a time or a report is `invoking` and `waiting_response` alike' },
    {
      what: 'Steps in bodies of maps and loops, and behind producers each by itself',
      why: 'an execution has each step once: those in a body are told with the step whose body it is',
    },
    { what: 'A filter by `created_at` with patterns (`$like`, `$ilike`, `$re`, `$contains`)', why: 'a time is not compared with a text' },
    {
      what: 'In lists, a value of more than 16 KiB; with a single execution, of what its steps gave, what is more than 8 MiB together',
      why: 'such a value is told as `{"truncated": bytes}`, the largest first',
    },
    { what: 'An order by a part of `execution` or `context`', why: 'lists are ordered by what there is an index of' },
    { what: 'Pages of more than 1,000 executions, or of more than 16 MiB', why: 'what asks for many is answered soon, or told to ask for fewer' },
    { what: 'A login by GET', why: 'a password in a URL is kept by whoever sees it pass' },
    {
      what: 'Registration, other providers than `emailpass`, other actors than users, MFA, and new passwords by `/auth`',
      why: 'people here are invited by an admin, and log in with their email',
    },
  ],
}

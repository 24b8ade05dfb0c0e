import type { Variant } from '../variant.ts'

export const variants: readonly Variant[] = [
  {
    name: 'another-status',
    promise: 'OpenAPI',
    breaks: 'It answers with a status of which its document says nothing.',
    file: 'packages/server/src/rpc/workflows.ts',
    find: `'Create a workflow', { status: 201 }`,
    replace: `'Create a workflow', { status: 200 }`,
    caughtBy: { file: 'test/openapi/traffic.test.ts', test: 'a request and its answer are noted, and are as the document says' },
  },
  {
    name: 'another-code',
    promise: 'OpenAPI',
    breaks: 'It refuses with a code other than the one its document shows.',
    file: 'packages/server/src/dialects/openai/errors.ts',
    find: `{ param: 'model', code: 'model_not_found' }`,
    replace: `{ param: 'model', code: 'workflow_missing' }`,
    caughtBy: { file: 'test/openapi/dialect-examples.test.ts', test: 'the examples of openapi/' },
  },
]

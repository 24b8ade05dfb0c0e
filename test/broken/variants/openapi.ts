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
]

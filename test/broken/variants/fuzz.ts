import type { Variant } from '../variant.ts'

const file = 'test/fuzz/fuzz.test.ts'

export const variants: readonly Variant[] = [
  {
    name: 'broken-escapes-are-bugs',
    promise: 'Hostile input',
    breaks: 'An escape that is none, in an address, is met as a bug of the server: a 500',
    file: 'packages/server/src/http/query.ts',
    find: "throw addressFault('is not percent-encoded UTF-8', place)",
    replace: 'throw error',
    caughtBy: { file, test: 'no answer is a 5xx' },
  },
  {
    name: 'errors-with-stacks',
    promise: 'Hostile input',
    breaks: 'An error of tRPC tells where in the source it came from',
    file: 'packages/server/src/rpc/trpc.ts',
    find: 'return { code: shape.code, message, data }',
    replace: 'return { code: shape.code, message, data: { ...data, stack: error.stack } as ErrorData }',
    caughtBy: { file, test: 'no answer is a 5xx' },
  },
  {
    name: 'requests-without-an-id',
    promise: 'Hostile input',
    breaks: 'Answers do not say the id that finds them in the log',
    file: 'packages/server/src/http/listener.ts',
    find: "'x-request-id': request.id,",
    replace: '',
    caughtBy: { file, test: 'no answer is a 5xx' },
  },
  {
    name: 'frames-as-bugs',
    promise: 'Hostile input',
    breaks: 'A frame that is no WebSocket is logged as a bug of the server: whoever sends them fills its log',
    file: 'packages/server/src/http/trpc-socket.ts',
    find: "String(cause.code).startsWith('WS_ERR_')",
    replace: 'false',
    caughtBy: { file, test: 'the process lives' },
  },
  {
    name: 'regular-expressions-of-users',
    promise: 'Hostile input',
    breaks: 'A condition may hold a regular expression, which takes as long as it takes, and holds the event loop meanwhile',
    file: 'packages/server/src/expressions/cel-tree.ts',
    find: '  matches: ',
    replace: '  unmatched: ',
    caughtBy: { file, test: 'nothing holds the event loop' },
  },
  {
    name: 'files-let-go-unseen',
    promise: 'Hostile input',
    breaks: 'A file that nothing uses any more is not known to be unused: it stays for ever',
    file: 'packages/server/src/store/rows/files.ts',
    find: 'set unused_at = now() where id = any($1) and not exists',
    replace: 'set unused_at = now() where false and id = any($1) and not exists',
    caughtBy: { file, test: 'it still works' },
  },
]

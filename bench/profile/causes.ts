/** A place in the code, as a CPU profile names it; code of V8 and of Node's C++ has no address. */
export interface Place {
  url: string
  functionName: string
}

/** The machine is one cause: its files decide together. Every other file of the engine does one thing. */
const machine = new Set([
  ...['machine', 'turn', 'frontier', 'settling', 'bodies', 'waits', 'timers', 'retry', 'control', 'ending', 'undoing'],
  ...['state', 'happening', 'payload'],
])

/** The first that fits an address says whose it is. */
const addresses: readonly (readonly [RegExp, string | ((found: string) => string)])[] = [
  [/\/pg-protocol\/dist\/(?:serializer|buffer-writer)|\/pg\/lib\/utils/, 'pg: serialising'],
  [/\/pg-protocol\/dist\/|\/pg\/lib\/(?:result|type-overrides)|\/pg-types\/|\/postgres-(?:date|array|bytea|interval)\//, 'pg: parsing'],
  [/\/node_modules\/(?:pg|pg-pool|pg-connection-string)\//, 'pg: connections and queries'],
  [/\/node_modules\/(?:fastify|@fastify|find-my-way|avvio|secure-json-parse|fast-json-stringify|light-my-request|rfdc|reusify|fastq|ajv|process-warning)\//, 'fastify'],
  [/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//, (name) => name],
  [/\/packages\/server\/src\/engine\/([^/.]+)/, (file) => (machine.has(file) ? 'engine: the machine' : `engine: ${file}`)],
  [/\/packages\/server\/src\/store\/([^/.]+)/, (part) => `store: ${part}`],
  [/\/packages\/server\/src\/([^/.]+)/, (room) => `our ${room}`],
  [/\/packages\/schema\//, 'our schema'],
  [/\/bench\//, 'the bench itself'],
  [/^node:(?:_http|internal\/http|internal\/url|internal\/webstreams|internal\/undici)/, 'Node: HTTP'],
  [/^node:(?:net$|_?stream|internal\/(?:streams|stream_base|js_stream|net)|events$|buffer$|internal\/buffer|string_decoder)/, 'Node: sockets and streams'],
  [/^node:internal\/(?:event_target|abort_controller)/, 'Node: abort signals'],
  [/^node:(?:timers|internal\/timers)/, 'Node: timers'],
  [/^node:internal\/(?:process\/(?:task_queues|promises)|async_hooks|async_local_storage|async_context_frame)/, 'Node: ticks, promises and async context'],
  [/^node:(?:crypto|internal\/crypto)/, 'Node: crypto'],
  [/^node:/, 'Node: the rest'],
]

/** V8's own code that is a cause whoever calls it. */
const natives: Record<string, string> = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'Node: the event loop and what it reads',
  runMicrotasks: 'Node: ticks, promises and async context',
  parse: 'JSON',
  stringify: 'JSON',
}

/** What hands bytes to the kernel, which often does the receiver's work at once. */
const sends = new Set(['writev', 'writeBuffer', 'writeUtf8String', 'writeLatin1String', 'writeAsciiString'])

/** Whose the innermost of these calls is; they come from the inside out. */
export function causeOf(calls: readonly Place[]): string {
  const [innermost] = calls
  if (innermost?.url === '' && sends.has(innermost.functionName)) return sending(calls)
  for (const place of calls) {
    // Other code of V8 is on the account of who called it.
    const cause = place.url === '' ? natives[place.functionName] : ofAddress(place.url)
    if (cause !== undefined) return cause
  }
  return 'other code'
}

function sending(calls: readonly Place[]): string {
  const sender = calls.find(({ url }) => url !== '' && !url.startsWith('node:'))
  return `system calls that send ${sender?.url.includes('/pg/') ? 'to PostgreSQL' : 'to clients'}`
}

function ofAddress(url: string): string {
  for (const [pattern, cause] of addresses) {
    const found = pattern.exec(url)
    if (found) return typeof cause === 'string' ? cause : cause(found[1]!)
  }
  return 'other code'
}

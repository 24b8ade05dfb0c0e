/** A place in the code, as a CPU profile names it; code of V8 and of libuv has no address. */
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
const addresses: readonly (readonly [RegExp, string | ((found: string[]) => string)])[] = [
  [/\/pg-protocol\/dist\/(?:serializer|buffer-writer)|\/pg\/lib\/utils/, 'pg: serialising'],
  [/\/pg-protocol\/dist\/|\/pg\/lib\/(?:result|type-overrides)|\/pg-types\/|\/postgres-(?:date|array|bytea|interval)\//, 'pg: parsing'],
  [/\/node_modules\/(?:pg|pg-pool|pg-connection-string)\//, 'pg: connections and queries'],
  [/\/node_modules\/(?:fastify|@fastify|find-my-way|avvio|secure-json-parse|fast-json-stringify|light-my-request|rfdc|reusify|fastq|ajv|process-warning)\//, 'fastify'],
  [/.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//, ([name]) => name!],
  [/\/packages\/server\/src\/engine\/([^/.]+)/, ([file]) => (machine.has(file!) ? 'engine: the machine' : `engine: ${file}`)],
  [/\/packages\/server\/src\/([^/.]+)/, ([room]) => `our ${room}`],
  [/\/packages\/schema\//, 'our schema'],
  [/\/bench\//, 'the bench itself'],
  [/^node:(?:_http|internal\/http|internal\/url|internal\/webstreams|internal\/undici)/, 'Node: HTTP'],
  [/^node:(?:net$|_?stream|internal\/(?:streams|stream_base|js_stream|net)|events$|buffer$|internal\/buffer|string_decoder)/, 'Node: sockets and streams'],
  [/^node:/, 'Node: timers, promises and the rest'],
]

/** Where V8's own code stands without an address. */
const natives: Record<string, string> = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'Node: the event loop and what it reads',
  parse: 'JSON',
  stringify: 'JSON',
  writev: 'Node: system calls that write to sockets',
  writeBuffer: 'Node: system calls that write to sockets',
  writeUtf8String: 'Node: system calls that write to sockets',
  writeLatin1String: 'Node: system calls that write to sockets',
  writeAsciiString: 'Node: system calls that write to sockets',
}

/** Whose this code is; null for code of V8 that whoever called it answers for. */
export function causeOf({ url, functionName }: Place): string | null {
  if (url === '') return natives[functionName] ?? null
  for (const [pattern, cause] of addresses) {
    const found = pattern.exec(url)
    if (found) return typeof cause === 'string' ? cause : cause(found.slice(1))
  }
  return 'other code'
}

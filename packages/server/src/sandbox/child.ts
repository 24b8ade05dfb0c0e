import { createInterpreter } from './interpreter.ts'
import { encodeReply } from './protocol.ts'
import type { Request } from './protocol.ts'

/**
 * The program of a child: gets ready, reads one request, answers and ends. It sees no environment and no files beyond the
 * interpreter's; the user's code sees nothing of the process at all.
 */
const interpreter = await createInterpreter(Number(process.argv[2]))
const chunks: Buffer[] = []
for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
// Let go without a request: the server has no more use for it, or is gone.
if (chunks.length > 0) {
  const request = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Request
  process.stdout.write(encodeReply(interpreter.run(request)))
}

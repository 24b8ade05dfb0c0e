import { RELEASE_SYNC, newQuickJSWASMModule, newVariant } from 'quickjs-emscripten'
import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from 'quickjs-emscripten'
import type { SandboxErrorCode } from './error.ts'
import { prelude } from './prelude.ts'
import { logBounds } from './protocol.ts'
import type { Bounds, Reply, Request } from './protocol.ts'

/** QuickJS with nothing in it but the language and a console; for one execution. Runs in the child. */
export interface Interpreter {
  run(request: Request): Reply
}

// Less than the host's own stack can carry of interpreter frames, so that deep recursion ends inside.
const stackBytes = 256 * 1024
// Node has it; its types leave it to those of browsers.
declare const WebAssembly: { Memory: new (pages: { initial: number; maximum: number }) => { buffer: ArrayBuffer } }
const pageBytes = 64 * 1024
const initialPages = 256

export async function createInterpreter(memoryBytes: number): Promise<Interpreter> {
  // The bound is the memory itself. QuickJS's own limit counts eight bytes a block in this build: it let an array grow to 1 GB.
  const memory = new WebAssembly.Memory({ initial: initialPages, maximum: Math.max(initialPages, Math.floor(memoryBytes / pageBytes)) })
  const module = await newQuickJSWASMModule(newVariant(RELEASE_SYNC, { wasmMemory: memory }))
  const runtime = module.newRuntime()
  runtime.setMaxStackSize(stackBytes)
  const vm = runtime.newContext()
  const logs: string[] = []
  const emit = vm.newFunction('emit', (line) => keep(logs, vm.getString(line)))
  const make = vm.unwrapResult(vm.evalCode(prelude, 'prelude'))
  const inside = vm.unwrapResult(vm.callFunction(make, vm.undefined, emit))
  const grown = () => memory.buffer.byteLength > initialPages * pageBytes
  return { run: (request) => execute({ vm, runtime, inside, logs, grown, memoryBytes }, request) }
}

interface Machine {
  vm: QuickJSContext
  runtime: QuickJSRuntime
  inside: QuickJSHandle
  logs: string[]
  /** Whether the code took more memory than there was at first. */
  grown(): boolean
  memoryBytes: number
}

function keep(logs: string[], line: string): void {
  if (logs.length < logBounds.lines) logs.push(line)
  else if (logs.length === logBounds.lines) logs.push('(further lines are not kept)')
}

class Failed extends Error {
  readonly code: SandboxErrorCode
  readonly line: number | undefined
  constructor(code: SandboxErrorCode, message: string, line?: number) {
    super(message)
    this.code = code
    this.line = line
  }
}

function execute(machine: Machine, { source, input, bounds }: Request): Reply {
  const { vm, runtime, inside, logs } = machine
  const clock = cpuClock(bounds.cpuMs)
  runtime.setInterruptHandler(() => clock.isUp())
  const call = (name: string, ...values: QuickJSHandle[]): QuickJSHandle => {
    const result = vm.callFunction(vm.getProp(inside, name), vm.undefined, ...values)
    if (result.error) throw failureOf(machine, result.error, source)
    return result.value
  }
  try {
    const settled = settle(vm, runtime, call('run', vm.newString(source), vm.newString(input)))
    if ('error' in settled) throw failureOf(machine, settled.error, source)
    return { head: { ok: true, logs }, output: textOf(machine, call('encode', settled.value), bounds) }
  } catch (error) {
    if (clock.isUp()) return failed(new Failed('timed_out', `the code ran for more than ${bounds.cpuMs} ms`))
    if (error instanceof Failed) return failed(error)
    // The interpreter's own stack gave way before it could throw, or its memory did.
    return failed(error instanceof RangeError ? new Failed('code_failed', 'stack overflow') : outOfMemory(machine))
  }
  function failed({ code, message, line }: Failed): Reply {
    return { head: { ok: false, code, message, line, logs }, output: '' }
  }
}

/** CPU time of this thread, so that a busy machine does not count against the code. Once up it stays up: nothing catches it. */
function cpuClock(ms: number) {
  const started = performance.now()
  const before = process.threadCpuUsage()
  let up = false
  return {
    isUp() {
      // The wall clock is cheap, and never behind.
      if (up || performance.now() - started < ms) return up
      const { user, system } = process.threadCpuUsage(before)
      up = (user + system) / 1000 >= ms
      return up
    },
  }
}

/** Runs promise jobs until the result is settled. With no timers and no host promises, what is pending then is so for ever. */
function settle(vm: QuickJSContext, runtime: QuickJSRuntime, promise: QuickJSHandle): { value: QuickJSHandle } | { error: QuickJSHandle } {
  for (;;) {
    const state = vm.getPromiseState(promise)
    if (state.type === 'fulfilled') return { value: state.value }
    if (state.type === 'rejected') return { error: state.error }
    if (!runtime.hasPendingJob()) throw new Failed('code_failed', 'the code awaits something that never happens')
    const ran = runtime.executePendingJobs(1000)
    if (ran.error) return { error: ran.error }
  }
}

function textOf(machine: Machine, encoded: QuickJSHandle, { outputBytes }: Bounds): string {
  const { vm } = machine
  const length = vm.getNumber(vm.getProp(encoded, 'length'))
  const tooLarge = () => new Failed('output_too_large', `the output is larger than ${outputBytes} bytes`)
  // Measured inside first: a string of the interpreter may be larger than this process can copy.
  if (length > outputBytes) throw tooLarge()
  const text = vm.getString(encoded)
  // Copying needs memory inside too; without any it gives an empty string.
  if (text.length !== length) throw outOfMemory(machine)
  if (Buffer.byteLength(text) > outputBytes) throw tooLarge()
  return text
}

const outOfMemory = (machine: Machine) => new Failed('out_of_memory', `the code used more than ${machine.memoryBytes} bytes`)

function failureOf(machine: Machine, error: QuickJSHandle, source: string): Failed {
  const { vm, inside } = machine
  const result = vm.callFunction(vm.getProp(inside, 'describe'), vm.undefined, error)
  const described = result.error ? '' : vm.getString(result.value)
  // Nothing can be said when there is no memory left to say it in.
  if (described === '') return outOfMemory(machine)
  const { kind, message, stack } = JSON.parse(described) as { kind: string; message: string; stack: string }
  // When not even the error can be made, QuickJS throws null.
  if ((kind === 'InternalError' && message === 'out of memory') || (kind === 'null' && machine.grown())) return outOfMemory(machine)
  if (kind === 'not_json') return new Failed('output_not_json', `the output is not JSON: ${message}`)
  if (kind === 'TypeError' && message === 'circular reference') return new Failed('output_not_json', 'the output is not JSON: it contains itself')
  const named = kind === 'null' || kind === 'thrown' || kind === 'Error' || kind === ''
  return new Failed('code_failed', named ? message || 'the code threw' : `${kind}: ${message}`, lineOf(stack, source))
}

/** The function made of the source has two lines before it. */
function lineOf(stack: string, source: string): number | undefined {
  const found = /<input>:(\d+)/.exec(stack)?.[1]
  if (found === undefined) return undefined
  return Math.min(Math.max(Number(found) - 2, 1), source.split('\n').length)
}

import { limits } from '@sluice/schema'
import * as Schema from 'effect/Schema'
import { SandboxError } from '../../sandbox/error.ts'
import type { SandboxErrorCode } from '../../sandbox/error.ts'
import type { Sandbox } from '../../sandbox/sandbox.ts'
import { defineNode, StepFailure } from '../contract.ts'
import type { WorkContext } from '../contract.ts'
import { isDeeperThan } from '../values.ts'

export const code = (sandbox: Sandbox) =>
  defineNode({
    type: 'code',
    title: 'Code',
    description: 'Runs JavaScript on the outputs of the steps before it, without network, files or timers, for at most 5 seconds in 64 MiB.',
    category: 'work',
    config: Schema.Struct({
      source: Schema.String.annotate({ title: 'Source', description: 'The body of `async function (input) { … }`; what it returns is the output' }),
    }),
    readings: { source: 'raw' },
    tool: {
      approval: false,
      description: 'Runs JavaScript: the body of an async function; what it returns is the result. It has no network, files, timers or modules, at most 5 seconds and 64 MiB.',
    },
    behaviour: { is: 'work', run: ({ source }, context) => execute(sandbox, source, context) },
  })

/** The failure's code, and whether the same code may do better another time. What throws may, when the step is set to retry. */
const failures = {
  code_failed: { code: 'code_failed', retry: true },
  timed_out: { code: 'code_timed_out', retry: true },
  unavailable: { code: 'sandbox_unavailable', retry: true },
  out_of_memory: { code: 'code_out_of_memory', retry: false },
  output_too_large: { code: 'code_output_too_large', retry: false },
  output_not_json: { code: 'code_output_not_json', retry: false },
} satisfies Record<SandboxErrorCode, { code: string; retry: boolean }>

async function execute(sandbox: Sandbox, source: string, { input, signal, abilities }: WorkContext) {
  try {
    const { output, logs } = await sandbox.run({ source, input, signal })
    for (const line of logs) abilities.log('info', line)
    if (isDeeperThan(output, limits.jsonDepth)) throw new StepFailure('code_output_not_json', `The output is nested deeper than ${limits.jsonDepth} levels`, { retry: false })
    return { output }
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error
    for (const line of error.logs) abilities.log('info', line)
    const { code, retry } = failures[error.code]
    throw new StepFailure(code, error.message, { retry, ...(error.line !== undefined && { details: { line: error.line } }) })
  }
}

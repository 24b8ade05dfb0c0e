import { z } from 'zod'
import { Definition } from './definition.ts'
import { Handle } from './ids.ts'
import { JsonObject } from './json.ts'
import { limits } from './limits.ts'

/** A workflow as a file: what is kept beside a program, or brought to another workspace or server. */

/** What a file says of itself first. Another number stands there when an older server could not read it any more. */
export const workflowFormat = 'sluice.workflow/1'

/** That many versions more can still be published after the highest that a file may bring: a number that left no room would end the workflow. */
const mostFiled = 1_000_000_000

/** A version in a file. Its number and its hash stay what they are wherever it goes. */
export const FiledVersion = z.strictObject({
  number: z.int().min(1).max(mostFiled),
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'expected 64 digits 0-9, a-f')
    .meta({ description: 'SHA-256 of the canonical definition, hex: a definition that was changed afterwards is refused' }),
  name: z.string().min(1).max(200),
  description: z.string().max(10_000),
  definition: Definition,
})
export type FiledVersion = z.infer<typeof FiledVersion>

/**
 * The same workflow gives the same file. Nothing of a secret, a sample, an uploaded file or a run is in it: configs name what
 * they use, and that must be there where the workflow is brought to.
 */
export const WorkflowFile = z.strictObject({
  format: z.literal(workflowFormat).meta({ description: 'How the file is to be read' }),
  handle: Handle,
  name: z.string().min(1).max(200),
  description: z.string().max(10_000),
  extra: JsonObject,
  draft: Definition,
  versions: z.array(FiledVersion).max(limits.filedVersions).meta({ description: 'The oldest first' }),
})
export type WorkflowFile = z.infer<typeof WorkflowFile>

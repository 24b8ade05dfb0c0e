import { z } from 'zod'

/**
 * How a conversation works that is bound to no workflow of its owner's: each mode is a workflow that the server brings along.
 * `Actionplan` plans tasks and does them, `React` thinks, acts and looks, again and again (playground document, `workflowMode`).
 */
export const Mode = z.enum(['Actionplan', 'React'])
export type Mode = z.infer<typeof Mode>

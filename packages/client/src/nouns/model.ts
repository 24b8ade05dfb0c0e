import type { ModelSettings, SetModel } from '@sluice/schema'
import type { Calls } from '../calls.ts'
import type { Input } from '../input.ts'
import type { CallOptions } from '../options.ts'

/** Which language model the workspace asks. */
export interface Model {
  /** Whose it is, and what it is called. Never its key. */
  get(options?: CallOptions): Promise<ModelSettings>
  /** In the place of the operator's, for every step that begins from now on. Its endpoint is not asked whether it is there. Throws `ForbiddenError`. */
  set(model: Input<typeof SetModel>, options?: CallOptions): Promise<ModelSettings>
  /** Back to the operator's, or to the built-in one where there is none. */
  remove(options?: CallOptions): Promise<void>
}

export const modelOf = ({ read, repeat, remove }: Calls): Model => ({
  get: (options) => read('model.get', undefined, options),
  set: (model, options) => repeat('model.set', model, options),
  remove: (options) => remove('model.remove', undefined, options),
})

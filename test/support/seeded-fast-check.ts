import fc from 'fast-check'
import { seed } from './effort.ts'

/** What tests get for `fast-check` (vitest.config.ts): a failure names its seed and path, and comes again until it is mended. */
fc.configureGlobal({ seed })

export * from 'fast-check'
export default fc

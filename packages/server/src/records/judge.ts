import { type Checked, fits, matchRecords } from '../store/records/index.ts'
import type { Judge } from './sight.ts'

/** How conditions are held against records that are handed in. */
export const judge: Judge<Checked> = { fits, match: matchRecords }

import { Core0001 } from './0001-core.ts'

/** In order of application. Once released, a migration never changes. */
export const migrations = [{ name: '0001-core', class: Core0001 }]

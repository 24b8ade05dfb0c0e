import type { Migration } from '@mikro-orm/migrations'

type Class = new (...parts: ConstructorParameters<typeof Migration>) => Migration

/** In order of application. Once released, a migration never changes. Its class is loaded where it is applied. */
export const migrations: readonly { name: string; load(): Promise<Class> }[] = [{ name: '0001-core', load: async () => (await import('./0001-core.ts')).Core0001 }]

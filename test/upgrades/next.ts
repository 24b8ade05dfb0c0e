import { registerHooks } from 'node:module'

/** Loaded before a server (`node --import`), it makes it one of the next version: with a migration more, that of next-migration.ts. */
const migrations = new URL('../../packages/server/src/store/migrations/index.ts', import.meta.url).href
const added = `;migrations.push({ name: '9000-next', load: async () => (await import('${new URL('./next-migration.ts', import.meta.url).href}')).Next9000 })`

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    if (url !== migrations) return loaded
    const { source } = loaded
    if (source === undefined || source === null) throw new Error('The list of migrations was not loaded')
    return { ...loaded, source: `${typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString('utf8')}\n${added}` }
  },
})

import { registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { brokenAs } from './variant.ts'
import { variantNamed } from './variants.ts'

/** Loaded before a server that a test starts as a process of its own: `node --import`. */
const variant = variantNamed(process.env['BROKEN_VARIANT'])
if (variant) {
  const broken = pathToFileURL(fileURLToPath(new URL(`../../${variant.file}`, import.meta.url))).href
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      if (url !== broken) return loaded
      const { source } = loaded
      if (source === undefined || source === null) throw new Error(`The source of ${variant.file} was not loaded`)
      const text = typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString('utf8')
      return { ...loaded, source: brokenAs(variant, text) }
    },
  })
}
